import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import pg from 'pg';
import { type Installation, type InstallationOptions, startInstallation } from '../../local/installation.ts';
import { Operator } from '../../local/operator.ts';
import { type Postgres, startPostgres } from '../../local/postgres.ts';
import { verify } from '../../local/verify.ts';
import type { JobData } from '../../shared/aws/store.ts';
import { type Reset, resetState } from '../../shared/core/reset.ts';
import type { Job } from '../../shared/model/job.ts';
import type { Run } from '../../shared/model/run.ts';
import type { Table } from '../../shared/model/table.ts';

/** Schemas for the jobs of one file: a destination each, so that tests don't meet. */
const SCHEMAS = Array.from({ length: 16 }, (_, i) => `t${i}`);

/** A job on the local cloud with a source database of its own. */
export interface TestJob {
  jobId: string;
  url: string;
  source: pg.Client;
  warehouse: pg.Client;
  schema: string;
  setup(): ReturnType<Operator['setup']>;
  run(): Promise<Run>;
  read(): Promise<JobData>;
  edit(table: string, change: Partial<Table>): Promise<void>;
  reset(table: string, how: Reset): Promise<void>;
  /** Rows of the warehouse's table. */
  rows(sql: string): Promise<Record<string, unknown>[]>;
  /** The names of the tables that differ between both sides. */
  differing(): Promise<string[]>;
  calls(): { lambda: number; redshiftData: number; s3: number; dynamodb: number; transitions: number };
}

export interface Bench {
  job(sql: string, options?: Partial<Job> & { url?: (url: string) => string }): Promise<TestJob>;
  installation: Installation;
  /** The installation's folder. */
  state: string;
  operator: Operator;
  source: Postgres;
}

/** Starts a source server and an installation for one test file, and ends both after it. */
export function bench(options: Omit<Partial<InstallationOptions>, 'state'> = {}, settings = {}): Bench {
  const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-job-'));
  const clients: pg.Client[] = [];
  let made = 0;
  const parts = { state: join(dir, 'state') } as Bench;

  before(async () => {
    parts.source = await startPostgres({
      dir: join(dir, 'source'),
      name: 'source',
      settings: { max_prepared_transactions: '10', ...settings },
    });
    parts.installation = await startInstallation({ state: parts.state, schemas: SCHEMAS, ...options });
    parts.operator = new Operator(parts.installation.cloud);
  });
  after(async () => {
    for (const client of clients) await client.end();
    await parts.installation?.stop();
    await parts.source?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const connect = async (connectionString: string) => {
    const client = new pg.Client({ connectionString });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };

  parts.job = async (sql, { url: rewrite = (url: string) => url, ...more } = {}) => {
    const schema = SCHEMAS[made++];
    if (schema === undefined) throw new Error('this file has more jobs than schemas: raise SCHEMAS');
    const { operator, installation } = parts;
    const jobId = `job-${schema}`;
    const url = await parts.source.createDatabase(`db_${schema}`);
    const source = await connect(url);
    await source.query(sql);
    // What a session did shows in the statistics when it says so, or ends.
    await source.query('SELECT pg_stat_force_next_flush()');
    await source.query('SELECT 1');
    const warehouse = await connect(installation.warehouse);
    await operator.createJob(jobId, rewrite(url), { destination: schema, ...more });
    return {
      jobId,
      url,
      source,
      warehouse,
      schema,
      setup: () => operator.setup(jobId),
      run: () => operator.run(jobId),
      read: () => operator.readJob(jobId),
      edit: (table, change) => operator.store.updateTable(jobId, table, change),
      async reset(name, how) {
        const { tables, states } = await operator.readJob(jobId);
        const [table, state] = [tables.find(({ sourceName }) => sourceName === name), states.get(name)];
        if (!table || !state) throw new Error(`${jobId} has no ${name}`);
        await operator.store.changeState(jobId, state, (one) => resetState(table, one, how, new Date()));
      },
      rows: async (query) => (await warehouse.query(query.replaceAll('$', `"${schema}"`))).rows,
      async differing() {
        const { job, tables } = await operator.readJob(jobId);
        const results = await verify(job, tables, rewrite(url), installation.warehouse, schema);
        return [...results].flatMap(([name, found]) => {
          if (found instanceof Error) throw found;
          const same = found.sourceRows === found.warehouseRows && found.sourceChecksum === found.warehouseChecksum;
          return same ? [] : [name];
        });
      },
      calls: () => {
        const { lambda, redshiftData, s3, dynamodb, transitions } = installation.cloud.counts();
        return { lambda, redshiftData, s3, dynamodb, transitions };
      },
    };
  };
  return parts;
}
