import { isDeepStrictEqual } from 'node:util';
import { REGION } from '../identity.ts';
import { isRecord } from '../intrinsics.ts';
import type { Resource } from '../template.ts';

/** An item in DynamoDB's own JSON, e.g. `{ pk: { S: 'job#1' } }`. */
export type Item = Record<string, Record<string, unknown>>;

/** One change, as a function on the table's stream gets it. */
export interface StreamRecord {
  eventID: string;
  eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  eventVersion: '1.1';
  eventSource: 'aws:dynamodb';
  awsRegion: string;
  eventSourceARN: string;
  dynamodb: {
    /** Seconds. */
    ApproximateCreationDateTime: number;
    Keys: Item;
    NewImage?: Item;
    OldImage?: Item;
    SequenceNumber: string;
    SizeBytes: number;
    StreamViewType: string;
  };
}

/** The keys of the items that a call may change; for any other call none. */
export function keysWritten(action: string, input: Record<string, unknown>, keyNames: string[]): Item[] {
  const keyOf = (item: unknown) => {
    if (!isRecord(item)) return [];
    const entries = keyNames.map((name) => [name, item[name]]);
    return entries.every(([, value]) => value !== undefined) ? [Object.fromEntries(entries) as Item] : [];
  };
  if (action === 'PutItem') return keyOf(input.Item);
  if (action === 'UpdateItem' || action === 'DeleteItem') return keyOf(input.Key);
  if (action !== 'BatchWriteItem' || !isRecord(input.RequestItems)) return [];
  return Object.values(input.RequestItems).flatMap((requests) =>
    (Array.isArray(requests) ? requests : []).flatMap((request) =>
      keyOf(request.PutRequest?.Item ?? request.DeleteRequest?.Key),
    ),
  );
}

let lastSequence = 0;

/** The record of a change; undefined if the write changed nothing, which DynamoDB doesn't stream either. */
export function streamRecord(
  table: Resource,
  view: string,
  key: Item,
  before: Item | undefined,
  after: Item | undefined,
): StreamRecord | undefined {
  if (isDeepStrictEqual(before, after)) return undefined;
  const now = Date.now();
  lastSequence = Math.max(lastSequence + 1, now * 1000);
  const number = String(lastSequence).padStart(21, '1');
  const newImage = view !== 'KEYS_ONLY' && view !== 'OLD_IMAGE' && after !== undefined;
  const oldImage = view !== 'KEYS_ONLY' && view !== 'NEW_IMAGE' && before !== undefined;
  return {
    eventID: number,
    eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: REGION,
    eventSourceARN: table.arn,
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(now / 1000),
      Keys: key,
      ...(newImage && { NewImage: after }),
      ...(oldImage && { OldImage: before }),
      SequenceNumber: number,
      SizeBytes: JSON.stringify([before, after]).length,
      StreamViewType: view,
    },
  };
}

/** The value of a key attribute as text, as IAM's `dynamodb:LeadingKeys` sees it. */
export function keyText(value: unknown): string {
  return isRecord(value) ? String(Object.values(value)[0]) : '';
}
