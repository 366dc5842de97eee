import { randomBytes } from 'node:crypto';
import { MetricUnit } from '@aws-lambda-powertools/metrics';
import type pg from 'pg';
import { z } from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { objectKey, Stage } from '../shared/aws/stage.ts';
import { type JobData, type Revised, Store } from '../shared/aws/store.ts';
import { checkTable, hasUniqueKey } from '../shared/core/check-table.ts';
import { remember } from '../shared/core/fence.ts';
import { watchGaps } from '../shared/core/gaps.ts';
import { limitsOf } from '../shared/core/limits.ts';
import { loadSize } from '../shared/core/load-statements.ts';
import { pack } from '../shared/core/pack.ts';
import { beginPass, isFree, leaseFor, type Observation, resumable, takeLease } from '../shared/core/pass.ts';
import type { SourceTable } from '../shared/model/catalog.ts';
import { describeError, errors } from '../shared/model/errors.ts';
import { expiryOf, type Run, type RunTable } from '../shared/model/run.ts';
import type { Pass, TableState } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import { refuseBlankKeys } from '../shared/source/blank-keys.ts';
import { brokenConnection } from '../shared/source/connect.ts';
import { readFence } from '../shared/source/fence.ts';
import { copyCompressed } from '../shared/source/read.ts';
import { accountedRanges, type Reading, readingOf } from '../shared/source/reading.ts';
import { type OpenSnapshot, openSnapshot, tableIn } from '../shared/source/session.ts';
import { tableError, underSavepoint } from '../shared/source/snapshot.ts';
import { copyOut, countRows, highestId, missingIds, rowsOf } from '../shared/sql/postgres.ts';
import { type Edge, handle } from './edge.ts';

/** A table with more new rows gets an execution of its own. */
const SMALL_ROWS = 10_000;
/** After this no further table is extracted here, so that a tick stays short. */
const BUDGET_MS = 60_000;
/** One table's question may take this long before it counts as failed. */
const PROBE_TIMEOUT_MS = 30_000;

export const PlanEvent = z.object({
  jobId: z.string(),
  runId: z.string(),
  /** When the execution began: the run's place in the history. */
  startedAt: z.iso.datetime({ offset: true }),
  trigger: z.string().default('hand'),
  scheduledTime: z.string().optional(),
});
export type PlanEvent = z.infer<typeof PlanEvent>;

export interface PlanPorts {
  store: Store;
  stage: Stage;
  connect(secretArn: string): Promise<pg.Client>;
}

export interface Plan {
  /** Whether anything is to be done, or reported as failed. */
  idle: boolean;
  /** Small deltas, already extracted: each list is one Redshift transaction. */
  loads: { loadId: string; tables: string[] }[];
  /** Tables that get an execution of their own. */
  large: string[];
}

/** A table that has something new. */
interface Work {
  table: Table;
  found: SourceTable;
  state: Revised<TableState>;
  pass: Pass;
  reading: Reading;
}

/**
 * Finds what is new in a whole job, by one connection and one snapshot, and extracts what is small right there, so that
 * those tables agree with each other. Where nothing is new it ends here, and nothing else is woken.
 *
 * @throws LoaderError SourceUnavailable, SourceRefused, BadConfiguration: no table can be read at all
 */
export async function plan(event: PlanEvent, ports: PlanPorts, edge: Edge): Promise<Plan> {
  const { store } = ports;
  const data = await store.readJob(event.jobId);
  const began = edge.now();
  const failures = new Map(data.broken);
  const free = data.tables.filter((table) => {
    const state = data.states.get(table.sourceName)?.value;
    if (table.disabled || (state && !isFree(state, event.runId, began))) return false;
    if (!table.created) failures.set(table.sourceName, notCreated(table));
    return table.created;
  });
  const round = new Round(event, ports, edge, data, failures);
  if (free.length > 0) await round.look(free);

  const loads = await round.leaseLoads();
  const warnings = round.blind ? [round.blind] : [];
  const idle = loads.length === 0 && round.large.length === 0 && failures.size === 0;
  await Promise.all([...failures].map(([name, error]) => round.recordFailure(name, error)));
  await store.putRun(event.jobId, round.run(idle, warnings));
  reportLag(data, failures.size, edge);
  return { idle, loads, large: round.large };
}

const notCreated = ({ sourceName, columns }: Table): Error =>
  errors.badConfiguration(
    columns.length === 0
      ? `${sourceName}: setup never met it at the source: correct its sourceName and run setup, or disable the table`
      : `${sourceName}: the warehouse lacks the table or some of its columns: run setup`,
  );

/** One look at all tables of a job. */
class Round {
  readonly large: string[] = [];
  blind: string | null = null;
  readonly #event: PlanEvent;
  readonly #ports: PlanPorts;
  readonly #edge: Edge;
  readonly #data: JobData;
  readonly #failures: Map<string, Error>;
  /** Extracted, not yet leased. */
  readonly #extracted = new Map<string, { work: Work; state: TableState }>();

  constructor(event: PlanEvent, ports: PlanPorts, edge: Edge, data: JobData, failures: Map<string, Error>) {
    this.#event = event;
    this.#ports = ports;
    this.#edge = edge;
    this.#data = data;
    this.#failures = failures;
  }

  async look(tables: Table[]): Promise<void> {
    const { job, checkpoints } = this.#data;
    const client = await this.#ports.connect(job.secretArn);
    try {
      const reading = await readFence(client);
      const open = await openSnapshot(
        client,
        job,
        tables.map((table) => table.sourceName),
      );
      for (const [name, error] of open.failures) this.#failures.set(name, error);
      if (reading.blind) {
        this.blind = reading.blind;
        const kept = remember(checkpoints, reading.checkpoint, open.snapshot.xmin);
        await this.#ports.store.putCheckpoints(job.jobId, kept);
      }
      const deadline = this.#edge.now().getTime() + BUDGET_MS;
      for (const table of tables) {
        const name = table.sourceName;
        if (open.failures.has(name)) continue;
        try {
          await this.#lookAt(client, table, open, { reading, snapshot: open.snapshot, checkpoints }, deadline);
        } catch (cause) {
          const error = tableError(cause, { schema: job.sourceSchema, name }, client);
          // The connection is gone, for the tables that follow, too: the whole look is taken again.
          if (error.name === 'SourceUnavailable') throw error;
          this.#failures.set(name, error);
        }
      }
    } catch (error) {
      const staged = [...this.#extracted.values()].flatMap(({ state }) => state.batch?.objects ?? []);
      await this.#ports.stage.remove(staged.map((object) => object.key));
      throw brokenConnection(error, client);
    } finally {
      await client.end();
    }
  }

  async #lookAt(
    client: pg.Client,
    table: Table,
    open: OpenSnapshot,
    observed: Pick<Observation, 'reading' | 'snapshot' | 'checkpoints'>,
    deadline: number,
  ): Promise<void> {
    const { job, states } = this.#data;
    const found = tableIn(open, table.sourceName);
    checkTable(table, found);
    limitsOf(job, table);
    const state = states.get(table.sourceName) ?? { value: { sourceName: table.sourceName }, revision: 0 };
    if (resumable(table, state.value, found.oid)) {
      this.large.push(table.sourceName);
      return;
    }
    const unique = hasUniqueKey(table, found);
    const pass = beginPass(table, state.value, { ...observed, oid: found.oid, unique, oneSnapshot: true });
    const reading = readingOf(job, table, found, state.value, pass, open.snapshot);
    const rows = await underSavepoint(client, PROBE_TIMEOUT_MS, async () => {
      const counted = await client.query(countRows(reading.source, reading.ranges, reading.scope, SMALL_ROWS + 1));
      return Number(counted.rows[0].rows);
    });
    const emptied = table.copyMode === 'FULL_DATA_SYNC' && rows === 0 && state.value.watermark?.rows !== 0;
    if (rows === 0 && !emptied) return this.#nothingNew(state);
    if (rows > SMALL_ROWS || this.#edge.now().getTime() > deadline) {
      this.large.push(table.sourceName);
      return;
    }
    await this.#extract(client, { table, found, state, pass, reading });
  }

  /** What held the table up is over, and nothing waits: both would else be told until the next new row. */
  async #nothingNew({ value, revision }: Revised<TableState>): Promise<void> {
    const { lastError, behindSince, ...well } = value;
    if (lastError !== undefined || behindSince !== undefined)
      await this.#ports.store.saveState(this.#event.jobId, well, revision);
  }

  /** Extracts a small delta by the connection and snapshot that found it. */
  async #extract(client: pg.Client, work: Work): Promise<void> {
    const { table, found, pass, reading } = work;
    const name = table.sourceName;
    const { jobId, runId } = this.#event;
    const nullMarker = newNullMarker();
    const key = objectKey(jobId, runId, name, 'delta');
    const sql = copyOut(
      table.columns,
      reading.ranges.map((range) => rowsOf(reading.source, range, reading.scope)),
      nullMarker,
    );
    await underSavepoint(client, BUDGET_MS, async () => {
      await refuseBlankKeys(client, table, found, reading);
      const next = await this.#nextWatermark(client, work);
      const { result: rows, bytes } = await this.#ports.stage.write(key, (sink) => copyCompressed(client, sql, sink));
      const state: TableState = {
        ...work.state.value,
        sourceName: name,
        pass: { ...pass, next },
        batch: { nullMarker, objects: [{ key, rows, bytes }], cursor: null, last: true },
        run: { runId, rows: 0, bytes: 0, startedAt: this.#edge.now().toISOString() },
        behindSince: work.state.value.behindSince ?? this.#edge.now().toISOString(),
      };
      this.#extracted.set(name, { work, state });
    });
  }

  async #nextWatermark(client: pg.Client, { table, pass, reading }: Work): Promise<Pass['next']> {
    if (table.copyMode !== 'INSERT_ONLY') return pass.next;
    const { max } = (await client.query(highestId(reading.source))).rows[0] as { max: string | null };
    const seen = this.#edge.now().toISOString();
    const ranges = accountedRanges(pass, reading.scope.gaps, pass.from, max, seen);
    const key = max !== null && (pass.from === null || BigInt(max) > BigInt(pass.from)) ? max : pass.from;
    if (ranges.length === 0) return { ...pass.next, key };
    const missing = (await client.query(missingIds(reading.source, ranges))).rows as {
      seen: string;
      low: string;
      high: string;
    }[];
    const { gaps, dropped } = watchGaps(
      missing.map(({ low, high, seen: since }) => ({ from: low, to: high, seen: since })),
    );
    if (dropped > 0) this.#edge.logger.warn(`${table.sourceName}: ${dropped} of the oldest gaps are no longer watched`);
    return { ...pass.next, key, gaps };
  }

  /** Packs what was extracted into loads and takes the leases: only now, and only where there is work. */
  async leaseLoads(): Promise<Plan['loads']> {
    const { runId } = this.#event;
    const parcels = [...this.#extracted].map(([name, { work }]) => ({
      table: name,
      ...loadSize(work.table, work.pass),
    }));
    const loads = pack(parcels).map((tables, i) => ({ loadId: `load/${runId}/${i}/`, tables }));
    const leased = loads.map(async ({ loadId, tables }) => {
      const mine = await Promise.all(tables.map(async (name) => ((await this.#lease(name, loadId)) ? [name] : [])));
      return { loadId, tables: mine.flat() };
    });
    return (await Promise.all(leased)).filter(({ tables }) => tables.length > 0);
  }

  /** @returns whether the table is ours now: nobody took it since its state was read */
  async #lease(name: string, loadId: string): Promise<boolean> {
    const extracted = this.#extracted.get(name);
    if (!extracted) return false;
    const lease = leaseFor(this.#event.runId, this.#edge.now(), loadId);
    const state = takeLease(extracted.state, lease);
    const saved = await this.#ports.store.saveState(this.#event.jobId, state, extracted.work.state.revision);
    if (saved === null) await this.#ports.stage.remove(state.batch?.objects.map((object) => object.key) ?? []);
    return saved !== null;
  }

  /** Writes why a table stands still, unless that is written there already. */
  async recordFailure(name: string, error: Error): Promise<void> {
    const state = this.#data.states.get(name) ?? { value: { sourceName: name }, revision: 0 };
    const lastError = describeError(error);
    this.#edge.logger.error('table failed', { table: name, lastError });
    if (state.value.lastError === lastError) return;
    const behindSince = state.value.behindSince ?? this.#edge.now().toISOString();
    await this.#ports.store.saveState(this.#event.jobId, { ...state.value, lastError, behindSince }, state.revision);
  }

  run(idle: boolean, warnings: string[]): Run {
    const { runId, startedAt, trigger, scheduledTime = startedAt } = this.#event;
    const failed = [...this.#failures].map(([name, error]): [string, RunTable] => [
      name,
      { rows: 0, bytes: 0, seconds: 0, error: describeError(error) },
    ]);
    return {
      runId,
      trigger,
      scheduledTime,
      startedAt,
      ...(idle ? { finishedAt: this.#edge.now().toISOString() } : {}),
      status: idle ? 'idle' : 'running',
      warnings,
      tables: Object.fromEntries(failed),
      expected: ['job', ...this.large],
      expiresAt: expiryOf(startedAt),
    };
  }
}

const newNullMarker = (): string => `~${randomBytes(8).toString('hex')}~`;

function reportLag({ job, states }: JobData, failed: number, { metrics, now }: Edge): void {
  const limit = now().getTime() - job.maxLagSeconds * 1000;
  const behind = [...states.values()].filter(
    ({ value }) => value.behindSince !== undefined && Date.parse(value.behindSince) < limit,
  );
  metrics.addMetric('TablesBehind', MetricUnit.Count, behind.length);
  if (failed > 0) metrics.addMetric('TablesFailed', MetricUnit.Count, failed);
}

export const handler = handle(PlanEvent, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME } = environmentOf('plan');
  return plan(event, { store: new Store(TABLE_NAME), stage: new Stage(BUCKET_NAME), connect: connectBySecret }, edge);
});
