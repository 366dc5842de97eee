import { z } from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { Store } from '../shared/aws/store.ts';
import { afterFailure } from '../shared/core/pass.ts';
import type { RunTable } from '../shared/model/run.ts';
import type { TableState } from '../shared/model/state.ts';
import { type Edge, handle } from './edge.ts';

export const FinishEvent = z.object({
  jobId: z.string(),
  runId: z.string(),
  startedAt: z.string(),
  /** The execution that ends: `job`, or a large table's own. */
  part: z.string(),
  owner: z.string(),
  /** Why it ends before its work was done: what the failed step threw. */
  error: z.object({ Error: z.string(), Cause: z.string() }).partial().nullable().default(null),
});
export type FinishEvent = z.infer<typeof FinishEvent>;

export interface Finished {
  status: 'succeeded' | 'failed';
  /** One line for people, for the execution that fails by it. */
  reason: string;
}

/**
 * Writes an execution's part of the run's record, and gives back the leases of tables that a failed step left behind.
 * Done again it writes the same.
 */
export async function finish(event: FinishEvent, store: Store, edge: Edge): Promise<Finished> {
  const { states } = await store.readJob(event.jobId);
  const error = event.error ? messageOf(event.error) : null;
  const own = [...states.values()].filter(({ value }) =>
    event.part === 'job' ? value.run?.runId === event.runId : value.sourceName === event.part,
  );
  const entries = await Promise.all(
    own
      .filter(({ value }) => event.part !== 'job' || value.lease === undefined || value.lease.owner === event.owner)
      .map(async ({ value, revision }): Promise<[string, RunTable]> => {
        const held = value.lease?.owner === event.owner;
        const ended = held
          ? afterFailure(value, error ?? 'LeaseLost: the load ended without a result', edge.now())
          : value;
        if (held) await store.saveState(event.jobId, ended, revision);
        return [value.sourceName, entryOf(ended, event.runId, error)];
      }),
  );
  const run = await store.finishRun(event, Object.fromEntries(entries), error, edge.now());
  const failed = Object.entries(run.tables).flatMap(([name, { error: why }]) => (why ? [`${name}: ${why}`] : []));
  const reason = [...(error ? [error] : []), ...failed].join('\n');
  return { status: reason ? 'failed' : 'succeeded', reason };
}

function entryOf(state: TableState, runId: string, error: string | null): RunTable {
  const { run } = state;
  if (run?.runId !== runId) return { rows: 0, bytes: 0, seconds: 0, ...(error ? { error } : {}) };
  const seconds = run.finishedAt ? (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000 : 0;
  return { rows: run.rows, bytes: run.bytes, seconds, ...(run.error ? { error: run.error } : {}) };
}

/** A function's error arrives as JSON in Cause. */
export function messageOf({ Error: name = 'Error', Cause: cause = '' }: { Error?: string; Cause?: string }): string {
  const parsed = cause.startsWith('{') ? (JSON.parse(cause) as { errorMessage?: string }) : {};
  return `${name}: ${parsed.errorMessage ?? cause}`;
}

export const handler = handle(FinishEvent, (event, edge) =>
  finish(event, new Store(environmentOf('finish').TABLE_NAME), edge),
);
