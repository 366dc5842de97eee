import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand, GetCommand, PutCommand, paginateQuery, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Job } from '../model/job.ts';
import { ConfigTable } from './config-table.ts';
import { DIRECTORY, jobKey, runsKey } from './keys.ts';

/** An item as it lies in the table, whatever a person made of it. */
export type Item = Record<string, unknown>;

/** BatchWriteItem takes at most this many. */
const DELETED_AT_ONCE = 25;

/**
 * What people decide: a job's items, changed only at the revision that the editor saw. Setup writes attributes of its own
 * to table items (columns, created, what it found), which nobody edits, and leaves the revision alone: neither it nor an
 * editor ever loses what the other wrote, and an edit is outdated only by another person's.
 */
export class Edits {
  readonly #items: ConfigTable;

  constructor(table: string, client?: DynamoDBClient) {
    this.#items = new ConfigTable(table, client);
  }

  /** The ids of all jobs, in their order. */
  async listJobs(): Promise<string[]> {
    const ids: string[] = [];
    for await (const { sk } of this.#partition(DIRECTORY)) ids.push(String(sk));
    return ids;
  }

  /** Creates or replaces a job. */
  async putJob(job: Job): Promise<void> {
    await this.enter(job.jobId);
    await this.#items.client.send(
      new PutCommand({ TableName: this.#items.name, Item: { pk: jobKey(job.jobId), sk: 'JOB', ...job } }),
    );
  }

  /** @returns false where there is a job of this id: it stays as it is */
  async createJob(job: Job): Promise<boolean> {
    // The directory first: an entry without its job is passed over, a job without its entry would never be listed.
    await this.enter(job.jobId);
    return this.#items.unlessRefused(
      new PutCommand({
        TableName: this.#items.name,
        Item: { pk: jobKey(job.jobId), sk: 'JOB', ...job },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
  }

  /** @param sk `JOB`, or a key by `tableKey` and its like */
  async read(jobId: string, sk: string): Promise<Item | null> {
    const { Item = null } = await this.#items.client.send(
      new GetCommand({ TableName: this.#items.name, Key: { pk: jobKey(jobId), sk }, ConsistentRead: true }),
    );
    return Item;
  }

  /**
   * Changes some attributes of an item; undefined takes one away.
   * @param seen the revision that the editor saw
   * @returns false where the item has another revision, or is gone
   */
  async edit(jobId: string, sk: string, change: Item, seen: number): Promise<boolean> {
    const entries = Object.entries({ ...change, revision: seen + 1 });
    const names = Object.fromEntries(entries.map(([name], i) => [`#n${i}`, name]));
    const sets = entries.flatMap(([, value], i) => (value === undefined ? [] : [`#n${i} = :v${i}`]));
    const removes = entries.flatMap(([, value], i) => (value === undefined ? [`#n${i}`] : []));
    const written = entries.flatMap(([, value], i) => (value === undefined ? [] : [[`:v${i}`, value] as const]));
    const unchanged = seen === 0 ? '(attribute_not_exists(#rev) OR #rev = :seen)' : '#rev = :seen';
    return this.#items.unlessRefused(
      new UpdateCommand({
        TableName: this.#items.name,
        Key: { pk: jobKey(jobId), sk },
        UpdateExpression: `SET ${sets.join(', ')}${removes.length > 0 ? ` REMOVE ${removes.join(', ')}` : ''}`,
        ConditionExpression: `attribute_exists(pk) AND ${unchanged}`,
        ExpressionAttributeNames: { ...names, '#rev': 'revision' },
        ExpressionAttributeValues: { ...Object.fromEntries(written), ':seen': seen },
      }),
    );
  }

  /**
   * Deletes a job with everything that is kept of it. Its own item goes last: what breaks off can be asked for again.
   * @returns how many items there were
   */
  async deleteJob(jobId: string): Promise<number> {
    const keys: { pk: string; sk: string }[] = [];
    for (const pk of [runsKey(jobId), jobKey(jobId)])
      for await (const { sk } of this.#partition(pk)) if (sk !== 'JOB') keys.push({ pk, sk: String(sk) });
    for (let start = 0; start < keys.length; start += DELETED_AT_ONCE)
      await this.#delete(keys.slice(start, start + DELETED_AT_ONCE));
    await this.#delete([{ pk: jobKey(jobId), sk: 'JOB' }]);
    await this.#delete([{ pk: DIRECTORY, sk: jobId }]);
    return keys.length + 1;
  }

  async #delete(keys: { pk: string; sk: string }[]): Promise<void> {
    let requests: NonNullable<BatchWriteCommand['input']['RequestItems']>[string] = keys.map((Key) => ({
      DeleteRequest: { Key },
    }));
    // A throttled call leaves some for the next one.
    while (requests.length > 0) {
      const { UnprocessedItems } = await this.#items.client.send(
        new BatchWriteCommand({ RequestItems: { [this.#items.name]: requests } }),
      );
      requests = UnprocessedItems?.[this.#items.name] ?? [];
    }
  }

  /** Lists a job, however it was made. */
  async enter(jobId: string): Promise<void> {
    await this.#items.client.send(new PutCommand({ TableName: this.#items.name, Item: { pk: DIRECTORY, sk: jobId } }));
  }

  /** The keys of a partition's items. */
  async *#partition(pk: string): AsyncGenerator<{ sk?: unknown }> {
    const pages = paginateQuery(
      { client: this.#items.client },
      {
        TableName: this.#items.name,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk',
        ProjectionExpression: 'sk',
        ExpressionAttributeValues: { ':pk': pk },
      },
    );
    for await (const { Items = [] } of pages) yield* Items;
  }
}
