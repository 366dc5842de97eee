import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { Findings } from '../shared/aws/findings.ts';
import { Stage, tableHash } from '../shared/aws/stage.ts';
import { Store, tableOf } from '../shared/aws/store.ts';
import { type Opened, openIn, tokenOf, type Warehouse } from '../shared/aws/warehouse.ts';
import { agreedAnew, shapeOf } from '../shared/core/agree.ts';
import { repairs, type Sums, type WarehouseSums } from '../shared/core/drift.ts';
import { isFree, leaseFor, takeLease } from '../shared/core/lease.ts';
import { describeRefusal } from '../shared/core/load-advice.ts';
import { checkLength, type LoadContext } from '../shared/core/load-statements.ts';
import { type Mend, mendStatements, type StagedMend } from '../shared/core/mend-statements.ts';
import { covers } from '../shared/core/pass.ts';
import { treatedColumns } from '../shared/core/treatment.ts';
import { rowDigest } from '../shared/core/value-sum.ts';
import { ComparisonEvent, comparisonOwner, endedWell, type Suspect, UNCLAIMED } from '../shared/model/compared.ts';
import type { Destination } from '../shared/model/destination.ts';
import { errors } from '../shared/model/errors.ts';
import type { Job } from '../shared/model/job.ts';
import type { TableState, Watermark } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import {
  type Bucketed,
  bucketed,
  bucketRows,
  bucketSums,
  readBucketRow,
  underWatermark,
  valueKinds,
} from '../shared/sql/buckets.ts';
import { type Edge, handle } from './edge.ts';
import { giveBack } from './end-comparison.ts';
import { discardStaged, settleOrphan } from './sweep.ts';

/** Time kept back for the writes at a call's end, and for one long-poll. */
const RESERVE_MS = 45_000;
const PATIENCE_MS = 2_000;

export interface VerifyWarehousePorts {
  store: Store;
  comparisons: Comparisons;
  findings: Findings;
  stage: Stage;
  open(destinationName: string): Opened;
  copyRoleArn: string;
}

/**
 * The warehouse's side of a comparison: writes what it holds to the findings, takes the table's lease before rows are
 * compared that are to be changed, and mends.
 *
 * @returns the event for the next call: of the source's side, or of this one while a statement runs (`mend`); `done` where the table is
 *   not to be compared any more
 * @throws LoaderError BadConfiguration, TableBusy, WarehouseRefused, FindingsGone, LeaseLost
 */
export async function verifyWarehouse(
  event: ComparisonEvent,
  ports: VerifyWarehousePorts,
  edge: Edge,
): Promise<ComparisonEvent> {
  const data = await ports.store.readJob(event.jobId, [event.table]);
  const { job, states } = data;
  const table = tableOf(data, event.table);
  const watermark = states.get(event.table)?.value.watermark;
  if (!watermark || table.disabled || !table.created) {
    // It may have been decided after a step took the table.
    await giveBack(event, ports.store);
    await discardStaged(event.jobId, event.table, event.runId, ports.stage);
    await ports.comparisons.change(event.jobId, event.table, endedWell(event, edge.now()));
    return { ...event, step: 'done' };
  }
  const side = new WarehouseSide(event, ports, edge, job, table);
  switch (event.step) {
    case 'begin':
      if (!covers(watermark, table))
        throw errors.badConfiguration(
          `${event.table}: it was reset, or its copy mode, keys or zone were edited, since its last load: run the job, then verify`,
        );
      await side.begin();
      if (event.second) return side.again();
      return side.sums(watermark);
    case 'rows':
      return side.rows(await ports.findings.read<string[]>('buckets'));
    case 'again':
    case 'more':
      return side.again();
    case 'mend':
      return side.mend();
    default:
      throw errors.badConfiguration(`unexpected step ${event.step}`);
  }
}

/** What a mending that was refused waits for. */
const NEXT = 'the next comparison that is due, or asked for,';

class WarehouseSide {
  readonly #event: ComparisonEvent;
  readonly #ports: VerifyWarehousePorts;
  readonly #edge: Edge;
  readonly #table: Table;
  readonly #warehouse: Warehouse;
  readonly #destination: Destination;
  readonly #bucketed: Bucketed;

  constructor(event: ComparisonEvent, ports: VerifyWarehousePorts, edge: Edge, job: Job, table: Table) {
    this.#event = event;
    this.#ports = ports;
    this.#edge = edge;
    this.#table = table;
    const { destination, warehouse } = ports.open(job.destination);
    this.#warehouse = warehouse;
    this.#destination = destination;
    const schemas = { source: job.sourceSchema, warehouse: destination.schema };
    this.#bucketed = bucketed(table, treatedColumns(job, table), schemas, event);
  }

  /** Marks the comparison as begun; one that was stopped before would stand there as begun with nobody at work. */
  async begin(): Promise<void> {
    const { jobId, table, kind, runId } = this.#event;
    const { comparisons } = this.#ports;
    const begun = { [`${kind}Begun`]: this.#edge.now().toISOString(), [`${kind}By`]: runId, ...UNCLAIMED };
    for (let done = false; !done; ) {
      // Another's stop, told meanwhile, is none of this.
      const { stopped } = await comparisons.read(jobId, table);
      if (stopped === runId) throw wasStopped(table);
      done = await comparisons.change(jobId, table, begun, { stopped });
    }
  }

  async sums(watermark: Watermark): Promise<ComparisonEvent> {
    // A row that moved beyond the watermark still has its key: it is not deleted.
    const whole = this.#event.kind === 'reconcile' && this.#table.copyMode === 'INSERT_AND_UPDATE';
    const scope = whole ? null : underWatermark(this.#table, watermark).warehouse;
    const sums: Sums = {};
    for await (const [bucket, rows, sum] of this.#ask(bucketSums(this.#bucketed, 'warehouse', scope)))
      sums[bucket ?? ''] = [Number(rows), sum ?? '0'];
    const found: WarehouseSums = { watermark: whole ? null : watermark, sums };
    await this.#ports.findings.write('sums', [found]);
    return { ...this.#event, step: 'begin' };
  }

  #ask(sql: string): AsyncGenerator<(string | null)[]> {
    checkLength(this.#table, sql);
    return this.#warehouse.query(sql);
  }

  async rows(buckets: string[], step: 'rows' | 'again' = 'rows'): Promise<ComparisonEvent> {
    const kinds = valueKinds(this.#bucketed);
    const answers = this.#ask(bucketRows(this.#bucketed, 'warehouse', buckets));
    const rows = async function* (table: Bucketed) {
      for await (const answer of answers) {
        const { bucket, key, hash, values } = readBucketRow(table, 'warehouse', answer);
        yield [bucket, key, kinds.length === 0 ? hash : rowDigest(kinds, [hash], values)];
      }
    };
    await this.#ports.findings.write('rows', rows(this.#bucketed));
    return { ...this.#event, step };
  }

  /** The suspects' buckets once more; where rows are to change, under the lease, so that no load comes in between. */
  async again(): Promise<ComparisonEvent> {
    const { comparisons, findings } = this.#ports;
    const { jobId, table, kind, second } = this.#event;
    const { suspects } = second ? await comparisons.read(jobId, table) : {};
    if (second && !suspects) {
      await comparisons.tell(this.#event, endedWell(this.#event, this.#edge.now()));
      return { ...this.#event, step: 'done' };
    }
    const buckets = new Set<string>();
    const from = suspects ? { key: suspects.object } : ({ name: 'suspects' } as const);
    for await (const { bucket } of findings.lines<Suspect>(from)) buckets.add(bucket);
    if (kind === 'reconcile' || repairs(this.#event, this.#table, suspects)) await this.#lease();
    return this.rows([...buckets].sort(), 'again');
  }

  /** Waits for a load that is at work; settles what a dead one left running, before a row is read. */
  async #lease(): Promise<void> {
    const { jobId, table } = this.#event;
    const owner = comparisonOwner(this.#event);
    for (;;) {
      const { value, revision } = await this.#ports.store.readState(jobId, table);
      const { orphan, ...taken } = takeLease(value, leaseFor(owner, this.#edge.now()));
      const free = isFree(value, owner, this.#edge.now());
      const held = free ? await this.#save({ ...taken, ...(orphan ? { orphan } : {}) }, revision) : null;
      if (held !== null) {
        await this.#refuseStopped({ ...taken, ...(orphan ? { orphan } : {}) }, held);
        if (orphan === undefined) return;
        await settleOrphan(orphan, { jobId, table }, [], { warehouse: this.#warehouse, stage: this.#ports.stage });
        if ((await this.#save(taken, held)) !== null) return;
      }
      if (this.#edge.remaining() < 2 * RESERVE_MS)
        throw errors.tableBusy(`${table} is being loaded all the time: the next comparison tries again`);
      await sleep(PATIENCE_MS);
    }
  }

  /** The execution may have been stopped, and what it held been given back, before it held this. */
  async #refuseStopped({ lease: _lease, ...state }: TableState, revision: number): Promise<void> {
    const { jobId, table, runId } = this.#event;
    const { stopped } = await this.#ports.comparisons.read(jobId, table);
    if (stopped !== runId) return;
    await this.#save(state, revision);
    throw wasStopped(table);
  }

  #save(state: TableState, revision: number): Promise<number | null> {
    return this.#ports.store.saveState(this.#event.jobId, state, revision);
  }

  async mend(): Promise<ComparisonEvent> {
    const { store, findings, stage, copyRoleArn } = this.#ports;
    const { jobId, table } = this.#event;
    const owner = comparisonOwner(this.#event);
    const load = `verify/${owner}/${tableHash(table)}/`;
    const { value, revision } = await store.readState(jobId, table);
    // Renewed, with the name by which whoever takes over finds the statement.
    const mine = { ...value, lease: leaseFor(owner, this.#edge.now(), load) };
    const saved = value.lease?.owner === owner ? await this.#save(mine, revision) : null;
    if (saved === null) throw errors.leaseLost(`${table} is somebody else's now: the next comparison begins anew`);
    const staged = await findings.read<StagedMend>('mend');
    this.#refuseOtherColumns(staged);
    const urlOf = ({ object, rows }: { object: string; rows: number }) => ({ url: stage.url(object), rows });
    const mend: Mend = { ...staged, keys: urlOf(staged.keys), rows: staged.rows && urlOf(staged.rows) };
    const context: LoadContext = { schema: this.#destination.schema, copyRoleArn };
    const submit = (attempt: number) => {
      const sqls = mendStatements(this.#table, mend, context);
      return this.#warehouse.submit(sqls, load, tokenOf([load, staged, attempt]));
    };
    const statement = await this.#warehouse.insist(submit, () => this.#edge.remaining() > RESERVE_MS);
    if (statement.status === 'running') return { ...this.#event, step: 'mend' };
    if (statement.status !== 'finished') {
      const why = describeRefusal(statement.error, this.#table, this.#destination.schema, NEXT);
      throw errors.warehouseRefused(`${table}: rows that differ were not put right: ${why}`);
    }
    const used = [staged.keys.object, ...(staged.rows ? [staged.rows.object] : [])];
    if (staged.more) {
      await stage.remove(used);
      return { ...this.#event, step: 'more', mended: this.#event.mended + staged.keys.rows };
    }
    // Told before the lease is given back: an invocation that comes once more finds no lease, and could tell nothing.
    await this.#conclude(staged);
    await store.changeState(jobId, { value: mine, revision: saved }, (state) => {
      if (state.lease?.owner !== owner) return null;
      const { lease: _given, ...rest } = state;
      return rest;
    });
    await stage.remove(used);
    return { ...this.#event, step: 'done' };
  }

  /** @throws LoaderError ColumnsDiffer where what was staged has other columns, or is known by another key, than the table has now */
  #refuseOtherColumns({ shape, primaryKey }: StagedMend): void {
    const table = this.#table;
    if (shape !== shapeOf(table) || !isDeepStrictEqual(primaryKey, table.primaryKey))
      throw errors.columnsDiffer(agreedAnew(table));
  }

  async #conclude({ keys }: StagedMend): Promise<void> {
    const { jobId, table, kind } = this.#event;
    const { comparisons } = this.#ports;
    const ended = endedWell(this.#event, this.#edge.now());
    const mended = this.#event.mended + keys.rows;
    this.#edge.logger.info('mended', { table, kind, keys: mended });
    if (kind === 'reconcile') return comparisons.tell(this.#event, { ...ended, deleted: mended });
    const { found } = await comparisons.read(jobId, table);
    return comparisons.tell(this.#event, {
      ...ended,
      suspects: undefined,
      ...(found ? { found: { ...found, repaired: true } } : {}),
    });
  }
}

const wasStopped = (table: string): Error =>
  errors.leaseLost(`the comparison of ${table} was stopped: the next one begins anew`);

export const handler = handle(ComparisonEvent, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME, DESTINATIONS, COPY_ROLE_ARN } = environmentOf('verify-warehouse');
  const ports = {
    store: new Store(TABLE_NAME),
    comparisons: new Comparisons(TABLE_NAME),
    findings: new Findings(BUCKET_NAME, event),
    stage: new Stage(BUCKET_NAME),
    open: openIn(DESTINATIONS),
    copyRoleArn: COPY_ROLE_ARN,
  };
  return verifyWarehouse(event, ports, edge);
});
