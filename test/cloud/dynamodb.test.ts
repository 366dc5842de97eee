import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  BatchWriteItemCommand,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { type FixtureCloud, fixtureCloud } from './fixture-cloud.ts';

const state = mkdtempSync(join(tmpdir(), 'redshift-loader-dynamodb-'));
after(() => rmSync(state, { recursive: true, force: true }));

const item = (pk: string, more: Record<string, { S: string } | { N: string }> = {}) => ({ pk: { S: pk }, ...more });
const eventsOf = (cloud: FixtureCloud) =>
  cloud.lines
    .filter(({ line }) => line.startsWith('EVENT '))
    .flatMap(({ line }) => JSON.parse(line.slice(6)).Records)
    .map(({ eventName, dynamodb }) => [
      eventName,
      dynamodb.Keys.pk.S,
      dynamodb.OldImage?.v?.N,
      dynamodb.NewImage?.v?.N,
    ]);

test('items are there after the next start', async () => {
  {
    await using cloud = await fixtureCloud({ state });
    const client = new DynamoDBClient(cloud.client);
    await client.send(new PutItemCommand({ TableName: cloud.table, Item: item('kept') }));
    client.destroy();
  }
  await using cloud = await fixtureCloud({ state });
  const client = new DynamoDBClient(cloud.client);
  const { Item } = await client.send(new GetItemCommand({ TableName: cloud.table, Key: item('kept') }));
  assert.deepEqual(Item, item('kept'));
  client.destroy();
});

test('a conditional write that fails says so, and transactions are refused', async () => {
  await using cloud = await fixtureCloud();
  const client = new DynamoDBClient(cloud.client);
  const Put = { TableName: cloud.table, Item: item('once'), ConditionExpression: 'attribute_not_exists(pk)' };
  await client.send(new PutItemCommand(Put));
  await assert.rejects(client.send(new PutItemCommand(Put)), { name: 'ConditionalCheckFailedException' });
  const transaction = client.send(new TransactWriteItemsCommand({ TransactItems: [{ Put }] }));
  await assert.rejects(transaction, { name: 'UnknownOperationException' });
  client.destroy();
});

test('changes reach the function on the stream in order, with both images, and only those that its filter lets through', async () => {
  await using cloud = await fixtureCloud();
  const client = new DynamoDBClient(cloud.client);
  const TableName = cloud.table;
  const write = (Item: ReturnType<typeof item>) => client.send(new PutItemCommand({ TableName, Item }));
  await write(item('schedule#1', { v: { N: '1' } }));
  await write(item('job#1', { v: { N: '1' } }));
  const change = { UpdateExpression: 'SET v = :v', ExpressionAttributeValues: { ':v': { N: '2' } } };
  await client.send(new UpdateItemCommand({ TableName, Key: item('schedule#1'), ...change }));
  await client.send(new UpdateItemCommand({ TableName, Key: item('schedule#1'), ...change }));
  await client.send(new DeleteItemCommand({ TableName, Key: item('schedule#1') }));
  const requests = [item('schedule#2', { v: { N: '5' } }), item('job#2')].map((Item) => ({ PutRequest: { Item } }));
  await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
  await cloud.idle();
  assert.deepEqual(eventsOf(cloud), [
    ['INSERT', 'schedule#1', undefined, '1'],
    ['MODIFY', 'schedule#1', '1', '2'],
    ['REMOVE', 'schedule#1', '2', undefined],
    ['INSERT', 'schedule#2', undefined, '5'],
  ]);
  client.destroy();
});

test("a batch that fails is tried again, and given up after the mapping's last try without holding up the next", async () => {
  await using cloud = await fixtureCloud();
  const client = new DynamoDBClient(cloud.client);
  const write = async (pk: string, fail: number) => {
    await client.send(new PutItemCommand({ TableName: cloud.table, Item: item(pk, { fail: { N: String(fail) } }) }));
    await cloud.idle();
  };
  await write('schedule#twice', 2);
  await write('schedule#ever', 99);
  await write('schedule#never', 0);
  assert.deepEqual(
    eventsOf(cloud).map(([, pk]) => pk),
    ['schedule#twice', 'schedule#never'],
  );
  assert.deepEqual(cloud.lines.filter(({ name }) => name === 'dead-letters').length, 1);
  client.destroy();
});
