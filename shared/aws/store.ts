import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import type { Checkpoint } from '../core/fence.ts';
import { errors } from '../model/errors.ts';
import { Job } from '../model/job.ts';
import { problemsOf } from '../model/problems.ts';
import { expiryOf, type Run } from '../model/run.ts';
import type { TableState } from '../model/state.ts';
import { Table } from '../model/table.ts';

/** A state as it was read: it is written back only if nobody wrote in between. */
export interface Revised<T> {
  value: T;
  revision: number;
}

/** Everything of a job that a run needs, from one read of its partition. */
export interface JobData {
  job: Job;
  tables: Table[];
  /** Table items that a person edited into nonsense, by their names, with what is wrong: the others go on. */
  broken: Map<string, Error>;
  states: Map<string, Revised<TableState>>;
  /** Checkpoints that earlier runs saw, kept only where the fence is blind. */
  checkpoints: Checkpoint[];
}

/**
 * The one DynamoDB table. A job's partition `JOB#<jobId>` holds its items by kind: JOB, TABLE#<name> (what people
 * decide), STATE#<name> (what the loader knows), CHECKPOINTS. Runs have the partition `RUNS#<jobId>`, so that reading a job
 * never reads its history.
 */
export class Store {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(table: string, client = new DynamoDBClient({})) {
    this.#table = table;
    this.#client = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  }

  /**
   * @param only the tables to read, at most 40; all of them where absent
   * @throws LoaderError BadConfiguration where there is no such job, or a person edited it into nonsense
   */
  async readJob(jobId: string, only?: string[]): Promise<JobData> {
    const items = only ? await this.#named(jobId, only) : await this.#items(jobId);
    const jobItem = items.get('JOB');
    if (!jobItem) throw errors.badConfiguration(`there is no job ${JSON.stringify(jobId)}: create it first`);
    const job = Job.safeParse(jobItem);
    if (!job.success) throw errors.badConfiguration(`job ${jobId}: ${problemsOf(job.error)}`);
    const tables: Table[] = [];
    const broken = new Map<string, Error>();
    for (const [sk, item] of items) {
      if (!sk.startsWith(TABLE)) continue;
      const name = sk.slice(TABLE.length);
      const parsed = Table.safeParse(item);
      if (!parsed.success) broken.set(name, errors.badConfiguration(`${name}: ${problemsOf(parsed.error)}`));
      else if (parsed.data.sourceName !== name)
        broken.set(name, errors.badConfiguration(`${name}: sourceName is another than its item's: make it the same`));
      else tables.push(parsed.data);
    }
    return {
      job: job.data,
      tables,
      broken,
      states: statesIn(items),
      checkpoints: (items.get('CHECKPOINTS')?.checkpoints as Checkpoint[] | undefined) ?? [],
    };
  }

  /** What the loader knows of a job's tables, whatever people made of the job itself. */
  async readStates(jobId: string): Promise<JobData['states']> {
    return statesIn(await this.#items(jobId, STATE));
  }

  /** The items of a job's partition by their sort keys. */
  async #items(jobId: string, kind = ''): Promise<Map<string, Record<string, unknown>>> {
    const items = new Map<string, Record<string, unknown>>();
    const pages = paginateQuery(
      { client: this.#client },
      {
        TableName: this.#table,
        ConsistentRead: true,
        KeyConditionExpression: `pk = :pk${kind === '' ? '' : ' AND begins_with(sk, :kind)'}`,
        ExpressionAttributeValues: { ':pk': jobKey(jobId), ...(kind === '' ? {} : { ':kind': kind }) },
      },
    );
    for await (const page of pages) for (const item of page.Items ?? []) items.set(String(item.sk), item);
    return items;
  }

  /** A few tables' items and the job's own: a function that works on one table doesn't pay for reading all. */
  async #named(jobId: string, tables: string[]): Promise<Map<string, Record<string, unknown>>> {
    const kinds = tables.flatMap((name) => [`${TABLE}${name}`, `${STATE}${name}`]);
    let keys: Record<string, unknown>[] = ['JOB', 'CHECKPOINTS', ...kinds].map((sk) => ({ pk: jobKey(jobId), sk }));
    const items = new Map<string, Record<string, unknown>>();
    // An answer over 16 MB, or a throttled one, leaves keys for the next call.
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await this.#client.send(
        new BatchGetCommand({ RequestItems: { [this.#table]: { Keys: keys, ConsistentRead: true } } }),
      );
      for (const item of Responses?.[this.#table] ?? []) items.set(String(item.sk), item);
      keys = UnprocessedKeys?.[this.#table]?.Keys ?? [];
    }
    return items;
  }

  /** Creates or replaces a job. */
  async putJob(job: Job): Promise<void> {
    await this.#client.send(
      new PutCommand({ TableName: this.#table, Item: { pk: jobKey(job.jobId), sk: 'JOB', ...job } }),
    );
  }

  /** @returns whether it was added: an item that is there already belongs to a person and stays as it is */
  async addTable(jobId: string, table: Table): Promise<boolean> {
    return this.#unlessRefused(
      new PutCommand({
        TableName: this.#table,
        Item: { pk: jobKey(jobId), sk: `${TABLE}${table.sourceName}`, ...table },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
  }

  /** Replaces what setup owns of a table item; keys, mode and limits stay a person's. */
  async updateTable(jobId: string, sourceName: string, change: Partial<Table>): Promise<void> {
    const entries = Object.entries(change);
    await this.#client.send(
      new UpdateCommand({
        TableName: this.#table,
        Key: { pk: jobKey(jobId), sk: `${TABLE}${sourceName}` },
        UpdateExpression: `SET ${entries.map((_, i) => `#n${i} = :v${i}`).join(', ')}`,
        ExpressionAttributeNames: Object.fromEntries(entries.map(([name], i) => [`#n${i}`, name])),
        ExpressionAttributeValues: Object.fromEntries(entries.map(([, value], i) => [`:v${i}`, value])),
      }),
    );
  }

  async readState(jobId: string, sourceName: string): Promise<Revised<TableState>> {
    const { Item } = await this.#client.send(
      new GetCommand({
        TableName: this.#table,
        Key: { pk: jobKey(jobId), sk: `${STATE}${sourceName}` },
        ConsistentRead: true,
      }),
    );
    return Item
      ? { value: Item.state as TableState, revision: Number(Item.revision) }
      : { value: { sourceName }, revision: 0 };
  }

  /**
   * Writes a state if it is still the one that was read. A lease is taken, kept, moved on and given back by this alone:
   * whoever lost it finds another revision.
   * @returns the new revision, or null where somebody else wrote in between
   */
  async saveState(jobId: string, state: TableState, seen: number): Promise<number | null> {
    const unchanged = seen === 0 ? 'attribute_not_exists(pk)' : 'revision = :seen';
    const saved = await this.#unlessRefused(
      new PutCommand({
        TableName: this.#table,
        Item: {
          pk: jobKey(jobId),
          sk: `${STATE}${state.sourceName}`,
          sourceName: state.sourceName,
          revision: seen + 1,
          state,
        },
        ConditionExpression: unchanged,
        ...(seen === 0 ? {} : { ExpressionAttributeValues: { ':seen': seen } }),
      }),
    );
    return saved ? seen + 1 : null;
  }

  /**
   * Changes a state, again and again while somebody else writes in between.
   * @param change the state as it should be, or null to leave it
   * @returns the state as it stands now
   */
  async changeState(
    jobId: string,
    { value, revision }: Revised<TableState>,
    change: (state: TableState) => TableState | null,
  ): Promise<TableState> {
    for (let seen = { value, revision }; ; seen = await this.readState(jobId, value.sourceName)) {
      const changed = change(seen.value);
      if (!changed) return seen.value;
      if ((await this.saveState(jobId, changed, seen.revision)) !== null) return changed;
    }
  }

  async putCheckpoints(jobId: string, checkpoints: Checkpoint[]): Promise<void> {
    await this.#client.send(
      new PutCommand({ TableName: this.#table, Item: { pk: jobKey(jobId), sk: 'CHECKPOINTS', checkpoints } }),
    );
  }

  async putRun(jobId: string, run: Run): Promise<void> {
    await this.#client.send(
      new PutCommand({
        TableName: this.#table,
        Item: { pk: `RUNS#${jobId}`, sk: `RUN#${run.startedAt}#${run.runId}`, ...run },
      }),
    );
  }

  /**
   * Writes one execution's part of a run; the run has ended when all that it expected have. A run that failed before it
   * could be recorded is recorded now.
   */
  async finishRun(
    { jobId, runId, startedAt, part }: { jobId: string; runId: string; startedAt: string; part: string },
    tables: Run['tables'],
    error: string | null,
    now: Date,
  ): Promise<Run> {
    const key = { pk: `RUNS#${jobId}`, sk: `RUN#${startedAt}#${runId}` };
    const first: Run = {
      runId,
      trigger: 'hand',
      scheduledTime: startedAt,
      startedAt,
      status: 'running',
      warnings: [],
      tables: {},
      expected: ['job'],
      expiresAt: expiryOf(startedAt),
    };
    await this.#unlessRefused(
      new PutCommand({
        TableName: this.#table,
        Item: { ...key, ...first },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
    const all = Object.keys(tables);
    const last = all.splice(Math.max(0, all.length - TABLES_AT_ONCE));
    for (; all.length > 0; ) await this.#addToRun(key, tables, all.splice(0, TABLES_AT_ONCE));
    const run = await this.#addToRun(key, tables, last, { part, error });
    // A run that broke off as a whole waits for nobody: parts may never have been started.
    if (!error && !run.expected.every((one) => run.parts.has(one))) return run;
    const failed = run.error !== undefined || Object.values(run.tables).some((one) => one.error !== undefined);
    const ended = { status: failed ? ('failed' as const) : ('succeeded' as const), finishedAt: now.toISOString() };
    await this.#client.send(
      new UpdateCommand({
        TableName: this.#table,
        Key: key,
        UpdateExpression: 'SET #status = :status, finishedAt = :at',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':status': ended.status, ':at': ended.finishedAt },
      }),
    );
    return { ...run, ...ended };
  }

  /** Adds some tables to a run's item, and with the last of them the part that has ended. */
  async #addToRun(
    key: { pk: string; sk: string },
    tables: Run['tables'],
    names: string[],
    ended?: { part: string; error: string | null },
  ): Promise<Run & { parts: Set<string> }> {
    const sets = names.map((_, i) => `tables.#t${i} = :t${i}`);
    const error = ended?.error;
    if (error) sets.push('#error = :error');
    const { Attributes } = await this.#client.send(
      new UpdateCommand({
        TableName: this.#table,
        Key: key,
        UpdateExpression: `${sets.length > 0 ? `SET ${sets.join(', ')} ` : ''}${ended ? 'ADD parts :part' : ''}`,
        ...(sets.length > 0
          ? {
              ExpressionAttributeNames: {
                ...Object.fromEntries(names.map((name, i) => [`#t${i}`, name])),
                ...(error ? { '#error': 'error' } : {}),
              },
            }
          : {}),
        ExpressionAttributeValues: {
          ...(ended ? { ':part': new Set([ended.part]) } : {}),
          ...Object.fromEntries(names.map((name, i) => [`:t${i}`, tables[name]])),
          ...(error ? { ':error': error } : {}),
        },
        ReturnValues: 'ALL_NEW',
      }),
    );
    return Attributes as Run & { parts: Set<string> };
  }

  /** A job's newest runs, newest first. */
  async listRuns(jobId: string, limit: number): Promise<Run[]> {
    const { Items = [] } = await this.#client.send(
      new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': `RUNS#${jobId}` },
        ScanIndexForward: false,
        ConsistentRead: true,
        Limit: limit,
      }),
    );
    return Items as Run[];
  }

  /** @returns false where the condition did not hold; every other error is thrown */
  async #unlessRefused(command: PutCommand): Promise<boolean> {
    try {
      await this.#client.send(command);
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }
}

/** DynamoDB allows 4 KB of update expression and 300 operators in it (its quotas). */
const TABLES_AT_ONCE = 100;

const jobKey = (jobId: string): string => `JOB#${jobId}`;
const TABLE = 'TABLE#';
const STATE = 'STATE#';

const statesIn = (items: Map<string, Record<string, unknown>>): JobData['states'] =>
  new Map(
    [...items]
      .filter(([sk]) => sk.startsWith(STATE))
      .map(([sk, item]) => [
        sk.slice(STATE.length),
        { value: item.state as TableState, revision: Number(item.revision) },
      ]),
  );
