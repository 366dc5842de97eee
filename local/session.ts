import { randomUUID } from 'node:crypto';
import { hasTables } from '../shared/aws/store.ts';
import { describeGivenUp } from '../shared/core/gaps.ts';
import { describeError } from '../shared/model/errors.ts';
import { addChanged, addChangedColumns } from '../shared/model/policies.ts';
import type { Run } from '../shared/model/run.ts';
import type { TableState } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import type { Verification } from '../shared/model/verification.ts';
import { readCatalog } from '../shared/source/catalog.ts';
import { connectSource } from '../shared/source/connect.ts';
import { parseSecret } from '../shared/source/connection-string.ts';
import type { Address } from './admin-address.ts';
import { REGION } from './identity.ts';
import { type Installation, startInstallation } from './installation.ts';
import { Operator } from './operator.ts';
import type { StateFolder } from './state-folder.ts';
import type { Progress } from './ui/progress.ts';
import type { Calls, Report, TableReport } from './ui/report-schema.ts';
import type { SetupEntry } from './ui/setup.ts';
import { verify } from './verify.ts';

/** How often progress is looked up while a run goes on. */
const LOOK_EVERY_MS = 300;

/** One job on the local cloud: set up, run as often as wanted, each time verified and reported. */
export class Session {
  readonly jobId: string;
  readonly #installation: Installation;
  readonly #operator: Operator;
  readonly #source: string;
  /** The runs that this session reports on by itself. */
  readonly #own = new Set<string>();

  private constructor(jobId: string, source: string, installation: Installation) {
    this.jobId = jobId;
    this.#source = source;
    this.#installation = installation;
    this.#operator = new Operator(installation.cloud);
  }

  static async open(
    folder: StateFolder,
    jobId: string,
    source: Promise<string>,
    options: { schema?: string; port?: number },
  ): Promise<Session> {
    const opening = startInstallation({ state: folder.dir, port: options.port });
    // Its error is told below; until then it must not count as unhandled.
    opening.catch(() => undefined);
    let url: string;
    try {
      url = await source;
    } catch (error) {
      await opening.then(
        (installation) => installation.stop(),
        () => undefined,
      );
      throw error;
    }
    const session = new Session(jobId, url, await opening);
    try {
      await session.#operator.createJob(jobId, url, options.schema ? { sourceSchema: options.schema } : {});
      await session.#operator.releaseDead(jobId);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** How the installation is administrated, by whoever has its folder. */
  get address(): Address {
    const { endpoint, credentials } = this.#installation.cloud;
    return { endpoint, region: REGION, credentials };
  }

  get warehouse(): string {
    return this.#installation.warehouse;
  }

  /** @returns what was guessed for the tables that are new, and what to check about the source */
  async setup(): Promise<{ entries: SetupEntry[]; checks: string[] }> {
    const before = new Set((await this.#operator.readJob(this.jobId)).tables.map((table) => table.sourceName));
    const { checks, refused = [] } = await this.#operator.setup(this.jobId);
    const { tables } = await this.#operator.readJob(this.jobId);
    const entries = tables
      .filter((table) => !before.has(table.sourceName))
      .map(({ sourceName, ...rest }) => ({ ...rest, table: sourceName }));
    return { entries, checks: [...checks, ...refused] };
  }

  /** Whether every table's item can be read. */
  async isWhole(): Promise<boolean> {
    return (await this.#operator.readJob(this.jobId)).broken.size === 0;
  }

  /** Whether setup found no table at all. */
  async isEmpty(): Promise<boolean> {
    return !hasTables(await this.#operator.readJob(this.jobId));
  }

  /** Whether nothing was ever loaded. */
  async isInitial(): Promise<boolean> {
    const { states } = await this.#operator.readJob(this.jobId);
    return ![...states.values()].some(({ value }) => value.watermark || value.pass);
  }

  /** Runs the job once, verifies every table, and reports. */
  async run(progress: Progress | null, comparing: () => void = () => undefined): Promise<Report> {
    const { cloud } = this.#installation;
    const initial = await this.isInitial();
    const estimates = initial ? await this.#estimates() : new Map<string, number>();
    const startedAt = Date.now();
    const watch = progress
      ? this.#watcher(progress, new Date(startedAt).toISOString(), estimates)
      : async () => undefined;
    let run: Run;
    try {
      const runId = randomUUID();
      this.#own.add(runId);
      run = await this.#operator.run(this.jobId, () => watch(false), runId);
      await watch(true);
      await this.#operator.settled(run.runId);
    } finally {
      progress?.stop();
    }
    comparing();
    const seconds = (Date.now() - startedAt) / 1000;
    // Whatever else goes on meanwhile – other jobs, schedules, comparisons that were due – is not this run's.
    const { secretsManager: _, ...calls } = cloud.countsOf(this.#operator.executionOf(run.runId), [
      cloud.outputs.VerifyJobArn ?? '',
    ]);
    return {
      warehouse: this.warehouse,
      run: initial ? 'initial' : 'incremental',
      tables: await this.#compare(run),
      calls,
      // A table whose item can't be read has no copy mode to stand in the table by.
      warnings: [...run.warnings, ...givenUp(run), ...(await this.#broken()), ...(await this.#notCompared())],
      seconds,
    };
  }

  async #broken(): Promise<string[]> {
    const { broken } = await this.#operator.readJob(this.jobId);
    return [...broken.values()].map(describeError);
  }

  /** What "identical" leaves out. */
  async #notCompared(): Promise<string[]> {
    const { tables } = await this.#operator.readJob(this.jobId);
    return tables.flatMap(({ sourceName, columns }) => {
      const partial = columns.filter((column) => column.partial).map(({ source }) => JSON.stringify(source));
      return partial.length > 0
        ? [
            `${sourceName}: ${partial.join(', ')} not compared: rows loaded before may lack it – set newColumns to reload`,
          ]
        : [];
    });
  }

  async #compare(run: Run): Promise<TableReport[]> {
    const { job, tables, states } = await this.#operator.readJob(this.jobId);
    const enabled = tables.filter((table) => !table.disabled);
    const created = enabled.filter((table) => table.created);
    const verified = await verify(job, created, this.#source, this.warehouse);
    return enabled.map((table) => {
      const entry = run.tables[table.sourceName];
      const found = verified.get(table.sourceName);
      const state = states.get(table.sourceName)?.value;
      const error = entry?.error ?? (found instanceof Error ? describeError(found) : null) ?? state?.lastError ?? null;
      const sides = found && !(found instanceof Error) ? found : NOTHING;
      return {
        name: table.sourceName,
        mode: table.copyMode,
        rows: entry?.rows ?? 0,
        bytes: entry?.bytes ?? 0,
        seconds: entry?.seconds ?? 0,
        ...sides,
        watermark: watermarkText(table, state),
        ...(entry?.changed ? { changed: entry.changed } : {}),
        ...(entry?.unchanged ? { unchanged: true } : {}),
        ...(entry?.snapshots ? { snapshots: entry.snapshots } : {}),
        ...(entry?.changedColumns ? { changedColumns: entry.changedColumns } : {}),
        error,
      };
    });
  }

  async #estimates(): Promise<Map<string, number>> {
    const client = await connectSource(this.#source);
    try {
      const { job } = await this.#operator.readJob(this.jobId);
      const { tables } = await readCatalog(client, { schema: job.sourceSchema, exclude: job.exclude });
      return new Map(tables.map((table) => [table.name, table.estimatedRows]));
    } finally {
      await client.end();
    }
  }

  #watcher(progress: Progress, since: string, estimates: Map<string, number>): (now: boolean) => Promise<void> {
    const seen = new Map<string, 'running' | 'finished'>();
    let lookedAt = 0;
    return async (now) => {
      if (!now && Date.now() - lookedAt < LOOK_EVERY_MS) return;
      lookedAt = Date.now();
      const { states } = await this.#operator.readJob(this.jobId);
      for (const [name, { value }] of states) {
        const { run } = value;
        if (!run || run.startedAt < since || seen.get(name) === 'finished') continue;
        const loaded = { rows: run.rows, bytes: run.bytes };
        const estimate = estimates.get(name) ?? -1;
        if (!seen.has(name)) progress.start(name, estimate > 0 ? estimate : null);
        seen.set(name, run.finishedAt ? 'finished' : 'running');
        if (run.finishedAt) progress.finish(name, loaded, run.error);
        else progress.update(name, loaded);
      }
    };
  }

  /** Compares every loaded table as the deployed machine does. @returns what it found, and the rows that differ by table */
  async verify(): Promise<{ verification: Verification; named: Map<string, unknown[]> }> {
    const verification = await this.#operator.verify(this.jobId);
    const wrong = verification.tables.filter(({ object }) => object !== null);
    const rows = wrong.map(async ({ table }) => [table, await this.#operator.named(this.jobId, table)] as const);
    return { verification, named: new Map(await Promise.all(rows)) };
  }

  /** From now on schedules tick by the clock. @param tell of each run by them, or by anybody else, that had something to do */
  startSchedules(tell: (jobId: string, run: Run) => void): void {
    this.#operator.watchRuns((jobId, run) => {
      if (run.status !== 'idle' && !this.#own.has(run.runId)) tell(jobId, run);
    });
    this.#installation.cloud.scheduler.start();
  }

  async close(): Promise<void> {
    await this.#installation.stop();
  }
}

const givenUp = ({ tables }: Run): string[] =>
  Object.entries(tables).flatMap(([name, { gapsGivenUp = 0 }]) =>
    gapsGivenUp > 0 ? [describeGivenUp(name, gapsGivenUp)] : [],
  );

const NOTHING = { sourceRows: null, warehouseRows: null, sourceChecksum: null, warehouseChecksum: null };

function watermarkText(table: Table, state: TableState | undefined): string | null {
  const { watermark } = state ?? {};
  if (!watermark) return null;
  if (table.copyMode === 'INSERT_ONLY') return watermark.key;
  return table.copyMode === 'FULL_DATA_SYNC' ? (state?.completedAt ?? null) : watermark.fence;
}

/** A source as its state folder remembers it: where, never how to get in. */
export const whereOf = (connection: string): string => parseSecret(connection).where;

/** Two runs of one call, told as one. */
export function together(first: Report, second: Report): Report {
  const earlier = new Map(first.tables.map((table) => [table.name, table]));
  const sum = (name: keyof Calls) => first.calls[name] + second.calls[name];
  return {
    ...second,
    run: first.run,
    seconds: (first.seconds ?? 0) + (second.seconds ?? 0),
    calls: {
      lambda: sum('lambda'),
      redshiftData: sum('redshiftData'),
      s3: sum('s3'),
      dynamodb: sum('dynamodb'),
      transitions: sum('transitions'),
    },
    tables: second.tables.map((table) => {
      const before = earlier.get(table.name);
      const changed = addChanged([before?.changed, table.changed]);
      const changedColumns = addChangedColumns([before?.changedColumns, table.changedColumns]);
      return {
        ...table,
        rows: table.rows + (before?.rows ?? 0),
        bytes: table.bytes + (before?.bytes ?? 0),
        seconds: table.seconds + (before?.seconds ?? 0),
        error: table.error ?? before?.error ?? null,
        ...(changed ? { changed } : {}),
        ...(changedColumns ? { changedColumns } : {}),
      };
    }),
  };
}
