import type { Runs } from '../shared/aws/runs.ts';
import type { JobData, Revised, Store } from '../shared/aws/store.ts';
import { isFree } from '../shared/core/lease.ts';
import { afterComparison, afterFailure } from '../shared/core/outcome.ts';
import { ownedBy } from '../shared/model/run.ts';
import type { TableState } from '../shared/model/state.ts';

/** Ticks of one schedule within a lease's time: what is older, or lost among more, runs out by itself. */
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
  /** The state without its lease; null where its owner may still be at work. */
  const givenBack = (state: TableState): TableState | null => {
    const { owner = '' } = state.lease ?? {};
    const execution = ownedBy(owner);
    if (ended.get(execution.runId)?.has(execution.part))
      return afterFailure(state, `ExecutionEnded: ${owner} ended and left it – this run goes on`, now);
    return compared.get(state.sourceName)?.stopped === execution.runId ? afterComparison(state) : null;
  };
  const freed = held.map(async (seen): Promise<[string, Revised<TableState>]> => {
    const value = givenBack(seen.value);
    const revision = value && (await store.saveState(jobId, value, seen.revision));
    return [seen.value.sourceName, value && revision !== null ? { value, revision } : seen];
  });
  return new Map([...states, ...(await Promise.all(freed))]);
}
