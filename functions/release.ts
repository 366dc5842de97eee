import * as z from 'zod';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { Runs } from '../shared/aws/runs.ts';
import { Stage } from '../shared/aws/stage.ts';
import { type Revised, Store } from '../shared/aws/store.ts';
import { Ticks } from '../shared/aws/ticks.ts';
import { afterComparison, afterFailure, entryOf } from '../shared/core/outcome.ts';
import { ComparisonKind, comparisonOwner } from '../shared/model/compared.ts';
import { ownerOf, partOf } from '../shared/model/run.ts';
import type { TableState } from '../shared/model/state.ts';
import { giveUpClaims } from './claims.ts';
import { type Edge, handle } from './edge.ts';
import { discardStaged, sweepStage } from './sweep.ts';
import { settleRun, Trigger } from './tick.ts';

const Input = Trigger.extend({
  jobId: z.string(),
  owner: z.string().optional(),
  runId: z.string().optional(),
  startedAt: z.string().optional(),
  table: z.string().optional(),
  /** Tables that it was to begin after its own. */
  waiting: z.array(z.string()).default([]),
  /** What an execution that compares was asked for: it is no run. */
  comparisons: z.array(z.object({ table: z.string(), kind: ComparisonKind })).optional(),
  /** The run that claimed them. */
  claimedBy: z.string().optional(),
});
/** What the machines themselves fail with once finish has written the run's record. */
const JUDGED = ['TablesFailed', 'TableFailed'];

/** EventBridge's `Step Functions Execution Status Change`. */
export const StatusChange = z.object({
  detail: z.object({
    name: z.string(),
    status: z.enum(['FAILED', 'ABORTED', 'TIMED_OUT']),
    input: z.string(),
    /** Epoch milliseconds. */
    startDate: z.number(),
    error: z.string().nullish(),
    cause: z.string().nullish(),
  }),
});
export type StatusChange = z.infer<typeof StatusChange>;

export interface ReleasePorts {
  store: Store;
  runs: Runs;
  ticks: Ticks;
  comparisons: Comparisons;
  stage: Stage;
}

/**
 * Gives back at once what an execution held that failed, was stopped or timed out: others need not wait for its leases
 * to expire. The statement that it may have left running is remembered on the table, and settled before the next load. What
 * it staged goes.
 *
 * @returns the tables that were released
 */
export async function release(
  { detail }: StatusChange,
  { store, runs, ticks, comparisons, stage }: ReleasePorts,
  edge: Edge,
): Promise<string[]> {
  const input = Input.parse(JSON.parse(detail.input));
  const {
    jobId,
    owner = detail.name,
    runId = detail.name,
    startedAt = new Date(detail.startDate).toISOString(),
    table,
    waiting,
  } = input;
  const stateOf = async (name: string) => (await store.readState(jobId, name)).value;
  const owners = input.comparisons?.map(({ kind }) => comparisonOwner({ runId: detail.name, kind })) ?? [owner];
  const isHeld = ({ lease }: TableState): boolean => lease !== undefined && owners.includes(lease.owner);
  const ended = `ExecutionEnded: ${detail.name} ended as ${detail.status}${detail.cause ? `: ${detail.cause}` : ''}`;
  const why = `${ended} – the next run goes on`;
  // A function of the execution may still be at work, and write what it knows.
  const givenBack = (state: TableState) =>
    input.comparisons ? afterComparison(state) : afterFailure(state, why, edge.now());
  const giveBack = (state: TableState) => (isHeld(state) ? givenBack(state) : null);
  const giveAllBack = async () => {
    const held = [...(await store.readStates(jobId)).values()].filter(({ value }) => isHeld(value));
    return Promise.all(held.map((state) => store.changeState(jobId, state, giveBack)));
  };
  /** Lets the next run begin what did not end; a function that nobody told may end it just now. */
  const beginAnew = async (one: { table: string; kind: ComparisonKind }) => {
    const [begun, by, end] = [`${one.kind}Begun`, `${one.kind}By`, `${one.kind}Ended`] as const;
    const { [begun]: begunAt, [by]: begunBy, [end]: endedAt } = await comparisons.read(jobId, one.table);
    if (endedAt !== undefined && endedAt >= startedAt) return;
    // Events come late, and twice: by then another may have begun.
    const open = begunAt !== undefined && (endedAt === undefined || endedAt < begunAt);
    if (open && begunBy !== undefined && begunBy !== detail.name) return;
    const error = `${ended} – the next run for which it is due begins the comparison anew`;
    await comparisons.change(
      jobId,
      one.table,
      { [begun]: undefined, [`${one.kind}Error`]: error },
      { [begun]: begunAt, [end]: endedAt },
    );
  };
  const released = await giveAllBack();
  if (input.comparisons) {
    for (const one of input.comparisons) {
      await comparisons.change(jobId, one.table, { stopped: detail.name });
      await beginAnew(one);
    }
    if (input.claimedBy) await giveUpClaims({ jobId, runId: input.claimedBy }, { store, comparisons });
    released.push(...(await giveAllBack()));
    for (const { sourceName } of released) await discardStaged(jobId, sourceName, detail.name, stage);
  } else if (!JUDGED.includes(detail.error ?? '')) {
    const tell = async (name: string | undefined, error: string | null) => {
      const entries = name === undefined ? {} : { [name]: entryOf(await stateOf(name), runId, why) };
      const part = { ...input, runId, startedAt, part: partOf(name) };
      return runs.finish(part, entries, error, edge.now());
    };
    // A large table's end is told with the table: the run's other tables go on, but for those that nobody begins now.
    let run = await tell(table, table === undefined ? why : null);
    const states = await Promise.all(waiting.map((name) => store.readState(jobId, name)));
    // The first of them may have been begun just before, which begins the others – unless that is what this call's forerunner wrote.
    const isBegun = ({ value: { run: one } }: Revised<TableState>) => one?.runId === runId && one.error !== why;
    if (!states.some(isBegun))
      for (const state of states) {
        const mine = { runId, rows: 0, bytes: 0, startedAt };
        // Events come late, and twice: by then a later run may have gone on.
        const isPassed = ({ run: one }: TableState) =>
          one !== undefined && one.runId !== runId && Date.parse(one.startedAt) > Date.parse(startedAt);
        const fail = (one: TableState) =>
          one.lease === undefined && !isPassed(one) ? afterFailure({ ...one, run: mine }, why, edge.now()) : null;
        await store.changeState(jobId, state, fail);
        owners.push(ownerOf(runId, state.value.sourceName));
        run = await tell(state.value.sourceName, null);
      }
    await settleRun(jobId, run, ticks, edge);
    // What a function took that did not know, before the record could tell it.
    await giveAllBack();
    if (table === undefined) await giveUpClaims({ jobId, runId }, { store, comparisons });
    await sweepStage(jobId, run, { store, runs, stage });
  }
  return released.map(({ sourceName }) => sourceName);
}

export const handler = handle(StatusChange, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME } = environmentOf('release');
  const ports = {
    store: new Store(TABLE_NAME),
    runs: new Runs(TABLE_NAME),
    ticks: new Ticks(TABLE_NAME),
    comparisons: new Comparisons(TABLE_NAME),
    stage: new Stage(BUCKET_NAME),
  };
  return release(event, ports, edge);
});
