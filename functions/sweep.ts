import type { Runs } from '../shared/aws/runs.ts';
import { isOf, jobPrefix, type Stage, stagedBy, tableHash, tablePrefix } from '../shared/aws/stage.ts';
import type { Store } from '../shared/aws/store.ts';
import type { Warehouse } from '../shared/aws/warehouse.ts';
import { ownedBy, type Run } from '../shared/model/run.ts';
import type { Batch } from '../shared/model/state.ts';

/** As many runs are looked up as may have left something within the two days that the bucket keeps it. */
const RUNS_LOOKED_UP = 100;

/**
 * Removes what a run that has ended leaves in the stage: objects of loads that were cut off before they could, of batches that
 * never were loaded, uploads of functions that died; and likewise what earlier runs left since, by functions that nobody waited
 * for any more. Tables that are still being loaded keep theirs.
 */
export async function sweepStage(
  jobId: string,
  run: Pick<Run, 'runId' | 'status'>,
  { store, runs, stage }: { store: Store; runs: Runs; stage: Stage },
): Promise<void> {
  if (run.status === 'running') return;
  const staged = await stage.list(jobPrefix(jobId));
  if (staged.length === 0) return;
  const own = staged.every((one) => stagedBy(one).runId === run.runId);
  const others = own ? [] : await runs.list(jobId, RUNS_LOOKED_UP);
  const ended = new Set([run.runId, ...others.flatMap(({ runId, status }) => (status === 'running' ? [] : [runId]))]);
  // Looked at after the listing: what was listed and belongs to nobody now is nobody's.
  const states = await store.readStates(jobId);
  const held = [...states.values()].flatMap(({ value: { sourceName, lease } }) =>
    lease ? [`${tableHash(sourceName)}/${ownedBy(lease.owner).runId}`] : [],
  );
  // A load error names the object that it met, for people to look into until the next success.
  const told = [...states.values()].flatMap(({ value: { lastError } }) => lastError ?? []);
  await stage.discard(
    staged.filter((one) => {
      if (told.some((error) => error.includes(one.key))) return false;
      const { table, runId, mends } = stagedBy(one);
      return (mends || ended.has(runId)) && !held.includes(`${table}/${runId}`);
    }),
  );
}

/** Removes what one run has staged for one table. */
export async function discardStaged(jobId: string, table: string, runId: string, stage: Stage): Promise<void> {
  const staged = await stage.list(tablePrefix(jobId, table));
  await stage.discard(staged.filter((one) => stagedBy(one).runId === runId));
}

/**
 * Sees to it that a dead owner's load never takes effect beside the next one (RULES 14): first its objects go, so that it
 * can't be submitted any more, not even by a function that was held up for hours; then what was submitted is ended.
 * @param mine the batches of the table that stay
 */
export async function settleOrphan(
  orphan: string,
  { jobId, table }: { jobId: string; table: string },
  mine: (Batch | undefined)[],
  { warehouse, stage }: { warehouse: Pick<Warehouse, 'settle'>; stage: Stage },
): Promise<void> {
  const staged = await stage.list(tablePrefix(jobId, table));
  await stage.discard(staged.filter((one) => !isOf(one, mine)));
  await warehouse.settle(orphan);
}
