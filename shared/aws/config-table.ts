import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  type DeleteCommand,
  DynamoDBDocumentClient,
  type PutCommand,
  paginateQuery,
  type UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { errors } from '../model/errors.ts';

/** One for the whole process, so that a warm function's connections are used again. */
let own: DynamoDBClient | undefined;

function ownClient(): DynamoDBClient {
  own ??= new DynamoDBClient({});
  return own;
}

/**
 * The one DynamoDB table, by partitions: `JOB#<jobId>` (`store.ts`, `schedules.ts`), `RUNS#<jobId>` (`runs.ts`, `ticks.ts`). What is
 * frequent and small lies apart from what is read as a whole.
 */
export class ConfigTable {
  readonly name: string;
  readonly client: DynamoDBDocumentClient;

  constructor(name: string, client = ownClient()) {
    this.name = name;
    this.client = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  }

  /** The last of a partition's items of one kind, by their sort keys, the last first. Without their keys. */
  async newest(pk: string, kind: string, limit: number): Promise<Record<string, unknown>[]> {
    const found: Record<string, unknown>[] = [];
    // However few were asked for, a page ends at 1 MB: some dozens of runs of many tables.
    const pages = paginateQuery(
      { client: this.client, pageSize: limit },
      {
        TableName: this.name,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :kind)',
        ExpressionAttributeValues: { ':pk': pk, ':kind': kind },
        ScanIndexForward: false,
        ConsistentRead: true,
      },
    );
    for await (const { Items = [] } of pages) {
      found.push(...Items);
      if (found.length >= limit) break;
    }
    return found.slice(0, limit).map(({ pk: _pk, sk: _sk, ...item }) => item);
  }

  /**
   * @returns false where the condition did not hold; every other error is thrown
   * @throws LoaderError BadConfiguration where an item would have more than DynamoDB takes
   */
  async unlessRefused(command: PutCommand | UpdateCommand | DeleteCommand): Promise<boolean> {
    try {
      await this.client.send(command as PutCommand);
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      if (isItemTooLarge(error))
        throw errors.badConfiguration(
          'takes more than the 400 KB that DynamoDB has for an item: name fewer tables and columns in it',
        );
      throw error;
    }
  }
}

/** Whether DynamoDB refused an item for having more than 400 KB: it has no error of its own for that. */
export const isItemTooLarge = (error: unknown): boolean => /^item size .*exceeded/i.test((error as Error).message);
