import { MetricUnit } from '@aws-lambda-powertools/metrics';
import type pg from 'pg';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { Findings } from '../shared/aws/findings.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { Stage } from '../shared/aws/stage.ts';
import { Store, stateIn, tableOf } from '../shared/aws/store.ts';
import { checkTable } from '../shared/core/check-table.ts';
import { checkMendable, checkSameQuestion, columnsGone, questionDigest } from '../shared/core/comparable.ts';
import {
  confirmed,
  countOf,
  driftOf,
  guardDeletes,
  type Looked,
  Rows,
  removesDeleted,
  repairs,
  type Sums,
  suspectsIn,
  type WarehouseSums,
} from '../shared/core/drift.ts';
import { firstLook } from '../shared/core/first-look.ts';
import { seenByLastPass } from '../shared/core/pass.ts';
import { resetState } from '../shared/core/reset.ts';
import { treatedColumns, treatmentDigest } from '../shared/core/treatment.ts';
import { asLastSynced } from '../shared/core/unchanged.ts';
import { rowDigest } from '../shared/core/value-sum.ts';
import { type Compared, ComparisonEvent, endedWell, type Suspect } from '../shared/model/compared.ts';
import { errors } from '../shared/model/errors.ts';
import type { Job } from '../shared/model/job.ts';
import type { Snapshot, TableState } from '../shared/model/state.ts';
import { brokenConnection } from '../shared/source/connect.ts';
import { keysToWalk } from '../shared/source/reading.ts';
import { openSnapshot, seenFor, tableIn } from '../shared/source/session.ts';
import { tableError, withinTime } from '../shared/source/snapshot.ts';
import { streamRows } from '../shared/source/stream.ts';
import { isUnchanged } from '../shared/source/unchanged.ts';
import {
  type Bucketed,
  bucketed,
  bucketRows,
  bucketSums,
  readBucketRow,
  underWatermark,
  valueKinds,
} from '../shared/sql/buckets.ts';
import { isoTime } from '../shared/sql/postgres.ts';
import { type Edge, handle } from './edge.ts';
import { endComparison, giveBack } from './end-comparison.ts';
import { type AtSource, stageMend } from './stage-mend.ts';

/** Rows that are named for people. */
const NAMED_ROWS = 10_000;
const RESERVE_MS = 30_000;
/** So long it may take to prove that a source has not changed. */
const PROOF_TIMEOUT_MS = 60_000;

export interface VerifySourcePorts {
  store: Store;
  comparisons: Comparisons;
  findings: Findings;
  stage: Stage;
  connect(secretArn: string): Promise<pg.Client>;
}

/**
 * The source's side of a comparison, always after the warehouse's: judges by both what differs, and writes what was found.
 *
 * @returns the event for the warehouse's next step, or with `done`
 * @throws LoaderError SourceUnavailable, TableUnreadable, ColumnsDiffer, TooManyDeletes, FindingsGone
 */
export async function verifySource(
  event: ComparisonEvent,
  ports: VerifySourcePorts,
  edge: Edge,
): Promise<ComparisonEvent> {
  if (event.step === 'end') return endComparison(event, ports, edge);
  const data = await ports.store.readJob(event.jobId, [event.table]);
  const { job, states } = data;
  const table = tableOf(data, event.table);
  const client = await ports.connect(job.secretArn);
  try {
    const state = stateIn(states, event.table).value;
    const open = await openSnapshot(client, job, [event.table], seenFor(state));
    const found = tableIn(open, event.table);
    checkTable(table, found);
    const gone = columnsGone(table, found);
    if (event.kind === 'verify' && gone.some((name) => !event.without.includes(name))) {
      // The warehouse's side is asked anew, without them.
      await giveBack(event, ports.store);
      return { ...event, step: 'begin', without: gone, unfinished: false, mended: 0 };
    }
    await client.query(`SET LOCAL statement_timeout = ${Math.max(1_000, edge.remaining() - RESERVE_MS)}`);
    const side = new SourceSide(event, ports, edge, { job, table, state, found, snapshot: open.snapshot, client });
    switch (event.step) {
      case 'begin':
        return await side.sums();
      case 'rows':
        return await side.rows();
      case 'again':
        return await side.again();
      default:
        throw errors.badConfiguration(`unexpected step ${event.step}`);
    }
  } catch (error) {
    throw tableError(brokenConnection(error, client), { schema: job.sourceSchema, name: event.table }, client);
  } finally {
    await client.end();
  }
}

/** What the look goes by, beside the table itself. */
interface Now {
  job: Job;
  state: TableState;
  snapshot: Snapshot;
}

class SourceSide {
  readonly #event: ComparisonEvent;
  readonly #ports: VerifySourcePorts;
  readonly #edge: Edge;
  readonly #source: AtSource;
  readonly #now: Now;
  readonly #bucketed: Bucketed;

  constructor(
    event: ComparisonEvent,
    ports: VerifySourcePorts,
    edge: Edge,
    { job, state, snapshot, ...at }: Omit<AtSource, 'columns'> & Now,
  ) {
    this.#event = event;
    this.#ports = ports;
    this.#edge = edge;
    const schemas = { source: job.sourceSchema, warehouse: '' };
    const columns = treatedColumns(job, at.table);
    this.#source = { ...at, columns };
    this.#bucketed = bucketed(at.table, columns, schemas, event);
    this.#now = { job, state, snapshot };
  }

  /** Chooses the buckets whose rows are looked at: those that differ, then in turns those whose values SQL can't hash. */
  async sums(): Promise<ComparisonEvent> {
    const { findings, comparisons } = this.#ports;
    const { watermark, sums: warehouse } = await findings.read<WarehouseSums>('sums');
    const scope = watermark && underWatermark(this.#source.table, watermark).source;
    const source: Sums = {};
    for await (const [bucket, rows, sum] of streamRows(
      this.#source.client,
      bucketSums(this.#bucketed, 'source', scope),
    ))
      source[bucket ?? ''] = [Number(rows), sum ?? '0'];
    const { covered: before } = await comparisons.read(this.#event.jobId, this.#event.table);
    const valued = valueKinds(this.#bucketed).length > 0;
    const nextBucket = before?.nextBucket ?? 0;
    const { chosen, looked, unfinished } = firstLook(this.#event, { source, warehouse }, { valued, nextBucket });
    if (chosen.length === 0) return this.#done({ covered: looked.covered });
    await findings.write('buckets', [chosen, looked]);
    return { ...this.#event, step: 'rows', unfinished };
  }

  async rows(): Promise<ComparisonEvent> {
    const { findings, comparisons } = this.#ports;
    const [buckets, looked] = await this.#looked();
    const source = await this.#sourceRows(buckets);
    const all = suspectsIn(source, await this.#warehouseRows());
    const suspects = this.#event.kind === 'reconcile' ? all.filter(({ what }) => what === 'extra') : all;
    if (suspects.length === 0) return this.#done({ covered: looked.covered });
    const object = await findings.write('suspects', suspects);
    if (this.#event.kind === 'reconcile')
      guardDeletes(this.#source.table, Math.max(suspects.length, looked.surplus), looked.rows);
    if (this.#event.kind === 'reconcile') return { ...this.#event, step: 'again' };
    const question = questionDigest(this.#bucketed);
    if (await this.#isAsLastSynced()) return { ...this.#event, step: 'again', question };
    const { rows } = await this.#source.client.query(`SELECT ${isoTime('clock_timestamp()')} AS seen`);
    const repair = repairs(this.#event, this.#source.table);
    const { snapshot } = this.#now;
    await comparisons.tell(this.#event, {
      ...endedWell(this.#event, this.#edge.now()),
      suspects: { object, rows: suspects.length, seen: rows[0].seen, repair, question, snapshot },
      covered: looked.covered,
    });
    return { ...this.#event, step: 'done' };
  }

  /**
   * Whether the source has what the last full sync brought: then no change is on its way, and what still differs when the warehouse
   * is asked once more is wrong. A pass in between would bring every row anew and leave nothing to be told.
   */
  async #isAsLastSynced(): Promise<boolean> {
    const { table, found, client } = this.#source;
    const { job, state, snapshot } = this.#now;
    if (table.copyMode !== 'FULL_DATA_SYNC') return false;
    const skip = seenByLastPass(table, state, found, snapshot);
    const proof = asLastSynced(table, state, found, { skip, treatment: treatmentDigest(job, table) });
    if (proof === null) return false;
    return (await withinTime(client, PROOF_TIMEOUT_MS, () => isUnchanged(client, found, proof))) ?? false;
  }

  async again(): Promise<ComparisonEvent> {
    const { findings, comparisons } = this.#ports;
    const { jobId, table: name, kind, second } = this.#event;
    const before = await comparisons.read(jobId, name);
    const waiting = second ? before.suspects : undefined;
    const question = waiting?.question ?? this.#event.question;
    if (question !== undefined) checkSameQuestion(this.#source.table, this.#bucketed, question);
    const covered = second ? before.covered : (await this.#looked())[1].covered;
    const from = second && waiting ? { key: waiting.object } : ({ name: 'suspects' } as const);
    const suspects: Suspect[] = [];
    for await (const suspect of findings.lines<Suspect>(from)) suspects.push(suspect);
    const source = await this.#sourceRows([...new Set(suspects.map(({ bucket }) => bucket))].sort());
    const sure = confirmed(suspects, source, await this.#warehouseRows());
    if (kind === 'reconcile') return this.#mendOrDone(sure, source, {});
    // What it found first is what it found: here are the rows that are left. Rows that no mending makes the same end it.
    if (this.#event.mended > 0 && before.found) {
      const left = this.#event.mended < suspects.length ? sure : [];
      return this.#mendOrDone(left, source, { found: { ...before.found, repaired: sure.length === 0 } });
    }
    const counts = countOf(sure);
    const object = sure.length > 0 ? await findings.write('found', this.#named(sure)) : null;
    const copiedAnew = second && this.#source.table.copyMode === 'FULL_DATA_SYNC';
    const replaced = copiedAnew ? suspects.length - sure.length : 0;
    const found = { ...counts, object, repaired: false, ...(replaced > 0 ? { replaced } : {}) };
    const drifted = driftOf(this.#source.table, counts);
    this.#edge.metrics.addMetric('RowsDrifted', MetricUnit.Count, drifted);
    this.#edge.logger[drifted > 0 ? 'error' : 'info']('verified', { table: name, ...found });
    const ended = { found, ...(covered ? { covered } : {}) };
    await comparisons.tell(this.#event, ended);
    return this.#mendOrDone(repairs(this.#event, this.#source.table, waiting) ? sure : [], source, ended);
  }

  /** Stages what the warehouse needs to put rows right; where nothing is to be changed the comparison has ended. */
  async #mendOrDone(sure: Suspect[], source: Rows, ended: Partial<Compared>): Promise<ComparisonEvent> {
    const reconcile = this.#event.kind === 'reconcile';
    const wrong = sure.filter(({ what }) => what !== 'extra' || removesDeleted(this.#source.table));
    if (wrong.length === 0) return this.#done(ended);
    const extra = wrong.filter(({ what }) => what === 'extra').length;
    if (extra > 0 && reconcile) {
      const [, { rows, surplus }] = await this.#looked();
      guardDeletes(this.#source.table, Math.max(extra, surplus), rows);
    } else if (extra > 0) guardDeletes(this.#source.table, extra, rowsWhenVerified(ended));
    // Rows can be told apart neither without a key nor by one that may be NULL.
    if (this.#bucketed.keys.length === 0 || keysToWalk(this.#source.table, this.#source.found).length === 0)
      return this.#reload(ended);
    if (extra < wrong.length) checkMendable(this.#source.table, this.#source.columns, this.#event.without);
    const { stage, findings } = this.#ports;
    await findings.write('mend', [await stageMend(this.#event, wrong, source, this.#source, stage)]);
    return { ...this.#event, step: 'mend' };
  }

  /** Without a key to name rows by, the whole table comes anew. */
  async #reload(ended: Partial<Compared>): Promise<ComparisonEvent> {
    const { store } = this.#ports;
    await giveBack(this.#event, store);
    const { jobId, table } = this.#event;
    const reload = await store.readState(jobId, table);
    await store.changeState(jobId, reload, (state) =>
      resetState(this.#source.table, state, { kind: 'reload', guarded: true }, this.#edge.now()),
    );
    return this.#done({ ...ended, ...(ended.found ? { found: { ...ended.found, repaired: true } } : {}) });
  }

  async #done(ended: Partial<Compared>): Promise<ComparisonEvent> {
    const { kind } = this.#event;
    if (kind === 'verify' && !ended.found) this.#edge.metrics.addMetric('RowsDrifted', MetricUnit.Count, 0);
    await this.#ports.comparisons.tell(this.#event, {
      ...endedWell(this.#event, this.#edge.now()),
      ...(kind === 'verify' ? { suspects: undefined, found: NOTHING_FOUND, ...ended } : { deleted: 0 }),
    });
    await giveBack(this.#event, this.#ports.store);
    return { ...this.#event, step: 'done' };
  }

  async #looked(): Promise<[string[], Looked]> {
    const lines: unknown[] = [];
    for await (const line of this.#ports.findings.lines({ name: 'buckets' })) lines.push(line);
    return lines as [string[], Looked];
  }

  async #sourceRows(buckets: string[]): Promise<Rows> {
    const kinds = valueKinds(this.#bucketed);
    const rows = new Rows();
    for await (const answer of streamRows(this.#source.client, bucketRows(this.#bucketed, 'source', buckets))) {
      const { bucket, key, written, hash, values } = readBucketRow(this.#bucketed, 'source', answer);
      const digest = kinds.length === 0 ? hash : rowDigest(kinds, [hash], values);
      rows.add(this.#identify(key, digest), digest, bucket, written);
    }
    return rows;
  }

  async #warehouseRows(): Promise<Rows> {
    const rows = new Rows();
    const lines = this.#ports.findings.lines<[string, string[], string]>({ name: 'rows' });
    for await (const [bucket, key, digest] of lines) rows.add(this.#identify(key, digest), digest, bucket);
    return rows;
  }

  #identify(key: string[], digest: string): string[] {
    return this.#bucketed.keys.length > 0 ? key : [digest];
  }

  *#named(suspects: Suspect[]): Generator<unknown> {
    const { keys } = this.#bucketed;
    for (const { key, what } of suspects.slice(0, NAMED_ROWS))
      yield keys.length > 0
        ? { what, key: Object.fromEntries(keys.map((column, i) => [column.source, key[i]])) }
        : { what, row: key[0] };
  }
}

/**
 * Both sides' rows at the first look, as far as the second knows: what differs is all that makes them two. Of a table that was
 * not looked at whole only what was.
 */
function rowsWhenVerified({ covered, found }: Partial<Compared>): Looked['rows'] {
  const source = covered?.looked ?? covered?.rows ?? 0;
  return { source, warehouse: source - (found?.missing ?? 0) + (found?.extra ?? 0) };
}

const NOTHING_FOUND = { missing: 0, extra: 0, different: 0, object: null, repaired: false };

export const handler = handle(ComparisonEvent, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME } = environmentOf('verify-source');
  const ports = {
    store: new Store(TABLE_NAME),
    comparisons: new Comparisons(TABLE_NAME),
    findings: new Findings(BUCKET_NAME, event),
    stage: new Stage(BUCKET_NAME),
    connect: connectBySecret,
  };
  return verifySource(event, ports, edge);
});
