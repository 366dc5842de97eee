import { isDeepStrictEqual } from 'node:util';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchGetCommand, GetCommand, PutCommand, paginateQuery, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { NOTHING_REMEMBERED, type Remembered } from '../core/fence.ts';
import { withoutExcluded } from '../core/treatment.ts';
import { storedColumn } from '../model/column.ts';
import type { Compared } from '../model/compared.ts';
import { errors } from '../model/errors.ts';
import { Job } from '../model/job.ts';
import { parseInWords, problemsOf } from '../model/problems.ts';
import type { TableState } from '../model/state.ts';
import { Table } from '../model/table.ts';
import { COMPARED, comparedIn } from './comparisons.ts';
import { ConfigTable } from './config-table.ts';
import { jobKey, STATE, TABLE } from './keys.ts';

/** A state as it was read: it is written back only if nobody wrote in between. */
export interface Revised<T> {
  value: T;
  revision: number;
}

/** A table's state; one that nobody wrote yet knows nothing. */
export const stateIn = (states: JobData['states'], sourceName: string): Revised<TableState> =>
  states.get(sourceName) ?? { value: { sourceName }, revision: 0 };

/** Everything of a job that a run needs, from one read of its partition. */
export interface JobData {
  job: Job;
  tables: Table[];
  /** Table items that a person edited into nonsense, by their names, with what is wrong: the others go on. */
  broken: Map<string, Error>;
  states: Map<string, Revised<TableState>>;
  /** What comparisons of its tables found. */
  compared: Map<string, Compared>;
  /** What earlier runs saw, kept only where the fence is blind. */
  remembered: Remembered;
}

/** One of the tables that were read. @throws LoaderError BadConfiguration */
export function tableOf({ tables, broken }: Pick<JobData, 'tables' | 'broken'>, name: string): Table {
  const table = tables.find(({ sourceName }) => sourceName === name);
  if (table) return table;
  throw (
    broken.get(name) ?? errors.badConfiguration(`${name}: the job has no such table any more – look at those it has`)
  );
}

/** Whether setup has ever found a table; one whose item is broken is one, too. */
export const hasTables = ({ tables, broken }: Pick<JobData, 'tables' | 'broken'>): boolean =>
  tables.length + broken.size > 0;

/**
 * Jobs and their tables. A job's partition `JOB#<jobId>` holds its items by kind: JOB, TABLE#<name> (what people decide),
 * STATE#<name> (what the loader knows), CHECKPOINTS.
 */
export class Store {
  readonly #items: ConfigTable;

  constructor(table: string, client?: DynamoDBClient) {
    this.#items = new ConfigTable(table, client);
  }

  /**
   * @param only the tables to read, at most 40; all of them where absent
   * @throws LoaderError BadConfiguration where there is no such job, or a person edited it into nonsense
   */
  async readJob(jobId: string, only?: string[]): Promise<JobData> {
    const items = only ? await this.#named(jobId, only) : await this.#partition(jobId);
    const jobItem = items.get('JOB');
    if (!jobItem) throw errors.badConfiguration(`there is no job ${JSON.stringify(jobId)}: create it first`);
    const job = parseInWords(Job, jobItem);
    if (!job.success) throw errors.badConfiguration(`job ${jobId}: ${problemsOf(job.error)}`);
    const tables: Table[] = [];
    const broken = new Map<string, Error>();
    for (const [sk, item] of items) {
      if (!sk.startsWith(TABLE)) continue;
      const name = sk.slice(TABLE.length);
      const parsed = parseInWords(Table, item);
      if (!parsed.success) broken.set(name, errors.badConfiguration(`${name}: ${problemsOf(parsed.error)}`));
      else if (parsed.data.sourceName !== name)
        broken.set(name, errors.badConfiguration(`${name}: sourceName is another than its item's: make it the same`));
      else tables.push(withoutExcluded(parsed.data));
    }
    return {
      job: job.data,
      tables,
      broken,
      states: statesIn(items),
      compared: comparedIn(items),
      remembered: { ...NOTHING_REMEMBERED, ...(items.get('CHECKPOINTS') as Partial<Remembered> | undefined) },
    };
  }

  /** Whether setup has met a table, whatever people made of the job itself. */
  async wasSetUp(jobId: string): Promise<boolean> {
    return (await this.#partition(jobId, TABLE)).size > 0;
  }

  /** What the loader knows of a job's tables, whatever people made of the job itself. */
  async readStates(jobId: string): Promise<JobData['states']> {
    return statesIn(await this.#partition(jobId, STATE));
  }

  /** What comparisons of a job's tables found. */
  async readCompared(jobId: string): Promise<JobData['compared']> {
    return comparedIn(await this.#partition(jobId, COMPARED));
  }

  /** The items of a job's partition by their sort keys. */
  async #partition(jobId: string, kind = ''): Promise<Map<string, Record<string, unknown>>> {
    const items = new Map<string, Record<string, unknown>>();
    const pages = paginateQuery(
      { client: this.#items.client },
      {
        TableName: this.#items.name,
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
    const kinds = tables.flatMap((name) => [`${TABLE}${name}`, `${STATE}${name}`, `${COMPARED}${name}`]);
    let keys: Record<string, unknown>[] = ['JOB', 'CHECKPOINTS', ...kinds].map((sk) => ({ pk: jobKey(jobId), sk }));
    const items = new Map<string, Record<string, unknown>>();
    // An answer over 16 MB, or a throttled one, leaves keys for the next call.
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await this.#items.client.send(
        new BatchGetCommand({ RequestItems: { [this.#items.name]: { Keys: keys, ConsistentRead: true } } }),
      );
      for (const item of Responses?.[this.#items.name] ?? []) items.set(String(item.sk), item);
      keys = UnprocessedKeys?.[this.#items.name]?.Keys ?? [];
    }
    return items;
  }

  /** @returns whether it was added: an item that is there already belongs to a person and stays as it is */
  async addTable(jobId: string, table: Table): Promise<boolean> {
    return this.#items.unlessRefused(
      new PutCommand({
        TableName: this.#items.name,
        Item: { pk: jobKey(jobId), sk: `${TABLE}${table.sourceName}`, ...stored(table) },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
  }

  /** Replaces what setup owns of a table item; keys, mode and limits stay a person's. */
  async updateTable(jobId: string, sourceName: string, change: Partial<Table>): Promise<void> {
    const entries = Object.entries(stored(change));
    await this.#items.client.send(
      new UpdateCommand({
        TableName: this.#items.name,
        Key: { pk: jobKey(jobId), sk: `${TABLE}${sourceName}` },
        UpdateExpression: `SET ${entries.map((_, i) => `#n${i} = :v${i}`).join(', ')}`,
        ExpressionAttributeNames: Object.fromEntries(entries.map(([name], i) => [`#n${i}`, name])),
        ExpressionAttributeValues: Object.fromEntries(entries.map(([, value], i) => [`:v${i}`, value])),
      }),
    );
  }

  async readState(jobId: string, sourceName: string): Promise<Revised<TableState>> {
    const { Item } = await this.#items.client.send(
      new GetCommand({
        TableName: this.#items.name,
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
   * whoever lost it finds another revision. Two who write the very same both have written it.
   * @returns the new revision, or null where somebody else wrote in between
   */
  async saveState(jobId: string, state: TableState, seen: number): Promise<number | null> {
    const unchanged = seen === 0 ? 'attribute_not_exists(pk)' : 'revision = :seen';
    const saved = await this.#items.unlessRefused(
      new PutCommand({
        TableName: this.#items.name,
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
    if (saved) return seen + 1;
    // An answer that was lost makes the client write again: what it finds then is what it wrote itself.
    const now = await this.readState(jobId, state.sourceName);
    const isOurs = now.revision === seen + 1 && isDeepStrictEqual(now.value, JSON.parse(JSON.stringify(state)));
    return isOurs ? seen + 1 : null;
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

  async putRemembered(jobId: string, remembered: Remembered): Promise<void> {
    await this.#items.client.send(
      new PutCommand({ TableName: this.#items.name, Item: { pk: jobKey(jobId), sk: 'CHECKPOINTS', ...remembered } }),
    );
  }
}

/** A table, or a part of it, as its item has it. */
const stored = ({ columns, dropped, ...rest }: Partial<Table>): Record<string, unknown> => ({
  ...rest,
  ...(columns ? { columns: columns.map(storedColumn) } : {}),
  ...(dropped ? { dropped: dropped.map(storedColumn) } : {}),
});

const statesIn = (items: Map<string, Record<string, unknown>>): JobData['states'] =>
  new Map(
    [...items]
      .filter(([sk]) => sk.startsWith(STATE))
      .map(([sk, item]) => [
        sk.slice(STATE.length),
        { value: item.state as TableState, revision: Number(item.revision) },
      ]),
  );
