import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Compared, ComparisonEvent } from '../model/compared.ts';
import { ConfigTable } from './config-table.ts';

export const COMPARED = 'COMPARED#';
const keyOf = (jobId: string, table: string) => ({ pk: `JOB#${jobId}`, sk: `${COMPARED}${table}` });

/** What comparisons found, an item a table beside its state: `COMPARED#<name>`. */
export class Comparisons {
  readonly #items: ConfigTable;

  constructor(table: string, client?: DynamoDBClient) {
    this.#items = new ConfigTable(table, client);
  }

  async read(jobId: string, table: string): Promise<Compared> {
    const { Item } = await this.#items.client.send(
      new GetCommand({ TableName: this.#items.name, Key: keyOf(jobId, table), ConsistentRead: true }),
    );
    return { ...(Item as Compared | undefined), sourceName: table };
  }

  /**
   * Writes what a comparison has found, unless another of its kind was begun since: a function whose execution was stopped is
   * told by nobody, and may know its result only when the next has told its own.
   */
  async tell(
    { jobId, table, kind, runId }: Pick<ComparisonEvent, 'jobId' | 'table' | 'kind' | 'runId'>,
    change: Partial<Compared>,
  ): Promise<void> {
    await this.change(jobId, table, change, { [`${kind}By`]: runId });
  }

  /**
   * Changes the attributes that are named; one that is undefined goes. Comparisons of two kinds don't disturb each other.
   * @param seen attributes that have to be as they were read, or nothing is changed
   * @returns whether they were
   */
  async change(
    jobId: string,
    table: string,
    change: Partial<Compared>,
    seen: Partial<Compared> = {},
  ): Promise<boolean> {
    const entries = Object.entries({ ...change, sourceName: table });
    const names = Object.fromEntries(entries.map(([name], i) => [`#n${i}`, name]));
    const set = entries.flatMap(([, value], i) => (value === undefined ? [] : [`#n${i} = :v${i}`]));
    const gone = entries.flatMap(([, value], i) => (value === undefined ? [`#n${i}`] : []));
    const known = Object.entries(seen);
    const conditions = known.map(([, value], i) =>
      value === undefined ? `attribute_not_exists(#s${i})` : `#s${i} = :s${i}`,
    );
    return this.#items.unlessRefused(
      new UpdateCommand({
        TableName: this.#items.name,
        Key: keyOf(jobId, table),
        UpdateExpression: `SET ${set.join(', ')}${gone.length > 0 ? ` REMOVE ${gone.join(', ')}` : ''}`,
        ...(conditions.length > 0 ? { ConditionExpression: conditions.join(' AND ') } : {}),
        ExpressionAttributeNames: { ...names, ...Object.fromEntries(known.map(([name], i) => [`#s${i}`, name])) },
        ExpressionAttributeValues: Object.fromEntries([
          ...entries.flatMap(([, value], i) => (value === undefined ? [] : [[`:v${i}`, value]])),
          ...known.flatMap(([, value], i) => (value === undefined ? [] : [[`:s${i}`, value]])),
        ]),
      }),
    );
  }
}

/** Those among a job's items, by their tables. */
export const comparedIn = (items: Map<string, Record<string, unknown>>): Map<string, Compared> =>
  new Map(
    [...items]
      .filter(([sk]) => sk.startsWith(COMPARED))
      .map(([sk, item]) => [sk.slice(COMPARED.length), item as unknown as Compared]),
  );
