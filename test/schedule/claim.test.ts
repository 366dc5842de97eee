import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import { after, before, test } from 'node:test';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { isDue } from '../../shared/core/schedule/gate.ts';
import { claimTick, memoryWrite } from '../../shared/core/schedule/memory.ts';
import { type GateMemory, NO_TICKS } from '../../shared/model/schedule.ts';
import { settled, tickAt } from './ticks.ts';

/** The package comes without types. */
const dynalite: (options: { createTableMs: number }) => Server = createRequire(import.meta.url)('dynalite');

const server = dynalite({ createTableMs: 0 });
let table: DynamoDBDocumentClient;

before(async () => {
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', () => ready()));
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  table = DynamoDBDocumentClient.from(client);
  await client.send(
    new CreateTableCommand({
      TableName: 'config',
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
});

after(() => {
  table.destroy();
  return new Promise((closed) => server.close(closed));
});

const timing = { frequency: 420, timezone: 'UTC', enabled: true };

async function read(pk: string): Promise<GateMemory> {
  const { Item } = await table.send(new GetCommand({ TableName: 'config', Key: { pk }, ConsistentRead: true }));
  return (Item?.gate as GateMemory | undefined) ?? NO_TICKS;
}

const write = (pk: string, seen: GateMemory, next: GateMemory) =>
  table.send(new UpdateCommand({ TableName: 'config', Key: { pk }, ...memoryWrite(seen, next) }));

/** What plan does with a tick; `read` first, so that several can decide upon the same memory. */
async function tickOnce(pk: string, scheduledTime: string): Promise<'ran' | string> {
  for (;;) {
    const memory = await read(pk);
    const verdict = isDue(timing, { ...memory, scheduledTime });
    if (!verdict.due) return verdict.code;
    try {
      await write(pk, memory, claimTick(memory, tickAt(scheduledTime, verdict.onlyFailed)));
      return 'ran';
    } catch (error) {
      if ((error as Error).name !== 'ConditionalCheckFailedException') throw error;
    }
  }
}

test('of ten deliveries of one tick at once, one runs', async () => {
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => tickOnce('twins', '2026-11-22T10:00:00Z')));
  assert.deepEqual(outcomes.toSorted(), [...Array(9).fill('claimed'), 'ran']);
});

test('of two neighbouring ticks at once, one runs: the other would come early', async () => {
  const outcomes = await Promise.all(
    ['2026-11-22T10:00:00Z', '2026-11-22T10:01:00Z'].map((tick) => tickOnce('neighbours', tick)),
  );
  assert.equal(outcomes.filter((outcome) => outcome === 'ran').length, 1);
});

test('an end that was decided upon an outdated memory is refused, and nothing of the newer one is lost', async () => {
  await tickOnce('ends', '2026-11-22T10:00:00Z');
  const seen = await read('ends');
  await tickOnce('ends', '2026-11-22T10:07:00Z');
  const tick = tickAt('2026-11-22T10:00:00Z');
  await assert.rejects(write('ends', seen, settled(seen, tick, 'succeeded')), {
    name: 'ConditionalCheckFailedException',
  });
  const current = await read('ends');
  await write('ends', current, settled(current, tick, 'succeeded'));
  assert.deepEqual(await read('ends'), {
    version: 3,
    lastSuccess: '2026-11-22T10:00:00Z',
    failures: null,
    claimed: tickAt('2026-11-22T10:07:00Z'),
    open: [tickAt('2026-11-22T10:07:00Z')],
  });
});
