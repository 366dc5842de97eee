import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, GetCommand, PutCommand, paginateQuery, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { errors } from '../model/errors.ts';
import { type Pause, readSchedule, type Schedule } from '../model/schedule.ts';
import { ConfigTable } from './config-table.ts';
import { jobKey, PAUSE, SCHEDULE } from './keys.ts';

/** A schedule as it was read: it is written back only if nobody wrote in between. */
export interface StoredSchedule {
  scheduleId: string;
  /** What people decided, or why their item makes no sense. */
  schedule: Schedule | Error;
  /** Rises with every write by `replace`; 0 for an item that a person made by other means. */
  revision: number;
  /** Why EventBridge Scheduler does not follow it. */
  syncError: string | null;
}

/**
 * What people decide about schedules: the items `SCHEDULE#<scheduleId>` in a job's partition, and the pause of the whole
 * installation. EventBridge Scheduler follows them by the table's stream, however they were edited.
 */
export class Schedules {
  readonly #items: ConfigTable;

  constructor(table: string, client?: DynamoDBClient) {
    this.#items = new ConfigTable(table, client);
  }

  /** A job's schedules by their ids, those that make no sense included. */
  async list(jobId: string): Promise<StoredSchedule[]> {
    const found: StoredSchedule[] = [];
    const pages = paginateQuery(
      { client: this.#items.client },
      {
        TableName: this.#items.name,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :kind)',
        ExpressionAttributeValues: { ':pk': jobKey(jobId), ':kind': SCHEDULE },
      },
    );
    for await (const { Items = [] } of pages) for (const item of Items) found.push(stored(jobId, item));
    return found;
  }

  async read(jobId: string, scheduleId: string): Promise<StoredSchedule | null> {
    const { Item } = await this.#items.client.send(
      new GetCommand({ TableName: this.#items.name, Key: scheduleKey(jobId, scheduleId), ConsistentRead: true }),
    );
    return Item ? stored(jobId, Item) : null;
  }

  /** @returns whether it was created: there may be one of this id already */
  async create(schedule: Schedule): Promise<boolean> {
    return this.#put(schedule, 1, { ConditionExpression: 'attribute_not_exists(pk)' });
  }

  /**
   * Replaces a schedule that is still the one that was read.
   * @returns the new revision, or null where somebody else wrote in between, or deleted it
   */
  async replace(schedule: Schedule, seen: number): Promise<number | null> {
    return (await this.#put(schedule, seen + 1, unchanged(seen))) ? seen + 1 : null;
  }

  /** @returns whether it was deleted: false where it was changed since it was read */
  async remove(jobId: string, scheduleId: string, seen: number): Promise<boolean> {
    return this.#items.unlessRefused(
      new DeleteCommand({ TableName: this.#items.name, Key: scheduleKey(jobId, scheduleId), ...unchanged(seen) }),
    );
  }

  /** Writes or takes back why Scheduler does not follow; leaves a schedule alone that was deleted meanwhile. */
  async setSyncError(jobId: string, scheduleId: string, syncError: string | null): Promise<void> {
    await this.#items.unlessRefused(
      new UpdateCommand({
        TableName: this.#items.name,
        Key: scheduleKey(jobId, scheduleId),
        UpdateExpression: syncError === null ? 'REMOVE syncError' : 'SET syncError = :why',
        ConditionExpression: 'attribute_exists(pk)',
        ...(syncError === null ? {} : { ExpressionAttributeValues: { ':why': syncError } }),
      }),
    );
  }

  /** While an installation is paused no schedule runs; a run by hand does. */
  async pause(reason: string, now: Date): Promise<void> {
    const pause: Pause = { reason, since: now.toISOString() };
    await this.#items.client.send(new PutCommand({ TableName: this.#items.name, Item: { ...PAUSE, ...pause } }));
  }

  async resume(): Promise<void> {
    await this.#items.client.send(new DeleteCommand({ TableName: this.#items.name, Key: PAUSE }));
  }

  async readPause(): Promise<Pause | null> {
    const { Item } = await this.#items.client.send(
      new GetCommand({ TableName: this.#items.name, Key: PAUSE, ConsistentRead: true }),
    );
    return Item ? pauseIn(Item) : null;
  }

  #put(schedule: Schedule, revision: number, condition: Condition): Promise<boolean> {
    const { jobId, scheduleId } = schedule;
    return this.#items.unlessRefused(
      new PutCommand({
        TableName: this.#items.name,
        Item: { ...scheduleKey(jobId, scheduleId), ...schedule, revision },
        ...condition,
      }),
    );
  }
}

export const scheduleKey = (jobId: string, scheduleId: string): { pk: string; sk: string } => ({
  pk: jobKey(jobId),
  sk: `${SCHEDULE}${scheduleId}`,
});

interface Condition {
  ConditionExpression: string;
  ExpressionAttributeValues?: Record<string, unknown>;
}

const unchanged = (seen: number): Condition =>
  seen === 0
    ? { ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(revision)' }
    : { ConditionExpression: 'revision = :seen', ExpressionAttributeValues: { ':seen': seen } };

/** Whoever pauses by a hand-made item need not know its attributes. */
export const pauseIn = (item: Record<string, unknown>): Pause => ({
  reason: typeof item.reason === 'string' ? item.reason : '',
  since: typeof item.since === 'string' ? item.since : '',
});

function stored(jobId: string, item: Record<string, unknown>): StoredSchedule {
  const scheduleId = String(item.sk).slice(SCHEDULE.length);
  const read = readSchedule(item, { jobId, scheduleId });
  return {
    scheduleId,
    schedule: typeof read === 'string' ? errors.badConfiguration(`schedule ${scheduleId}: ${read}`) : read,
    revision: typeof item.revision === 'number' ? item.revision : 0,
    syncError: typeof item.syncError === 'string' ? item.syncError : null,
  };
}
