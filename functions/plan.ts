import { MetricUnit } from '@aws-lambda-powertools/metrics';
import * as z from 'zod';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { Runs } from '../shared/aws/runs.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { Stage, stagedKeys } from '../shared/aws/stage.ts';
import { hasTables, type JobData, Store, stateIn } from '../shared/aws/store.ts';
import { Ticks } from '../shared/aws/ticks.ts';
import { shapeOf } from '../shared/core/agree.ts';
import { dueComparison } from '../shared/core/due.ts';
import { inLanes, type Lanes } from '../shared/core/lanes.ts';
import { isFree, leaseFor, takeLease } from '../shared/core/lease.ts';
import { loadSize } from '../shared/core/load-statements.ts';
import { afterFailure } from '../shared/core/outcome.ts';
import { pack } from '../shared/core/pack.ts';
import { type DueComparison, UNCLAIMED } from '../shared/model/compared.ts';
import { describeError, errors } from '../shared/model/errors.ts';
import { expiryOf, partOf, type Run, type RunTable } from '../shared/model/run.ts';
import type { Table } from '../shared/model/table.ts';
import type { SkipCode } from '../shared/model/tick.ts';
import { giveUpClaims } from './claims.ts';
import { giveBackDead } from './dead-leases.ts';
import { type Edge, handle } from './edge.ts';
import { type Extracted, Look, type LookPorts } from './look.ts';
import { admitRun, recordDue, settleRun, Trigger } from './tick.ts';

export const PlanEvent = Trigger.extend({
  jobId: z.string(),
  runId: z.string(),
  /** When the execution began: the run's place in the history. */
  startedAt: z.iso.datetime({ offset: true }),
});
export type PlanEvent = z.infer<typeof PlanEvent>;

export interface PlanPorts extends LookPorts {
  runs: Runs;
  ticks: Ticks;
  comparisons: Comparisons;
}

/** What is to be done: large tables get executions of their own. */
export interface Plan extends Lanes {
  /** Why a tick did not run; null where it did. */
  skipped: { code: SkipCode; reason: string } | null;
  /** Whether nothing is to be done, nor to be reported as failed. */
  idle: boolean;
  /** Small deltas, already extracted: each list is one Redshift transaction. */
  loads: { loadId: string; tables: string[] }[];
  /** Whether setup is to be started, for tables that are new at the source. */
  setup: boolean;
  /** Both sides of these tables are to be compared, after the loads. */
  comparisons: DueComparison[];
}

/**
 * Finds what is new in a whole job, by one connection and one snapshot, and extracts what is small right there, so that
 * those tables agree with each other. Where nothing is new it ends here, and nothing else is woken.
 *
 * @throws LoaderError SourceUnavailable, SourceRefused, BadConfiguration: no table can be read at all; LeaseLost
 */
export async function plan(event: PlanEvent, ports: PlanPorts, edge: Edge): Promise<Plan> {
  const { store, runs, ticks } = ports;
  const admitted = await admitRun(event, ticks, edge);
  if (admitted.skipped) {
    // It may be the run's own tick, whose plan died when all was written but its answer.
    if (admitted.skipped.code === 'claimed') await giveUpClaims(event, ports);
    return { skipped: admitted.skipped, ...NOTHING };
  }
  const read = await store.readJob(event.jobId);
  const began = edge.now();
  const data = { ...read, states: await giveBackDead(event, read, ports, began) };
  const look = new Look(event, ports, edge, data);
  const free = data.tables.filter((table) => {
    const state = data.states.get(table.sourceName)?.value;
    if (table.disabled) return false;
    if (admitted.onlyFailed && state?.lastError === undefined) return false;
    if (state?.lease && !isFree(state, event.runId, began)) {
      look.warnings.push(
        `${table.sourceName} is being loaded or compared by ${state.lease.owner}: left to the next run`,
      );
      return false;
    }
    if (!table.created) look.failures.set(table.sourceName, notCreated(table));
    return table.created;
  });
  if (free.length > 0) await look.at(free);
  if (!hasTables(data)) look.warnings.push('the job has no tables: run setup');
  else if (data.broken.size === 0 && data.tables.every(({ disabled }) => disabled))
    look.warnings.push('all tables of the job are disabled: enable those that are to be copied');

  const loads = await leaseLoads(event, look.extracted, ports, edge);
  const setup = look.addsTables;
  const idle = !setup && loads.length === 0 && look.large.length === 0 && look.failures.size === 0;
  await Promise.all(
    [...look.failures].map(([name, error]) => recordFailure(event.jobId, data, name, error, store, edge)),
  );
  const run = runOf(event, look, idle, edge.now());
  if (!(await runs.begin(event.jobId, run))) throw await backOut(event, look.extracted, loads, ports, edge);
  // Before the tick counts as done: called once more from then on it would only be told so.
  const comparisons = await claimComparisons(event, free, look, data, ports, edge.now());
  if (idle) await settleRun(event.jobId, run, ticks, edge);
  else await recordDue(event, admitted.onlyFailed, ticks, edge);
  reportLag(data, look.failures.size, edge);
  return { skipped: null, idle, loads, setup, ...inLanes(look.large, data.job.maxSourceConnections), comparisons };
}

/** What is due by now, marked as this run's, so that the next tick does not begin it again; nothing where it was stopped meanwhile. */
async function claimComparisons(
  event: Pick<PlanEvent, 'jobId' | 'runId' | 'startedAt'>,
  tables: Table[],
  look: Look,
  data: JobData,
  { comparisons, runs }: Pick<PlanPorts, 'comparisons' | 'runs'>,
  now: Date,
): Promise<DueComparison[]> {
  const { jobId, runId } = event;
  const due = tables.flatMap((table) => {
    const name = table.sourceName;
    const state = data.states.get(name)?.value;
    const compared = data.compared.get(name) ?? { sourceName: name };
    if (!state || look.failures.has(name)) return [];
    return dueComparison(data.job, table, { state, compared, settled: look.settled.has(name), runId }, now) ?? [];
  });
  const claim = { claimedBy: runId, claimedAt: now.toISOString() };
  await Promise.all(due.map(({ table }) => comparisons.change(jobId, table, claim)));
  if (due.length === 0 || !(await runs.hasEnded(jobId, event, partOf(undefined)))) return due;
  const seen = { claimedBy: runId };
  await Promise.all(due.map(({ table }) => comparisons.change(jobId, table, UNCLAIMED, seen)));
  return [];
}

const NOTHING = { idle: true, loads: [], setup: false, ...inLanes([], 1), comparisons: [] };

const notCreated = ({ sourceName, columns }: Table): Error =>
  errors.badConfiguration(
    columns.length === 0
      ? `${sourceName}: setup never met it at the source: correct its sourceName and run setup, or disable the table`
      : `${sourceName}: the warehouse lacks the table or some of its columns: run setup, which makes them, or tells what is in the way`,
  );

/** Packs what was extracted into loads and takes the leases: only now, and only where there is work. */
async function leaseLoads(
  { jobId, runId }: PlanEvent,
  extracted: Map<string, Extracted>,
  { store, stage }: LookPorts,
  edge: Edge,
): Promise<Plan['loads']> {
  /** The load that the table is ours for now; null where somebody else took it since its state was read. */
  const lease = async ({ state, revision, table, update }: Extracted, loadId: string): Promise<string | null> => {
    const taken = takeLease(state, leaseFor(runId, edge.now(), loadId));
    const isMine = (await store.saveState(jobId, taken, revision)) !== null;
    if (!isMine) await stage.remove(state.batch?.objects.map((object) => object.key) ?? []);
    // Of a plan that was delivered twice either may be the one whose answer counts: it loads what the other took as well.
    const { value } = isMine ? { value: taken } : await store.readState(jobId, state.sourceName);
    if (value.lease?.owner !== runId || value.batch?.shape !== shapeOf(table)) return null;
    // Whoever holds the lease alone may change what the table's columns are agreed to be.
    if (update) await store.updateTable(jobId, state.sourceName, update);
    return value.lease.load ?? null;
  };
  const parcels = [...extracted].flatMap(([name, { table, state }]) =>
    state.pass
      ? [{ table: name, ...loadSize(table, state.pass, state.staged), alters: table.shape !== shapeOf(table) }]
      : [],
  );
  const leased = pack(parcels).flatMap((tables, i) =>
    tables.map(async (name) => {
      const delta = extracted.get(name);
      return { name, loadId: delta ? await lease(delta, `load/${runId}/${i}/`) : null };
    }),
  );
  const byLoad = Map.groupBy(await Promise.all(leased), ({ loadId }) => loadId);
  return [...byLoad].flatMap(([loadId, tables]) =>
    loadId === null ? [] : [{ loadId, tables: tables.map(({ name }) => name) }],
  );
}

/** The run's end has been told while this was at work, or its event came once more: nobody will load what it leased. */
async function backOut(
  { jobId, runId }: PlanEvent,
  extracted: Map<string, Extracted>,
  loads: Plan['loads'],
  { store, stage }: LookPorts,
  edge: Edge,
): Promise<Error> {
  const error = errors.leaseLost(`run ${runId} has ended already: the next run does what there is to do`);
  for (const name of loads.flatMap(({ tables }) => tables)) {
    const ours = extracted.get(name)?.state.batch?.nullMarker;
    await store.changeState(jobId, await store.readState(jobId, name), (state) =>
      state.lease?.owner === runId && state.batch?.nullMarker === ours
        ? afterFailure(state, describeError(error), edge.now())
        : null,
    );
  }
  await stage.remove([...extracted.values()].flatMap(({ state }) => (state.batch ? stagedKeys(state.batch) : [])));
  return error;
}

/** Writes why a table stands still, unless that is written there already. */
async function recordFailure(
  jobId: string,
  { states }: JobData,
  name: string,
  error: Error,
  store: Store,
  edge: Edge,
): Promise<void> {
  const { value, revision } = stateIn(states, name);
  const lastError = describeError(error);
  edge.logger.error('table failed', { table: name, lastError });
  if (value.lastError === lastError) return;
  await store.saveState(
    jobId,
    { ...value, lastError, behindSince: value.behindSince ?? edge.now().toISOString() },
    revision,
  );
}

function runOf(event: PlanEvent, look: Look, idle: boolean, now: Date): Run {
  const { failures, unchanged, settled, large, warnings } = look;
  const { runId, startedAt, trigger, scheduleId, scheduledTime } = event;
  const nothing = { rows: 0, bytes: 0, seconds: 0 };
  const told = [
    ...[...unchanged].map((name): [string, RunTable] => [name, { ...nothing, unchanged: true }]),
    ...[...failures].map(([name, error]): [string, RunTable] => [name, { ...nothing, error: describeError(error) }]),
  ];
  const nothingNew = settled.size - unchanged.size;
  return {
    runId,
    trigger,
    ...(scheduleId ? { scheduleId } : {}),
    scheduledTime: scheduledTime ?? startedAt,
    startedAt,
    ...(idle ? { finishedAt: now.toISOString() } : {}),
    status: idle ? 'idle' : 'running',
    warnings,
    tables: Object.fromEntries(told),
    ...(nothingNew > 0 ? { nothingNew } : {}),
    expected: [undefined, ...large].map(partOf),
    expiresAt: expiryOf(startedAt),
  };
}

function reportLag({ job, tables, states }: JobData, failed: number, { metrics, now }: Edge): void {
  const limit = now().getTime() - job.maxLagSeconds * 1000;
  const behind = tables.filter(({ sourceName, disabled }) => {
    const since = states.get(sourceName)?.value.behindSince;
    return !disabled && since !== undefined && Date.parse(since) < limit;
  });
  metrics.addMetric('TablesBehind', MetricUnit.Count, behind.length);
  if (failed > 0) metrics.addMetric('TablesFailed', MetricUnit.Count, failed);
}

export const handler = handle(PlanEvent, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME } = environmentOf('plan');
  const ports = {
    store: new Store(TABLE_NAME),
    runs: new Runs(TABLE_NAME),
    ticks: new Ticks(TABLE_NAME),
    comparisons: new Comparisons(TABLE_NAME),
    stage: new Stage(BUCKET_NAME),
    connect: connectBySecret,
  };
  return plan(event, ports, edge);
});
