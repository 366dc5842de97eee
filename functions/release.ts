import * as z from 'zod';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { Runs } from '../shared/aws/runs.ts';
import { Stage } from '../shared/aws/stage.ts';
import { Store } from '../shared/aws/store.ts';
import { Ticks } from '../shared/aws/ticks.ts';
import { afterComparison, afterFailure, entryOf } from '../shared/core/outcome.ts';
import { ComparisonKind, comparisonOwner } from '../shared/model/compared.ts';
import { ownerOf, partOf, type Run } from '../shared/model/run.ts';
import type { TableState } from '../shared/model/state.ts';
import { giveUpClaims } from './claims.ts';
import { type Edge, handle } from './edge.ts';
import { discardStaged, sweepStage } from './sweep.ts';
import { settleRun, Trigger } from './tick.ts';

const Comparison = z.object({ table: z.string(), kind: ComparisonKind });
type Comparison = z.infer<typeof Comparison>;

const Input = Trigger.extend({
  jobId: z.string(),
  owner: z.string().optional(),
  runId: z.string().optional(),
  startedAt: z.string().optional(),
  table: z.string().optional(),
  /** Tables that it was to begin after its own. */
  waiting: z.array(z.string()).default([]),
  /** What an execution that compares was asked for: it is no run. */
  comparisons: z.array(Comparison).optional(),
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
export async function release({ detail }: StatusChange, ports: ReleasePorts, edge: Edge): Promise<string[]> {
  const input = Input.parse(JSON.parse(detail.input));
  const ended = new Ended(detail, input, ports, edge);
  const released = await ended.giveBack();
  if (input.comparisons) released.push(...(await ended.comparisons(input.comparisons, released)));
  else if (!JUDGED.includes(detail.error ?? '')) await ended.run();
  return released;
}

/** An execution that ended badly, and what it leaves. */
class Ended {
  readonly #name: string;
  readonly #input: z.infer<typeof Input>;
  readonly #run: { runId: string; startedAt: string };
  readonly #ports: ReleasePorts;
  readonly #edge: Edge;
  readonly #how: string;
  readonly #why: string;
  /** Whose leases it held. */
  readonly #owners: string[];

  constructor(detail: StatusChange['detail'], input: z.infer<typeof Input>, ports: ReleasePorts, edge: Edge) {
    const { name, status, cause, startDate } = detail;
    const { owner = name, runId = name, startedAt = new Date(startDate).toISOString(), comparisons } = input;
    this.#name = name;
    this.#input = input;
    this.#run = { runId, startedAt };
    this.#ports = ports;
    this.#edge = edge;
    this.#how = `ExecutionEnded: ${name} ended as ${status}${cause ? `: ${cause}` : ''}`;
    this.#why = `${this.#how} – the next run goes on`;
    this.#owners = comparisons?.map(({ kind }) => comparisonOwner({ runId: name, kind })) ?? [owner];
  }

  /** @returns the tables that it held */
  async giveBack(): Promise<string[]> {
    const { store } = this.#ports;
    const { jobId } = this.#input;
    const held = [...(await store.readStates(jobId)).values()].filter(({ value }) => this.#isHeld(value));
    // A function of the execution may still be at work, and write what it knows.
    await Promise.all(
      held.map((state) => store.changeState(jobId, state, (one) => (this.#isHeld(one) ? this.#givenBack(one) : null))),
    );
    return held.map(({ value }) => value.sourceName);
  }

  #isHeld({ lease }: TableState): boolean {
    return lease !== undefined && this.#owners.includes(lease.owner);
  }

  #givenBack(state: TableState): TableState {
    return this.#input.comparisons ? afterComparison(state) : afterFailure(state, this.#why, this.#edge.now());
  }

  /** @returns the tables that its functions took while this was told */
  async comparisons(asked: Comparison[], released: string[]): Promise<string[]> {
    const { store, comparisons, stage } = this.#ports;
    const { jobId, claimedBy } = this.#input;
    for (const one of asked) {
      await comparisons.change(jobId, one.table, { stopped: this.#name });
      await this.#beginAnew(one);
    }
    if (claimedBy) await giveUpClaims({ jobId, runId: claimedBy }, { store, comparisons });
    const late = await this.giveBack();
    for (const table of [...released, ...late]) await discardStaged(jobId, table, this.#name, stage);
    return late;
  }

  /** Lets the next run begin what did not end; a function that nobody told may end it just now. */
  async #beginAnew({ table, kind }: Comparison): Promise<void> {
    const { comparisons } = this.#ports;
    const { jobId } = this.#input;
    const [begun, by, end] = [`${kind}Begun`, `${kind}By`, `${kind}Ended`] as const;
    const { [begun]: begunAt, [by]: begunBy, [end]: endedAt } = await comparisons.read(jobId, table);
    if (endedAt !== undefined && endedAt >= this.#run.startedAt) return;
    // Events come late, and twice: by then another may have begun.
    const open = begunAt !== undefined && (endedAt === undefined || endedAt < begunAt);
    if (open && begunBy !== undefined && begunBy !== this.#name) return;
    const error = `${this.#how} – the next run for which it is due begins the comparison anew`;
    const change = { [begun]: undefined, [`${kind}Error`]: error };
    await comparisons.change(jobId, table, change, { [begun]: begunAt, [end]: endedAt });
  }

  async run(): Promise<void> {
    const { store, runs, ticks, comparisons, stage } = this.#ports;
    const { jobId, table, waiting } = this.#input;
    // A large table's end is told with the table: the run's other tables go on, but for those that nobody begins now.
    let run = await this.#tell(table, table === undefined ? this.#why : null);
    const states = await Promise.all(waiting.map((name) => store.readState(jobId, name)));
    // The first of them may have been begun just before, which begins the others.
    if (!states.some(({ value }) => this.#isBegun(value)))
      for (const state of states) {
        await store.changeState(jobId, state, (one) => this.#neverBegun(one));
        this.#owners.push(ownerOf(this.#run.runId, state.value.sourceName));
        run = await this.#tell(state.value.sourceName, null);
      }
    await settleRun(jobId, run, ticks, this.#edge);
    // What a function took that did not know, before the record could tell it.
    await this.giveBack();
    if (table === undefined) await giveUpClaims({ jobId, runId: this.#run.runId }, { store, comparisons });
    await sweepStage(jobId, run, { store, runs, stage });
  }

  /** Writes the end of a part on the run's record, unless that is complete: events come late, and twice. */
  async #tell(table: string | undefined, error: string | null): Promise<Run> {
    const { store, runs } = this.#ports;
    const { jobId } = this.#input;
    const ended = await runs.ended(jobId, this.#run, partOf(table));
    if (ended) return ended;
    const entryFor = async (name: string) =>
      entryOf((await store.readState(jobId, name)).value, this.#run.runId, this.#why);
    const entries = table === undefined ? {} : { [table]: await entryFor(table) };
    const part = { ...this.#input, ...this.#run, part: partOf(table) };
    return runs.finish(part, entries, error, this.#edge.now());
  }

  /** Whether the run has begun the table; this function's own forerunner, which died half-way, has not. */
  #isBegun({ run }: TableState): boolean {
    return run?.runId === this.#run.runId && run.error !== this.#why;
  }

  /** The state of a table that waited in vain; null where somebody is at work on it, or a later run has long gone on: events come late. */
  #neverBegun(state: TableState): TableState | null {
    const { runId, startedAt } = this.#run;
    const { run, lease } = state;
    const isPassed = run !== undefined && run.runId !== runId && Date.parse(run.startedAt) > Date.parse(startedAt);
    if (lease !== undefined || isPassed) return null;
    return afterFailure({ ...state, run: { runId, rows: 0, bytes: 0, startedAt } }, this.#why, this.#edge.now());
  }
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
