import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  type DescribeExecutionOutput,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import * as z from 'zod';
import type { OperationName } from '../functions/admin/operations.ts';
import { NAMES } from '../infra/names.ts';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { Edits } from '../shared/aws/edits.ts';
import { Findings } from '../shared/aws/findings.ts';
import { Runs } from '../shared/aws/runs.ts';
import { type JobData, Store } from '../shared/aws/store.ts';
import { Answer } from '../shared/model/answer.ts';
import type { Compared, ComparisonKind } from '../shared/model/compared.ts';
import { describeStepError, errors, LoaderError } from '../shared/model/errors.ts';
import { Job } from '../shared/model/job.ts';
import { parseInWords, problemsOf } from '../shared/model/problems.ts';
import type { Run } from '../shared/model/run.ts';
import { Verification } from '../shared/model/verification.ts';
import type { Cloud } from './cloud.ts';
import { REGION } from './identity.ts';
import { DESTINATION } from './installation.ts';

/** What every machine is started with: a job, and where that is not the execution's own name a run. */
const Executed = z.object({ jobId: z.string(), runId: z.string().optional() });

const POLL_MS = 100;
/** As many readers at once as this machine has cores for; a process each would only wait for its turn. */
const LOCAL = { destination: DESTINATION.name, maxSourceConnections: Math.min(8, Math.max(2, availableParallelism())) };

/** What a person would do with the AWS CLI: the operator's hands on an installation. */
export class Operator {
  readonly store: Store;
  readonly runs: Runs;
  readonly edits: Edits;
  readonly comparisons: Comparisons;
  readonly #cloud: Cloud;
  readonly #states: SFNClient;
  readonly #s3: S3Client;
  readonly #secrets: SecretsManagerClient;

  constructor(cloud: Cloud) {
    const client = { endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials };
    this.#cloud = cloud;
    const dynamodb = new DynamoDBClient(client);
    this.store = new Store(this.#output('ConfigTable'), dynamodb);
    this.runs = new Runs(this.#output('ConfigTable'), dynamodb);
    this.edits = new Edits(this.#output('ConfigTable'), dynamodb);
    this.comparisons = new Comparisons(this.#output('ConfigTable'), dynamodb);
    this.#states = new SFNClient(client);
    this.#s3 = new S3Client({ ...client, forcePathStyle: true });
    this.#secrets = new SecretsManagerClient(client);
  }

  /** Creates the job, or gives it another connection string. The string goes nowhere but to Secrets Manager. */
  async createJob(jobId: string, connection: string, more: Partial<Job> = {}): Promise<Job> {
    const secretArn = await this.#putSecret(`redshift-loader/${jobId}`, connection);
    const known = await this.store.readJob(jobId).then(
      ({ job: found }) => found,
      () => null,
    );
    const parsed = parseInWords(Job, { ...LOCAL, ...known, jobId, secretArn, ownsSecret: true, ...more });
    if (!parsed.success) throw errors.badConfiguration(`job ${jobId}: ${problemsOf(parsed.error)}`);
    await this.edits.putJob(parsed.data);
    return parsed.data;
  }

  async #putSecret(name: string, value: string): Promise<string> {
    try {
      const Tags = [{ Key: 'redshift-loader', Value: 'source' }];
      const { ARN = '' } = await this.#secrets.send(new CreateSecretCommand({ Name: name, SecretString: value, Tags }));
      return ARN;
    } catch (error) {
      if (!(error instanceof ResourceExistsException)) throw error;
      const { ARN = '' } = await this.#secrets.send(new PutSecretValueCommand({ SecretId: name, SecretString: value }));
      return ARN;
    }
  }

  /** @throws Error with the failed step's own words */
  async setup(
    jobId: string,
  ): Promise<{ tables: number; added: number; checks: string[]; created: number; refused?: string[] }> {
    const execution = await this.#execute('SetupJobArn', { jobId });
    if (execution.status !== 'SUCCEEDED') throw executionError(execution);
    return JSON.parse(execution.output ?? '{}');
  }

  /** Runs the job once, with all that it starts. @returns the run as its history has it */
  async run(
    jobId: string,
    tick: () => Promise<void> | void = () => undefined,
    runId: string = randomUUID(),
  ): Promise<Run> {
    const execution = await this.#execute('LoadJobArn', { jobId, trigger: 'hand' }, tick, runId);
    while (await this.#largeTablesRun(runId)) {
      await tick();
      await sleep(POLL_MS);
    }
    await tick();
    const run = await this.#recorded(jobId, runId);
    if (!run) throw executionError(execution);
    if (run.error && Object.keys(run.tables).length === 0) throw new Error(run.error);
    return run;
  }

  async #recorded(jobId: string, runId: string): Promise<Run | undefined> {
    return (await this.runs.list(jobId, 20)).find((one) => one.runId === runId);
  }

  /** Tells of each run of any job once it has ended, whatever started it: its large tables' executions may outlast its own. */
  watchRuns(tell: (jobId: string, run: Run) => void): void {
    const told = new Set<string>();
    this.#cloud.onStatusChange(async ({ status, name, input }) => {
      if (status === 'RUNNING') return;
      // Of an execution that was stopped the template's own function tells the end, as EventBridge has it do.
      await this.#cloud.lambda.idle();
      const { jobId, runId = name } = Executed.parse(JSON.parse(input));
      const run = await this.#recorded(jobId, runId);
      if (!run?.finishedAt || told.has(runId)) return;
      told.add(runId);
      tell(jobId, run);
    });
  }

  /** The ARN of a run's own execution. */
  executionOf(runId: string): string {
    return `${this.#output('LoadJobArn').replace(':stateMachine:', ':execution:')}:${runId}`;
  }

  /** Waits until nothing that a run has started goes on, comparisons included. */
  async settled(runId: string): Promise<void> {
    const family = () => this.#cloud.states.family(this.executionOf(runId));
    while (family().some(({ status }) => status === 'RUNNING')) await sleep(POLL_MS);
  }

  /**
   * Compares tables on both sides, as the deployed machine does: all that are loaded where none is named.
   * @returns what is known of them afterwards
   * @throws Error with the failed comparison's own words
   */
  async compare(
    jobId: string,
    { kind = 'verify', tables, repair = false }: { kind?: ComparisonKind; tables?: string[]; repair?: boolean } = {},
  ): Promise<Map<string, Compared>> {
    const { tables: all } = await this.store.readJob(jobId);
    const named = tables ?? all.filter((table) => !table.disabled && table.created).map((table) => table.sourceName);
    const comparisons = named.map((table) => ({ table, kind }));
    const execution = await this.#execute('VerifyJobArn', { jobId, comparisons, repair });
    const { compared } = await this.store.readJob(jobId);
    if (execution.status === 'SUCCEEDED') return compared;
    const why = named.flatMap((name) => compared.get(name)?.[`${kind}Error`] ?? []);
    throw why.length > 0 ? new Error(why.join('\n')) : executionError(execution);
  }

  /** Asks the admin function, as `npm run admin` does. @throws Error with the refusal */
  async ask(operation: OperationName, input: object): Promise<unknown> {
    const { payload, functionError } = await this.#cloud.lambda.invoke({
      functionArn: this.#cloud.lambda.find(NAMES.admin)?.arn ?? '',
      payload: JSON.stringify({ operation, ...input }),
    });
    if (functionError) throw new Error(`${operation} broke off: ${payload}`);
    const answer = Answer.parse(JSON.parse(payload));
    if (answer.ok) return answer.result;
    throw new LoaderError(answer.error.name, answer.error.message);
  }

  /** A verification from its beginning to its end, the second look included. */
  async verify(jobId: string, options: { tables?: string[]; repair?: boolean } = {}): Promise<Verification> {
    const { verifyId } = (await this.ask('jobs.verify', { jobId, ...options })) as { verifyId: string };
    for (;;) {
      const verification = Verification.parse(await this.ask('jobs.verify-status', { jobId, verifyId }));
      if (verification.status !== 'running') return verification;
      await sleep(POLL_MS);
    }
  }

  /** The rows that the last verification of a table found to differ, as its findings name them. */
  async named(jobId: string, table: string): Promise<unknown[]> {
    const key = (await this.store.readJob(jobId)).compared.get(table)?.found?.object;
    if (!key) return [];
    const findings = new Findings(this.#output('StageBucket'), { jobId, runId: '', kind: 'verify', table }, this.#s3);
    const rows: unknown[] = [];
    for await (const row of findings.lines({ key })) rows.push(row);
    return rows;
  }

  /** Waits for the comparisons that runs have started. */
  async compared(): Promise<void> {
    while ((await this.#running('VerifyJobArn')).length > 0) await sleep(POLL_MS);
  }

  /**
   * Executions end with the process that runs them here, and nobody is told. What EventBridge would do on AWS is done
   * when the next process begins: the template's release function gives back what they held.
   */
  async releaseDead(jobId: string): Promise<void> {
    const { states } = await this.store.readJob(jobId);
    const owners = new Set([...states.values()].flatMap(({ value }) => value.lease?.owner ?? []));
    const runs = owners.size > 0 ? await this.runs.list(jobId, 50) : [];
    const release = this.#cloud.stack.of('AWS::Lambda::Function').find(({ name }) => name.includes('Functionsrelease'));
    for (const owner of owners) {
      const [runId = '', ...table] = owner.split('/');
      const startedAt = runs.find((run) => run.runId === runId)?.startedAt ?? new Date().toISOString();
      const input = { jobId, owner, runId, startedAt, ...(table.length > 0 ? { table: table.join('/') } : {}) };
      const detail = { name: runId, status: 'ABORTED', input: JSON.stringify(input), startDate: Date.parse(startedAt) };
      const { payload, functionError } = await this.#cloud.lambda.invoke({
        functionArn: release?.arn ?? '',
        payload: JSON.stringify({ detail }),
      });
      if (functionError) throw new Error(`a run that was killed could not be released: ${payload}`);
    }
  }

  readJob(jobId: string): Promise<JobData> {
    return this.store.readJob(jobId);
  }

  /** A run's large tables have executions of their own, whose names begin with the run's. */
  async #largeTablesRun(runId: string): Promise<boolean> {
    return (await this.#running('LoadTableArn')).some((name) => name.startsWith(runId));
  }

  /** The names of a machine's executions that run. */
  async #running(machine: string): Promise<string[]> {
    const { executions = [] } = await this.#states.send(
      new ListExecutionsCommand({ stateMachineArn: this.#output(machine), statusFilter: 'RUNNING' }),
    );
    return executions.map(({ name }) => name ?? '');
  }

  async #execute(
    machine: string,
    input: object,
    tick: () => Promise<void> | void = () => undefined,
    name?: string,
  ): Promise<DescribeExecutionOutput> {
    const { executionArn } = await this.#states.send(
      new StartExecutionCommand({ stateMachineArn: this.#output(machine), input: JSON.stringify(input), name }),
    );
    for (;;) {
      const execution = await this.#states.send(new DescribeExecutionCommand({ executionArn }));
      if (execution.status !== 'RUNNING') return execution;
      await tick();
      await sleep(POLL_MS);
    }
  }

  #output(name: string): string {
    const value = this.#cloud.outputs[name];
    if (value === undefined) throw new Error(`the stack has no output ${name}: synthesize it again`);
    return value;
  }
}

const executionError = ({ status, error, cause }: DescribeExecutionOutput): Error =>
  new Error(describeStepError({ Error: error ?? 'ExecutionFailed', Cause: cause ?? `it ended as ${status}` }));
