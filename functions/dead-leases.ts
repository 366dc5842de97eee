import type { Runs } from '../shared/aws/runs.ts';
import type { JobData, Revised, Store } from '../shared/aws/store.ts';
import { isFree } from '../shared/core/lease.ts';
import { afterComparison, afterFailure } from '../shared/core/outcome.ts';
import { partOf } from '../shared/model/run.ts';
import type { TableState } from '../shared/model/state.ts';

/** No more runs can have begun since a lease was taken that has not run out: ticks are a minute apart. */
const RUNS_LOOKED_UP = 20;

/**
 * Gives back what is held by executions whose end has been told. They give it back themselves, or release does; but a function of
 * theirs that took it late, and died before it could look whether anybody waits for it still, would hold it until it runs out.
 *
 * @returns the states of the job, with those that were given back
 */
export async function giveBackDead(
  { jobId, runId }: { jobId: string; runId: string },
  { states, compared }: Pick<JobData, 'states' | 'compared'>,
  { store, runs }: { store: Store; runs: Runs },
  now: Date,
): Promise<JobData['states']> {
  const held = [...states.values()].filter(({ value }) => !isFree(value, runId, now));
  if (held.length === 0) return states;
  const ended = await runs.endedParts(jobId, RUNS_LOOKED_UP);
  const freed = held.map(async (seen): Promise<[string, Revised<TableState>]> => {
    const { sourceName, lease } = seen.value;
    const [of = '', ...rest] = lease?.owner.split('/') ?? [];
    const isRun = ended.get(of)?.has(partOf(rest.length > 0 ? rest.join('/') : undefined)) ?? false;
    const isComparison = compared.get(sourceName)?.stopped === of;
    const why = `ExecutionEnded: ${lease?.owner} ended and left it – this run goes on`;
    const free = isRun ? afterFailure(seen.value, why, now) : isComparison ? afterComparison(seen.value) : null;
    const revision = free && (await store.saveState(jobId, free, seen.revision));
    return [sourceName, free && revision !== null ? { value: free, revision } : seen];
  });
  return new Map([...states, ...(await Promise.all(freed))]);
}
