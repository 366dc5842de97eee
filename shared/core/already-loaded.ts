import type { Snapshot, Watermark } from '../model/state.ts';

/** Beyond this distance 32-bit transaction ids can't be told apart any more (RULES 6). */
const COMPARABLE_XIDS = 1_000_000_000n;

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
  if (before.system !== now.system || before.timeline !== now.timeline || watermark.oid !== oid) return null;
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
