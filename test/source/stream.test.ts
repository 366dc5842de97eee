import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { streamRows } from '../../shared/source/stream.ts';
import { startTestServer, type TestServer } from './server.ts';

/** By which whatever would wait for ever is told. */
const IN_TIME = { timeout: 20_000 };

let server: TestServer;
let admin: pg.Client;
before(async () => {
  server = await startTestServer();
  admin = await server.connect();
});
after(() => server?.stop());

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const rows: T[] = [];
  for await (const row of all) rows.push(row);
  return rows;
}

/** A session, and what ends it from outside. */
async function session() {
  const client = await server.connect();
  client.on('error', () => undefined);
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  const gone = new Promise((done) => client.once('end', done));
  const cut = async () => {
    await admin.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    await gone;
  };
  return { client, cut };
}

test("rows come as the server's own text, and the session is free after them", IN_TIME, async () => {
  const { client } = await session();
  const rows = await collect(streamRows(client, "SELECT 1, NULL, timestamptz '2026-01-01 00:00:00.123456Z'"));
  assert.deepEqual(rows, [['1', null, '2026-01-01 00:00:00.123456+00']]);
  assert.equal((await collect(streamRows(client, 'SELECT generate_series(1, 2500)'))).length, 2500);
});

test('whoever has read enough leaves, and goes on with the session', IN_TIME, async () => {
  const { client } = await session();
  for await (const [n] of streamRows(client, 'SELECT generate_series(1, 1000000)')) if (n === '5') break;
  assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
});

test('a statement that fails is told, and the session goes on', IN_TIME, async () => {
  const { client } = await session();
  await assert.rejects(collect(streamRows(client, 'SELECT 1 / (3 - n) FROM generate_series(1, 9) n')), {
    code: '22012',
  });
  assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
});

test('a connection that is lost while rows are waited for is told', IN_TIME, async () => {
  const { client, cut } = await session();
  const rows = collect(streamRows(client, 'SELECT 1 UNION ALL SELECT 2 FROM pg_sleep(3600)'));
  rows.catch(() => undefined);
  await cut();
  await assert.rejects(rows, /terminat/);
});

test('and so is one that is lost while rows are being worked on', IN_TIME, async () => {
  const { client, cut } = await session();
  const all = streamRows(client, 'SELECT generate_series(1, 1000000)');
  await all.next();
  await cut();
  await assert.rejects(collect(all), /terminat/);
});

test('however many queries a session streams, it is listened to once', IN_TIME, async () => {
  const { client } = await session();
  const before = client.listenerCount('end');
  for (let i = 0; i < 12; i++) await collect(streamRows(client, 'SELECT 1'));
  assert.equal(client.listenerCount('end') - before, 1);
});
