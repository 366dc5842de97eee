import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { expiryOf, type Run } from '../model/run.ts';
import { ConfigTable, isItemTooLarge } from './config-table.ts';
import { RUN, runsKey } from './keys.ts';

/** An execution that ends. */
export interface RunPart {
  jobId: string;
  runId: string;
  startedAt: string;
  part: string;
  /** What started the run, should it not have been recorded yet. */
  trigger?: string | undefined;
  scheduleId?: string | null | undefined;
  scheduledTime?: string | null | undefined;
}

/** The history of a job's runs, in a partition of its own (`RUNS#<jobId>`): reading a job never reads it. */
export class Runs {
  readonly #items: ConfigTable;

  constructor(table: string, client?: DynamoDBClient) {
    this.#items = new ConfigTable(table, client);
  }

  /**
   * Records a run as plan sees it.
   * @returns false where an end of it has been told already: then nobody waits for what it does
   */
  async begin(jobId: string, run: Run): Promise<boolean> {
    return this.#items.unlessRefused(
      new PutCommand({
        TableName: this.#items.name,
        Item: { pk: runsKey(jobId), sk: sortKey(run), ...run },
        ConditionExpression: 'attribute_not_exists(parts)',
      }),
    );
  }

  /** Whether the end of a part of a run has been told. */
  async hasEnded(jobId: string, run: Pick<Run, 'runId' | 'startedAt'>, part: string): Promise<boolean> {
    return (await this.#recorded(jobId, run))?.parts?.has(part) ?? false;
  }

  /** A run that has ended, a part of which has told its own end; null of others. */
  async ended(jobId: string, run: Pick<Run, 'runId' | 'startedAt'>, part: string): Promise<Run | null> {
    const known = await this.#recorded(jobId, run);
    return known?.parts?.has(part) && known.status !== 'running' ? (known as Run) : null;
  }

  async #recorded(jobId: string, run: Pick<Run, 'runId' | 'startedAt'>): Promise<Partial<Recorded> | undefined> {
    const { Item } = await this.#items.client.send(
      new GetCommand({
        TableName: this.#items.name,
        Key: { pk: runsKey(jobId), sk: sortKey(run) },
        ConsistentRead: true,
      }),
    );
    return Item as Partial<Recorded> | undefined;
  }

  /**
   * Writes one execution's part of a run; the run has ended when all that it expected have. A run that failed before it
   * could be recorded is recorded now.
   */
  async finish(
    { jobId, runId, startedAt, part, trigger = 'hand', scheduleId, scheduledTime }: RunPart,
    tables: Run['tables'],
    error: string | null,
    now: Date,
  ): Promise<Run> {
    const key = { pk: runsKey(jobId), sk: sortKey({ startedAt, runId }) };
    const first: Run = {
      runId,
      trigger,
      ...(scheduleId ? { scheduleId } : {}),
      scheduledTime: scheduledTime ?? startedAt,
      startedAt,
      status: 'running',
      warnings: [],
      tables: {},
      expected: ['job'],
      expiresAt: expiryOf(startedAt),
    };
    await this.#items.unlessRefused(
      new PutCommand({
        TableName: this.#items.name,
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
    await this.#items.client.send(
      new UpdateCommand({
        TableName: this.#items.name,
        Key: key,
        UpdateExpression: 'SET #status = :status, finishedAt = :at',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':status': ended.status, ':at': ended.finishedAt },
      }),
    );
    return { ...run, ...ended };
  }

  /**
   * Adds some tables to a run's item, and with the last of them the part that has ended. Where very many tables have more to
   * tell than an item holds, all is told in brief.
   */
  async #addToRun(...[key, tables, names, ended]: Addition): Promise<Recorded> {
    try {
      return await this.#add(key, tables, names, ended);
    } catch (error) {
      if (!isItemTooLarge(error)) throw error;
    }
    const { Item } = await this.#items.client.send(
      new GetCommand({ TableName: this.#items.name, Key: key, ConsistentRead: true }),
    );
    const told = (Item as Run).tables;
    const all = Object.keys(told);
    for (; all.length > 0; ) await this.#add(key, inBrief(told), all.splice(0, TABLES_AT_ONCE));
    return this.#add(key, inBrief(tables), names, ended);
  }

  async #add(...[key, tables, names, ended]: Addition): Promise<Recorded> {
    const sets = names.map((_, i) => `tables.#t${i} = :t${i}`);
    const error = ended?.error;
    if (error) sets.push('#error = :error');
    const { Attributes } = await this.#items.client.send(
      new UpdateCommand({
        TableName: this.#items.name,
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
    return Attributes as Recorded;
  }

  /** A job's newest runs, newest first. */
  async list(jobId: string, limit: number): Promise<Run[]> {
    return (await this.#items.newest(runsKey(jobId), RUN, limit)) as unknown as Run[];
  }

  /** Of the newest runs, by their ids, the parts whose end has been told. */
  async endedParts(jobId: string, limit: number): Promise<Map<string, Set<string>>> {
    const newest = (await this.list(jobId, limit)) as (Run & { parts?: Set<string> })[];
    return new Map(newest.map(({ runId, parts = new Set() }) => [runId, parts]));
  }
}

type Recorded = Run & { parts: Set<string> };
type Addition = [
  key: { pk: string; sk: string },
  tables: Run['tables'],
  names: string[],
  ended?: { part: string; error: string | null },
];

const BRIEF_ERROR = 100;

/** Without what may be long, and with the beginning of an error: a table's own state has it whole. */
const inBrief = (tables: Run['tables']): Run['tables'] =>
  Object.fromEntries(
    Object.entries(tables).map(([name, { error, changed: _, changedColumns: _c, schemaChanges: _s, ...told }]) => {
      const brief = error && error.length > BRIEF_ERROR ? `${error.slice(0, BRIEF_ERROR)}…` : error;
      return [name, { ...told, ...(brief ? { error: brief } : {}) }];
    }),
  );

/** Written in one way: Step Functions leaves out milliseconds that are none, the dates of its events are numbers. */
const sortKey = ({ startedAt, runId }: Pick<Run, 'startedAt' | 'runId'>): string =>
  `${RUN}${new Date(startedAt).toISOString()}#${runId}`;

/** DynamoDB allows 4 KB of update expression and 300 operators in it (its quotas). */
const TABLES_AT_ONCE = 100;
