import { COMPARISONS, type Compared, type ComparisonKind, type DueComparison } from '../model/compared.ts';
import type { Job } from '../model/job.ts';
import type { TableState } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { covers } from './pass.ts';

/** A comparison that was begun counts as dead after this: verify-job's timeout, so no execution of it runs for longer. */
export const COMPARES_FOR_SECONDS = 2 * 3600;

/** What a run claimed counts as given up after this, however the run ended: as long as a lease lasts. */
const CLAIMED_FOR_SECONDS = 20 * 60;

const msSince = (time: string | undefined, now: Date): number =>
  time === undefined ? Number.POSITIVE_INFINITY : now.getTime() - Date.parse(time);

/** Whether a comparison of the kind that was begun may be at work still. */
export const mayRun = (compared: Compared, kind: ComparisonKind, now: Date): boolean => {
  const begun = compared[`${kind}Begun`];
  const ended = compared[`${kind}Ended`];
  return (
    begun !== undefined && (ended === undefined || ended < begun) && msSince(begun, now) < COMPARES_FOR_SECONDS * 1000
  );
};

/** Whether another run is to begin a comparison of the table; its own claim keeps none from it when it is asked once more. */
const isClaimed = ({ claimedBy, claimedAt }: Compared, runId: string, now: Date): boolean =>
  claimedBy !== undefined && claimedBy !== runId && msSince(claimedAt, now) < CLAIMED_FOR_SECONDS * 1000;

/** Seconds between two verifications of a table; null where nobody asked for any. */
export const verifyEvery = (job: Job, table: Table): number | null => table.verifyEvery ?? job.verifyEvery ?? null;

/**
 * The comparison that a run has to begin for one table, if any is due: one at a time, since both would want the lease.
 * @param settled whether this run's look, later than everything on record, found nothing new in it: the same as a pass
 */
export function dueComparison(
  job: Job,
  table: Table,
  { state, compared, settled, runId }: { state: TableState; compared: Compared; settled: boolean; runId: string },
  now: Date,
): DueComparison | null {
  if (!state.watermark || isClaimed(compared, runId, now)) return null;
  // What was edited since the last load waits for the next.
  if (!covers(state.watermark, table)) return null;
  if (COMPARISONS.some((kind) => mayRun(compared, kind, now))) return null;
  const name = table.sourceName;
  const due = (kind: ComparisonKind, seconds: number): boolean =>
    msSince(compared[`${kind}Ended`], now) >= seconds * 1000;
  const { suspects } = compared;
  if (suspects && (settled || Date.parse(state.watermark.taken) > Date.parse(suspects.seen)))
    return { table: name, kind: 'verify', second: true };
  if (table.deletes === 'remove' && table.copyMode !== 'FULL_DATA_SYNC' && due('reconcile', table.reconcileEvery))
    return { table: name, kind: 'reconcile', second: false };
  const every = verifyEvery(job, table);
  return every !== null && !suspects && due('verify', every) ? { table: name, kind: 'verify', second: false } : null;
}
