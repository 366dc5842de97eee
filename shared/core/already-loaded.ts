import type { Snapshot, Watermark } from '../model/state.ts';
import type { Table } from '../model/table.ts';

/** Beyond this distance 32-bit transaction ids can't be told apart any more (RULES 6). */
const COMPARABLE_XIDS = 1_000_000_000n;

/** Whether the source is another than the snapshot was taken of: restored, or a standby that was promoted. */
const isAnother = (before: Snapshot, now: Snapshot): boolean =>
  before.system !== now.system || before.timeline !== now.timeline;

/**
 * What to say of an INSERT_ONLY table whose source was restored, or failed over, since its last load: it may give ids out again that
 * it had given out before, and such rows lie below the watermark. null where there is nothing to say.
 */
export function describeRestored(
  { sourceName, copyMode }: Pick<Table, 'sourceName' | 'copyMode'>,
  watermark: Pick<Watermark, 'snapshot' | 'key'> | null,
  now: Snapshot,
): string | null {
  if (copyMode !== 'INSERT_ONLY' || !watermark?.snapshot || !isAnother(watermark.snapshot, now)) return null;
  return (
    `${sourceName}: the source was restored, or failed over, since the last load: rows that it gave ids up to ${watermark.key} anew are not ` +
    'read – verify the table with repair, or reset it to an id from before'
  );
}

/**
 * The transaction id below which every row that the source shows now was already in the watermark's snapshot, and so in
 * the warehouse; null where nothing may be skipped.
 *
 * A row's xmin may be the id of a sub-transaction, which no snapshot lists: its parent, which began earlier, has a lower
 * one. So the bound lies below every transaction that was running then and has ended since – and with it below all of
 * their sub-transactions. On a standby xip is always empty: only what lies below its xmin is sure.
 *
 * @throws Error when the source's transaction ids went backwards, as after a restore that kept the system identifier
 */
export function loadedBelow(watermark: Pick<Watermark, 'snapshot' | 'oid'>, now: Snapshot, oid: number): bigint | null {
  const before = watermark.snapshot;
  if (before === null) return null;
  if (isAnother(before, now) || watermark.oid !== oid) return null;
  const [xmaxBefore, xmaxNow] = [BigInt(before.xmax), BigInt(now.xmax)];
  if (xmaxNow < xmaxBefore)
    throw new Error(
      `the source's next transaction id ${now.xmax} is below ${before.xmax}, which an earlier run saw: ` +
        'the database was restored to an earlier state – re-load its tables from scratch',
    );
  const stillRunning = new Set(now.xip);
  const bound =
    before.standby || now.standby
      ? BigInt(before.xmin)
      : before.xip
          .filter((xid) => !stillRunning.has(xid))
          .map(BigInt)
          .reduce((least, xid) => (xid < least ? xid : least), xmaxBefore);
  return xmaxNow - bound > COMPARABLE_XIDS ? null : bound;
}
