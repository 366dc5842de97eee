import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  type DescribeExecutionOutput,
  ListExecutionsCommand,
  RedriveExecutionCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import pg from 'pg';
import { REGION } from '../../../local/identity.ts';
import { type Installation, startInstallation } from '../../../local/installation.ts';
import { Operator } from '../../../local/operator.ts';
import { startPostgres } from '../../../local/postgres.ts';
import { Schedules } from '../../../shared/aws/schedules.ts';
import { jobPrefix, Stage } from '../../../shared/aws/stage.ts';
import { withoutProgress } from '../../../shared/core/outcome.ts';
import type { DueComparison } from '../../../shared/model/compared.ts';
import type { Run } from '../../../shared/model/run.ts';
import { Schedule } from '../../../shared/model/schedule.ts';
import type { Table } from '../../../shared/model/table.ts';
import { FaultPlane } from './plane.ts';
import { Reader } from './reader.ts';
import { DECISIONS, READ, SOURCE } from './scenario.ts';
import { openSourceProxy } from './source-proxy.ts';
import { type Asked, wrongsOf } from './wrongs.ts';

const MACHINES = ['LoadJobArn', 'LoadTableArn', 'VerifyJobArn', 'SetupJobArn'] as const;
const JOB = 'faults';
const SCHEMA = 't0';
const DAY_MS = 86_400_000;

/** An installation with a job, and a fault plane on all that leaves its functions: what tests do to it, and ask of it. */
export class Ground {
  readonly plane: FaultPlane;
  readonly source: pg.Client;
  readonly #installation: Installation;
  readonly #url: string;
  readonly #operator: Operator;
  readonly #states: SFNClient;
  readonly #s3: S3Client;
  readonly #dynamodb: DynamoDBClient;
  readonly #schedules: Schedules;
  readonly #warehouse: pg.Client;
  #day = Date.parse('2026-01-01T00:00:00Z');
  /** Of the job's schedule, in seconds: another with each edit. */
  #frequency = 300;
  #asked: Asked | null = null;

  private constructor(
    plane: FaultPlane,
    installation: Installation,
    { url, source, warehouse }: { url: string; source: pg.Client; warehouse: pg.Client },
  ) {
    const { endpoint, credentials } = installation.cloud;
    this.plane = plane;
    this.source = source;
    this.#installation = installation;
    this.#url = url;
    this.#warehouse = warehouse;
    this.#operator = new Operator(installation.cloud);
    this.#states = new SFNClient({ endpoint, region: REGION, credentials });
    this.#dynamodb = new DynamoDBClient({ endpoint, region: REGION, credentials });
    this.#schedules = new Schedules(installation.cloud.outputs.ConfigTable ?? '', this.#dynamodb);
    this.#s3 = new S3Client({ endpoint, region: REGION, credentials, forcePathStyle: true });
    plane.hands = this.#hands();
  }

  /** Starts everything, and loads all tables for the first time. @returns the ground, and what ends it */
  static async open(): Promise<{ ground: Ground; close(): Promise<void> }> {
    const undo: (() => Promise<void> | void)[] = [];
    const close = async () => {
      for (let step = undo.pop(); step; step = undo.pop()) await step();
    };
    try {
      const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-faults-'));
      undo.push(() => rmSync(dir, { recursive: true, force: true }));
      const server = await startPostgres({ dir: join(dir, 'source'), name: 'source' });
      undo.push(() => server.stop());
      const plane = new FaultPlane();
      const installation = await startInstallation({
        state: join(dir, 'state'),
        schemas: [SCHEMA],
        fault: plane.onCall,
        states: { fault: plane.onState, sleep: (ms) => new Promise((done) => setTimeout(done, Math.min(ms, 20))) },
        retryAfterMs: [10, 20],
      });
      undo.push(() => installation.stop());
      const proxy = await openSourceProxy(() => server.port, plane.onStatement);
      undo.push(() => proxy.stop());
      const url = await server.createDatabase(JOB);
      const [source, warehouse] = [new pg.Client(url), new pg.Client(installation.warehouse)];
      for (const client of [source, warehouse]) {
        await client.connect();
        undo.push(() => client.end());
      }
      const ground = new Ground(plane, installation, { url, source, warehouse });
      await ground.#setUp(proxy.through(url));
      return { ground, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #setUp(proxied: string): Promise<void> {
    await this.source.query(SOURCE);
    await this.#operator.createJob(JOB, proxied, { destination: SCHEMA, maxSourceConnections: 4 });
    await this.#operator.setup(JOB);
    for (const table of Object.keys(DECISIONS)) await this.decide(table);
    await this.#schedules.create(
      Schedule.parse({ jobId: JOB, scheduleId: 'main', name: 'Main', frequency: this.#frequency }),
    );
    const status = await this.tick();
    const compared = await this.compare({ kind: 'reconcile' });
    if (status !== 'succeeded' || compared !== 'succeeded')
      throw new Error(`the first run: ${status}, ${compared}: ${JSON.stringify(await this.lastRun())}`);
  }

  #hands() {
    const { cloud } = this.#installation;
    const functions = cloud.stack.of('AWS::Lambda::Function').map(({ name, arn, properties }) => {
      const { Environment } = properties as { Environment?: { Variables?: Record<string, string> } };
      return { name, arn, short: Environment?.Variables?.POWERTOOLS_SERVICE_NAME ?? name };
    });
    return {
      nameOf: (one: string) => functions.find(({ name, arn }) => one === name || one === arn)?.short ?? one,
      kill: (name: string) => cloud.lambda.kill(name),
      stop: async () => {
        const running = await this.#running();
        for (const executionArn of running)
          await this.#states.send(new StopExecutionCommand({ executionArn, cause: 'stopped by hand' }));
        await cloud.lambda.idle();
        return running;
      },
      redrive: async (arns: string[]) => {
        for (const executionArn of arns) await this.#states.send(new RedriveExecutionCommand({ executionArn }));
      },
    };
  }

  async #running(): Promise<string[]> {
    const lists = MACHINES.map((machine) => {
      const stateMachineArn = this.#installation.cloud.outputs[machine];
      return this.#states.send(new ListExecutionsCommand({ stateMachineArn, statusFilter: 'RUNNING' }));
    });
    return (await Promise.all(lists)).flatMap(({ executions = [] }) =>
      executions.map(({ executionArn = '' }) => executionArn),
    );
  }

  /** One tick of the job's schedule, and all that it starts. @returns how its run ended; `none` where it left no record */
  async tick(): Promise<Run['status'] | 'none'> {
    this.#day += DAY_MS;
    const scheduledTime = new Date(this.#day).toISOString();
    const arn = await this.#execute('LoadJobArn', {
      jobId: JOB,
      scheduleId: 'main',
      scheduledTime,
      trigger: 'schedule',
    });
    const runId = arn.split(':').at(-1);
    return (await this.#operator.runs.list(JOB, 5)).find((run) => run.runId === runId)?.status ?? 'none';
  }

  /** Compares keys, and removes what the source deleted; or all values, and repairs them. @returns how that ended */
  async compare(comparison: Partial<DueComparison>): Promise<'succeeded' | 'failed'> {
    const comparisons = [{ table: 'stock', ...comparison }];
    const { status } = await this.#outcomeOf('VerifyJobArn', { jobId: JOB, comparisons, repair: true });
    return status === 'SUCCEEDED' ? 'succeeded' : 'failed';
  }

  /** Sets the job up once more. @returns how that ended; a table that is refused has failed */
  async setup(): Promise<'succeeded' | 'failed'> {
    const { status, output = '{}' } = await this.#outcomeOf('SetupJobArn', { jobId: JOB });
    const { refused = [] } = JSON.parse(output) as { refused?: string[] };
    return status === 'SUCCEEDED' && refused.length === 0 ? 'succeeded' : 'failed';
  }

  /** What people ask of the admin function: other limits for a table and the job, and other times to run at. */
  async edit(): Promise<void> {
    this.#frequency += 60;
    const frequency = this.#frequency;
    const maxLagSeconds = frequency * 2;
    const rowLimit = 200_000 + frequency;
    this.#asked = { table: 'orders', rowLimit, maxLagSeconds, schedule: 'main', frequency };
    await this.#operator.ask('tables.edit', { jobId: JOB, table: 'orders', rowLimit });
    await this.#operator.ask('jobs.edit', { jobId: JOB, maxLagSeconds });
    await this.#operator.ask('schedules.edit', { jobId: JOB, schedule: 'main', frequency });
  }

  /** Has a table loaded again from scratch, one that is large, and two from a point on. */
  async reset(): Promise<void> {
    const beyond = { jobId: JOB, replace: true };
    await this.#operator.ask('tables.reset', { jobId: JOB, table: 'lines' });
    await this.#operator.ask('tables.reset', { jobId: JOB, table: 'prices' });
    await this.#operator.ask('tables.reset', { ...beyond, table: 'events', to: '29' });
    await this.#operator.ask('tables.reset', { ...beyond, table: 'orders', to: '2026-01-01T00:00:00Z' });
  }

  /** Makes rows of the warehouse wrong, by a statement for the schema `$`. */
  async spoil(sql: string): Promise<void> {
    await this.#warehouse.query(sql.replaceAll('$', SCHEMA));
  }

  /** What people decide of a table: all of it once more, and perhaps something else. */
  async decide(table: string, more: Partial<Table> = {}): Promise<void> {
    await this.#operator.store.updateTable(JOB, table, { ...DECISIONS[table], ...more });
  }

  /** Makes a table one that setup has never met. */
  async forget(table: string): Promise<void> {
    for (const item of ['TABLE', 'STATE', 'COMPARED'])
      await this.#dynamodb.send(
        new DeleteItemCommand({
          TableName: this.#installation.cloud.outputs.ConfigTable,
          Key: { pk: { S: `JOB#${JOB}` }, sk: { S: `${item}#${table}` } },
        }),
      );
    await this.#warehouse.query(`DROP TABLE IF EXISTS "${SCHEMA}"."${table}"`);
  }

  async #outcomeOf(machine: (typeof MACHINES)[number], input: object): Promise<DescribeExecutionOutput> {
    const executionArn = await this.#execute(machine, input);
    return this.#states.send(new DescribeExecutionCommand({ executionArn }));
  }

  async #execute(machine: (typeof MACHINES)[number], input: object): Promise<string> {
    const { cloud } = this.#installation;
    const { executionArn = '' } = await this.#states.send(
      new StartExecutionCommand({ stateMachineArn: cloud.outputs[machine], input: JSON.stringify(input) }),
    );
    await this.quiet();
    return executionArn;
  }

  /** Resolves when nothing is under way, functions included whose executions were stopped, but for those that are held up. */
  async quiet(): Promise<void> {
    const { cloud } = this.#installation;
    const busy = () => this.plane.stopping || cloud.lambda.busy() > this.plane.held;
    do {
      await cloud.idle();
      if (busy()) await sleep(5);
    } while (busy() || (await this.#running()).length > 0 || busy());
  }

  /** Makes the warehouse fail the next statement that writes to a table by an error of this class, whatever becomes of its transaction. */
  async failOnce(table: string, sqlstate: string): Promise<void> {
    await this.#warehouse.query(`
      DROP SEQUENCE IF EXISTS failures CASCADE; CREATE SEQUENCE failures; GRANT USAGE ON SEQUENCE failures TO PUBLIC;
      CREATE OR REPLACE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('public.failures') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '${sqlstate}'; END IF;
        RETURN NULL;
      END $$;
      CREATE OR REPLACE TRIGGER fail_once AFTER INSERT OR UPDATE ON "${SCHEMA}"."${table}" EXECUTE FUNCTION fail_once()`);
  }

  /** After a failure: makes it as if nothing had been, so that the next fault is judged by itself. */
  async mend(): Promise<void> {
    for (const { value, revision } of (await this.#operator.store.readStates(JOB)).values()) {
      const { lease: _lease, orphan: _orphan, lastError: _error, ...rest } = withoutProgress(value);
      await this.#operator.store.saveState(JOB, rest, revision);
    }
    await this.tick();
    await this.compare({ kind: 'reconcile' });
    const stage = new Stage(this.#installation.cloud.outputs.StageBucket ?? '', this.#s3);
    await stage.discard(await stage.list(jobPrefix(JOB)));
    const left = await this.#warehouse.query(
      `SELECT format('DROP TABLE %I.%I', schemaname, tablename) AS drop FROM pg_tables WHERE tablename LIKE 'loader%'`,
    );
    for (const { drop } of left.rows) await this.#warehouse.query(drop);
  }

  /**
   * Reads the tables that are replaced in one transaction, again and again while something is done.
   * @returns its result, and which of them showed fewer rows, or more, than both what they had and what the source has
   */
  async whileRead<T>(work: () => Promise<T>): Promise<{ result: T; met: string[] }> {
    const reader = await Reader.begin(this.#installation.warehouse, SCHEMA, READ);
    let result: T;
    try {
      result = await work();
    } catch (error) {
      await reader.end();
      throw error;
    }
    const met: string[] = [];
    for (const [table, { first, least, most }] of await reader.end()) {
      const { rows } = await this.source.query(`SELECT count(*)::int AS rows FROM "${table}"`);
      const has = Number(rows[0].rows);
      if (least < Math.min(first, has) || most > Math.max(first, has))
        met.push(`readers of ${table} met ${least} to ${most} rows: it had ${first}, and the source has ${has}`);
    }
    return { result, met };
  }

  async lastRun(): Promise<Run | undefined> {
    return (await this.#operator.runs.list(JOB, 1))[0];
  }

  /** Whatever must not be once all has been well: rows that differ, and what was left behind. */
  wrongs(): Promise<string[]> {
    return wrongsOf({
      asked: this.#asked,
      operator: this.#operator,
      schedules: this.#schedules,
      scheduler: this.#installation.cloud.scheduler,
      source: this.source,
      s3: this.#s3,
      warehouse: this.#warehouse,
      bucket: this.#installation.cloud.outputs.StageBucket ?? '',
      urls: { source: this.#url, warehouse: this.#installation.warehouse },
      job: JOB,
      schema: SCHEMA,
    });
  }
}
