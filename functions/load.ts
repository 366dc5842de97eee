import { setTimeout as sleep } from 'node:timers/promises';
import { MetricUnit } from '@aws-lambda-powertools/metrics';
import * as z from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { manifestKey, Stage, stagedKeys } from '../shared/aws/stage.ts';
import { type Revised, Store } from '../shared/aws/store.ts';
import { type Opened, openIn, type Statement, tokenOf, type Warehouse } from '../shared/aws/warehouse.ts';
import { agreedAnew, shapeOf } from '../shared/core/agree.ts';
import { MOST_REPLACED } from '../shared/core/alterations.ts';
import { changedIn, rowsIn } from '../shared/core/batch.ts';
import { leaseFor, renewLease } from '../shared/core/lease.ts';
import { describeRefusal } from '../shared/core/load-advice.ts';
import { type Cargo, isStaged, loadStatements } from '../shared/core/load-statements.ts';
import { stageTableName } from '../shared/core/names.ts';
import { afterCommit, afterFailure } from '../shared/core/outcome.ts';
import { means } from '../shared/core/pass.ts';
import { isTransient, MAX_ATTEMPTS, pauseBefore } from '../shared/core/transient.ts';
import type { Column } from '../shared/model/column.ts';
import type { Destination } from '../shared/model/destination.ts';
import { describeError, errors } from '../shared/model/errors.ts';
import type { Job } from '../shared/model/job.ts';
import { countOfValues, sumOfColumns } from '../shared/model/policies.ts';
import type { StagedObject, TableState } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import { qualified } from '../shared/sql/quote.ts';
import { alterTable } from './alter-table.ts';
import { type Edge, handle } from './edge.ts';
import { settleOrphan } from './sweep.ts';
import { whyRefused } from './why-refused.ts';

/** Time kept back to hand an unfinished statement to the next call: one long-poll and the writes after it. */
const RESERVE_MS = 45_000;

const StagedObjectSchema: z.ZodType<StagedObject> = z.object({
  key: z.string(),
  rows: z.int(),
  bytes: z.int(),
  changed: z.record(z.string(), z.record(z.string(), z.int())).optional(),
  reached: z.object({ cursor: z.array(z.string().nullable()).nullable(), last: z.boolean() }).optional(),
});

export const LoadEvent = z.object({
  jobId: z.string(),
  runId: z.string(),
  owner: z.string(),
  loadId: z.string(),
  /** What is loaded in one transaction. */
  tables: z.array(z.string()).min(1),
  /** How many batches of the pass come before this one: a call that is repeated late finds another in its place. */
  batches: z.int().default(0),
  /** A large table's objects, as extract returned them; a small delta's stand on its state. */
  objects: z.array(StagedObjectSchema).optional(),
  /** After a load failed its tables are tried singly: those that are still to do. */
  singly: z.boolean().default(false),
  /** Whether to answer as soon as the statement is submitted, so that the next batch is extracted while it runs. */
  meanwhile: z.boolean().default(false),
  attempt: z.int().default(0),
  statementId: z.string().optional(),
  failed: z.array(z.string()).default([]),
});
export type LoadEvent = z.infer<typeof LoadEvent>;

export type Loaded =
  /** `more`: the pass of the (one) table goes on with another batch. */
  | { done: true; more: boolean; failed: string[] }
  /** The statement still runs: call again with this, once the next batch is extracted where there is time `meanwhile`. */
  | { done: false; meanwhile: boolean; next: z.input<typeof LoadEvent> };

export interface LoadPorts {
  store: Store;
  stage: Stage;
  /** The job's destination, and what runs statements there. */
  open(destinationName: string): Opened;
  copyRoleArn: string;
}

/** A table of the load, as read when the call began. */
interface Loading {
  table: Table;
  /** Columns of another type in the warehouse, which this pass replaces with all rows. */
  replace: Column[];
  state: Revised<TableState>;
}

/**
 * Loads staged batches into the warehouse, in one transaction, and moves cursors and watermarks when it is committed.
 * A call near its end returns the statement's id, to be called again. Loads are idempotent by key: whatever dies, the
 * batch may be done again.
 */
export async function load(event: LoadEvent, ports: LoadPorts, edge: Edge): Promise<Loaded> {
  const { job, tables, states } = await ports.store.readJob(event.jobId, event.tables);
  const { destination, warehouse } = ports.open(job.destination);
  const mine = event.tables.flatMap((name): Loading[] => {
    const table = tables.find((one) => one.sourceName === name);
    const state = states.get(name);
    const isMine = state?.value.lease?.owner === event.owner && state.value.pass?.batches === event.batches;
    return table && state?.value.batch && isMine ? [{ table, replace: [], state }] : [];
  });
  const loader = new Loader(event, ports, edge, job, destination, warehouse);
  if (event.objects) for (const one of mine) await loader.adopt(one, event.objects);
  const loaded = await loader.run(mine);
  if (!loaded.done) return loaded;
  // Asked of what is stored: this call may come after one that committed and was cut off before it could answer.
  const [only = ''] = event.tables;
  const after = event.tables.length === 1 ? (await ports.store.readState(event.jobId, only)).value : null;
  return { ...loaded, more: after?.pass !== undefined && after.lease?.owner === event.owner };
}

class Loader {
  readonly #event: LoadEvent;
  readonly #ports: LoadPorts;
  readonly #edge: Edge;
  readonly #job: Job;
  readonly #destination: Destination;
  readonly #warehouse: Warehouse;

  constructor(
    event: LoadEvent,
    ports: LoadPorts,
    edge: Edge,
    job: Job,
    destination: Destination,
    warehouse: Warehouse,
  ) {
    this.#event = event;
    this.#ports = ports;
    this.#edge = edge;
    this.#job = job;
    this.#destination = destination;
    this.#warehouse = warehouse;
  }

  /** Puts a large table's objects and the load's name on its state: whoever takes over finds the statement by it. */
  async adopt(loading: Loading, objects: StagedObject[]): Promise<void> {
    const { value } = loading.state;
    if (!value.batch || value.lease?.load === this.#event.loadId) return;
    const sorted = objects.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const reached = objects.find((object) => object.reached)?.reached;
    const lease = leaseFor(this.#event.owner, this.#edge.now(), this.#event.loadId);
    const batch = { ...value.batch, ...reached, objects: sorted.map(({ reached: _told, ...object }) => object) };
    // Said before it is there, so that it is dropped whatever comes.
    const staged = value.pass && isStaged({ pass: value.pass, batch }) ? { staged: true as const } : {};
    await this.#save(loading, { ...value, ...staged, lease, batch });
  }

  async run(taken: Loading[]): Promise<Loaded> {
    const failed = [...this.#event.failed];
    const all = [...taken];
    for (const one of taken) {
      const outcome = await this.#fit(one);
      if (outcome === 'ready') continue;
      if (outcome === 'later') {
        // Plan packs none with it; what its twin packed otherwise waits with it.
        for (const each of all) await this.#prepare(each);
        return this.#later(all, { failed });
      }
      all.splice(all.indexOf(one), 1);
      failed.push(await this.#fail(one, outcome));
    }
    const groups = this.#event.singly ? all.map((one) => [one]) : [all];
    let { statementId, attempt } = this.#event;
    for (const [i, group] of groups.entries()) {
      if (group.length === 0) continue;
      if (i > 0 && this.#edge.remaining() < 2 * RESERVE_MS)
        return this.#later(groups.slice(i).flat(), { failed, attempt: 0 });
      for (const one of group) await this.#prepare(one);
      const outcome = await this.#execute(group, attempt, statementId);
      const rest = groups.slice(i).flat();
      if (outcome.status === 'running')
        return this.#later(rest, { failed, attempt: outcome.attempt, statementId: outcome.id });
      if (outcome.status === 'finished') await this.#commit(group);
      else if (group.length > 1) return this.#later(group, { failed, singly: true, attempt: 0 });
      else for (const one of group) failed.push(await this.#fail(one, await this.#why(outcome, one)));
      [statementId, attempt] = [undefined, 0];
    }
    return { done: true, more: false, failed };
  }

  #later(rest: Loading[], change: Partial<LoadEvent>): Loaded {
    const { objects: _adopted, statementId: _old, meanwhile, ...event } = this.#event;
    const tables = rest.map(({ table }) => table.sourceName);
    return { done: false, meanwhile, next: { ...event, ...change, tables } };
  }

  /**
   * Brings the warehouse's table to the columns that the batch has: before the load, since what changes a column's type
   * can't stand in a transaction. @returns an error where that can't be
   */
  async #fit(one: Loading): Promise<'ready' | 'later' | Error> {
    const { table, state } = one;
    const { pass } = state.value;
    if (pass && !means(pass.next, table, pass.next.oid))
      return errors.leaseLost(
        `${table.sourceName}: its copy mode, keys or zone were edited meanwhile: the next run goes on`,
      );
    const shape = shapeOf(table);
    if (state.value.batch?.shape !== shape) return errors.columnsDiffer(agreedAnew(table));
    if (table.shape === shape) return 'ready';
    await this.#prepare(one);
    const { schema } = this.#destination;
    const what = { schema, table, name: `${this.#event.loadId}alter/${table.sourceName}/` };
    const altered = await alterTable(this.#warehouse, what, () => this.#edge.remaining() > RESERVE_MS);
    if (altered.status === 'running') return 'later';
    if (altered.status === 'failed')
      return errors.warehouseRefused(
        `${table.sourceName}: its columns can't be changed: ${describeRefusal(altered.error, table, schema)}`,
      );
    if (altered.replace.length > MOST_REPLACED) return tooManyReplaced(table, altered.replace.length, schema);
    one.replace = altered.replace;
    if (altered.replace.length === 0)
      await this.#ports.store.updateTable(this.#event.jobId, table.sourceName, { shape });
    return 'ready';
  }

  /** Settles what a dead owner left running, and keeps the lease from running out under a long statement. */
  async #prepare(loading: Loading): Promise<void> {
    const { value } = loading.state;
    if (value.orphan) {
      const what = { jobId: this.#event.jobId, table: value.sourceName };
      const ports = { warehouse: this.#warehouse, stage: this.#ports.stage };
      await settleOrphan(value.orphan, what, [value.batch, value.ahead], ports);
      const { orphan: _settled, ...rest } = value;
      await this.#save(loading, rest);
    }
    const renewed = renewLease(loading.state.value, this.#event.owner, this.#edge.now());
    if (renewed) await this.#save(loading, renewed);
  }

  /** Submits and follows until the statement ends or this call's time does; transient failures get a new token. */
  async #execute(group: Loading[], attempt: number, id: string | undefined): Promise<Statement & { attempt: number }> {
    const name =
      group.length === 1 && this.#event.singly
        ? `${this.#event.loadId}${group[0]?.table.sourceName}/`
        : this.#event.loadId;
    let statement = id ? await this.#warehouse.follow(id) : await this.#submit(group, name, attempt);
    if (this.#event.meanwhile) return { ...statement, attempt };
    for (;;) {
      while (statement.status === 'running' && this.#edge.remaining() > RESERVE_MS)
        statement = await this.#warehouse.follow(statement.id);
      const again = statement.status === 'failed' && isTransient(statement.error) && attempt + 1 < MAX_ATTEMPTS;
      if (!again) return { ...statement, attempt };
      this.#edge.logger.warn('the warehouse asks to try again', { error: statement.error, attempt });
      attempt += 1;
      await sleep(pauseBefore(attempt));
      // Still ours? An heir may have settled this load's statements and submitted its own.
      for (const one of group) await this.#save(one, one.state.value);
      statement = await this.#submit(group, name, attempt);
    }
  }

  async #submit(group: Loading[], name: string, attempt: number): Promise<Statement> {
    const cargos = await Promise.all(group.map((one) => this.#cargo(one)));
    const context = { schema: this.#destination.schema, copyRoleArn: this.#ports.copyRoleArn };
    // The token names the very objects: a batch that was extracted anew is another statement.
    const objects = cargos.flatMap(({ batch }) => [batch.nullMarker, ...batch.objects.map((object) => object.key)]);
    const token = tokenOf([name, attempt, objects]);
    const sqls = loadStatements(cargos, context);
    return this.#warehouse.submit(sqls, statementName(name), token, !this.#event.meanwhile);
  }

  async #cargo({ table, replace, state }: Loading): Promise<Cargo> {
    const { pass, batch, staged } = state.value;
    if (!pass || !batch) throw errors.leaseLost(`${table.sourceName} has no batch: the next run goes on with it`);
    const stageName = stageTableName(this.#event.jobId, table.sourceName);
    const minShare = table.minShare ?? this.#job.minShare;
    const abandoned = staged ?? false;
    return { table, pass, batch, stageName, abandoned, replace, minShare, copyUrl: await this.#copyUrl(batch.objects) };
  }

  /** A single object needs no manifest: a PUT costs. */
  async #copyUrl(objects: StagedObject[]): Promise<string | null> {
    const [first] = objects;
    if (!first) return null;
    const { stage } = this.#ports;
    if (objects.length === 1) return stage.url(first.key);
    const key = manifestKey(first.key);
    const entries = objects.map((object) => ({ url: stage.url(object.key), mandatory: true }));
    await stage.put(key, JSON.stringify({ entries }));
    return stage.url(key);
  }

  async #commit(group: Loading[]): Promise<void> {
    const { jobId } = this.#event;
    const keys = group.flatMap(({ state: { value } }) => (value.batch ? stagedKeys(value.batch) : []));
    await Promise.all(
      group.map(async (loading) => {
        const { table, replace } = loading;
        const { batch, pass } = loading.state.value;
        const rows = batch ? rowsIn(batch) : 0;
        const changed = countOfValues(sumOfColumns(batch && changedIn(batch)));
        // Told only once it is true: until then every load looks again.
        if (replace.length > 0 && batch?.last && pass?.replaces === 'all')
          await this.#ports.store.updateTable(jobId, table.sourceName, { shape: shapeOf(table) });
        await this.#save(loading, afterCommit(loading.state.value, this.#edge.now(), table.columns));
        this.#edge.logger.info('loaded', { table: loading.table.sourceName, rows });
        this.#edge.metrics.addMetric('RowsLoaded', MetricUnit.Count, rows);
        if (changed > 0) this.#edge.metrics.addMetric('ValuesChanged', MetricUnit.Count, changed);
      }),
    );
    await this.#ports.stage.remove(keys);
  }

  #why(statement: Statement, { table, state }: Loading): Promise<Error> {
    const { pass, batch } = state.value;
    const rows = (pass?.staged ?? 0) + (batch ? rowsIn(batch) : 0);
    return whyRefused(statement, { table, rows }, this.#job, {
      warehouse: this.#warehouse,
      destination: this.#destination,
    });
  }

  async #fail(loading: Loading, error: Error): Promise<string> {
    const name = loading.table.sourceName;
    const reason = describeError(error);
    this.#edge.logger.error('table failed', { table: name, reason });
    this.#edge.metrics.addMetric('TablesFailed', MetricUnit.Count, 1);
    await this.#save(loading, afterFailure(loading.state.value, reason, this.#edge.now()));
    return name;
  }

  /** @throws LoaderError LeaseLost where somebody else wrote the state in between */
  async #save(loading: Loading, state: TableState): Promise<void> {
    const revision = await this.#ports.store.saveState(this.#event.jobId, state, loading.state.revision);
    if (revision === null)
      throw errors.leaseLost(`${loading.table.sourceName} was taken over: the next run goes on with it`);
    loading.state = { value: state, revision };
  }
}

const tooManyReplaced = (table: Table, columns: number, schema: string): Error =>
  errors.columnsDiffer(
    `${table.sourceName}: ${columns} columns are of other types in the warehouse, and one transaction can replace ${MOST_REPLACED}: ` +
      `DROP TABLE ${qualified(schema, table.destinationName)}; there and run setup, which makes it anew`,
  );

/** StatementName takes at most 500 characters. */
const statementName = (name: string): string => name.slice(0, 500);

export const handler = handle(LoadEvent, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME, DESTINATIONS, COPY_ROLE_ARN } = environmentOf('load');
  const stage = new Stage(BUCKET_NAME);
  const open = openIn(DESTINATIONS);
  return load(event, { store: new Store(TABLE_NAME), stage, open, copyRoleArn: COPY_ROLE_ARN }, edge);
});
