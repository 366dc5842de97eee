import { MetricUnit } from '@aws-lambda-powertools/metrics';
import * as z from 'zod';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { Runs } from '../shared/aws/runs.ts';
import { Stage } from '../shared/aws/stage.ts';
import { Store, stateIn } from '../shared/aws/store.ts';
import { Ticks } from '../shared/aws/ticks.ts';
import { afterFailure, entryOf } from '../shared/core/outcome.ts';
import { describeStepError } from '../shared/model/errors.ts';
import { partOf, type RunTable } from '../shared/model/run.ts';
import type { TableState } from '../shared/model/state.ts';
import { giveUpClaims } from './claims.ts';
import { type Edge, handle } from './edge.ts';
import { sweepStage } from './sweep.ts';
import { settleRun, Trigger } from './tick.ts';

export const FinishEvent = Trigger.extend({
  jobId: z.string(),
  runId: z.string(),
  startedAt: z.string(),
  /** The large table whose own execution ends; absent for the run's. */
  table: z.string().optional(),
  owner: z.string(),
  /** Why it ends before its work was done: what the failed step threw. */
  error: z.object({ Error: z.string(), Cause: z.string() }).partial().nullable().default(null),
  /** Whether the execution goes on to what it claimed to compare. */
  comparing: z.boolean().default(false),
});
export type FinishEvent = z.infer<typeof FinishEvent>;

export interface FinishPorts {
  store: Store;
  runs: Runs;
  ticks: Ticks;
  comparisons: Comparisons;
  stage: Stage;
}

export interface Finished {
  status: 'succeeded' | 'failed';
  /** One line for people, for the execution that fails by it. */
  reason: string;
}

/**
 * Writes an execution's part of the run's record, and gives back the leases of tables that a failed step left behind; with the
 * last part it removes what the run left in the stage.
 * Done again it writes the same.
 */
export async function finish(
  event: FinishEvent,
  { store, runs, ticks, comparisons, stage }: FinishPorts,
  edge: Edge,
): Promise<Finished> {
  const states = await store.readStates(event.jobId);
  const error = event.error ? describeStepError(event.error) : null;
  const own =
    event.table === undefined
      ? [...states.values()].filter(({ value }) => value.run?.runId === event.runId)
      : [stateIn(states, event.table)];
  const entries = await Promise.all(
    own
      .filter(
        ({ value }) => event.table !== undefined || value.lease === undefined || value.lease.owner === event.owner,
      )
      .map(async (seen): Promise<[string, RunTable]> => {
        const ended = await store.changeState(event.jobId, seen, (state) => brokenOff(event, state, error, edge.now()));
        return [ended.sourceName, entryOf(ended, event.runId, error)];
      }),
  );
  // A large table's error is told with the table, not as the whole run's.
  const whole = event.table === undefined ? error : null;
  if (event.table !== undefined && error) edge.metrics.addMetric('TablesFailed', MetricUnit.Count, 1);
  const run = await runs.finish(
    { ...event, part: partOf(event.table) },
    Object.fromEntries(entries),
    whole,
    edge.now(),
  );
  await settleRun(event.jobId, run, ticks, edge);
  // Plan may have failed when it had claimed what nobody will begin now.
  if (whole && !event.comparing) await giveUpClaims(event, { store, comparisons });
  await sweepStage(event.jobId, run, { store, runs, stage });
  const judged = Object.entries(run.tables).filter(([name]) => event.table === undefined || name === event.table);
  const failed = judged.flatMap(([name, { error: why }]) => (why ? [`${name}: ${why}`] : []));
  // A state's payload has 256 KiB.
  const reason = [...(whole ? [whole] : []), ...failed].join('\n').slice(0, 30_000);
  return { status: reason ? 'failed' : 'succeeded', reason };
}

/** The state of a table whose work was not done; null where it was, or where it is somebody else's. */
function brokenOff(event: FinishEvent, state: TableState, error: string | null, now: Date): TableState | null {
  const held = state.lease?.owner === event.owner;
  // A large table whose first step failed was never leased.
  const neverBegan = event.table !== undefined && error !== null && state.lease === undefined;
  if (!held && !neverBegan) return null;
  const { runId, startedAt } = event;
  const run = state.run?.runId === runId ? state.run : { runId, rows: 0, bytes: 0, startedAt };
  return afterFailure(
    { ...state, run },
    error ?? 'LeaseLost: the load ended without a result – the next run goes on',
    now,
  );
}

export const handler = handle(FinishEvent, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME } = environmentOf('finish');
  const ports = {
    store: new Store(TABLE_NAME),
    runs: new Runs(TABLE_NAME),
    ticks: new Ticks(TABLE_NAME),
    comparisons: new Comparisons(TABLE_NAME),
    stage: new Stage(BUCKET_NAME),
  };
  return finish(event, ports, edge);
});
