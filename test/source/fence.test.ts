import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { decideFence, type FenceReading, NOTHING_REMEMBERED, remember } from '../../shared/core/fence.ts';
import { APPLICATION_NAME } from '../../shared/source/connect.ts';
import { readFence, readSnapshot } from '../../shared/source/fence.ts';
import { BEGIN } from '../../shared/source/snapshot.ts';
import { isoTime, PIN_SESSION } from '../../shared/sql/postgres.ts';
import { startTestServer, type TestServer } from './server.ts';

let server: TestServer;
let admin: pg.Client;
let writer: pg.Client;
let loader: pg.Client;

before(async () => {
  server = await startTestServer({ max_prepared_transactions: '5', autovacuum_naptime: '1s' });
  admin = await server.connect();
  await admin.query(`
    CREATE TABLE orders (id bigserial PRIMARY KEY, updated_at timestamptz DEFAULT now());
    CREATE ROLE loader LOGIN PASSWORD 'loader'; GRANT pg_read_all_stats TO loader;
    CREATE ROLE stranger LOGIN PASSWORD 'stranger'; GRANT SELECT ON orders TO loader, stranger;`);
  writer = await server.connect();
  loader = await ourSession('loader');
});
after(async () => {
  await server.stop();
});

/** A session as the loader opens it. */
const ourSession = async (user: string): Promise<pg.Client> => {
  const client = await server.connect('test', user);
  await client.query(`SET application_name = '${APPLICATION_NAME}'; ${PIN_SESSION}`);
  return client;
};
const startOf = async (client: pg.Client): Promise<string> =>
  (await client.query(`SELECT ${isoTime("now() - interval '5 s'")} AS t`)).rows[0].t;

test('a row committed between the fence and the snapshot lies above the fence', async () => {
  await admin.query(PIN_SESSION.replace('default_transaction_read_only = on', 'default_transaction_read_only = off'));
  await writer.query("SET TimeZone = 'UTC'; BEGIN; SELECT 1");
  const { fence } = await readFence(loader);
  await writer.query('INSERT INTO public.orders DEFAULT VALUES; COMMIT');
  await loader.query(BEGIN);
  await readSnapshot(loader);
  const { rows } = await loader.query(
    `SELECT ${isoTime('updated_at')} AS t FROM public.orders ORDER BY id DESC LIMIT 1`,
  );
  await loader.query('COMMIT');
  assert.ok(fence <= rows[0].t, `${fence} is not after ${rows[0].t}`);
});

test('a transaction that has only read so far holds the fence, since it may still write with its old now()', async () => {
  await writer.query("SET TimeZone = 'UTC'; BEGIN; SELECT 1");
  const start = await startOf(writer);
  await new Promise((done) => setTimeout(done, 50));
  const held = await readFence(loader);
  await writer.query('COMMIT');
  assert.equal(held.fence, start);
  assert.ok(held.clock > start);
  assert.ok((await readFence(loader)).fence > start, 'and lets go of it when it ends');
});

test('our own sessions hold nothing up, but others that merely bear our name do', async () => {
  const other = await ourSession('loader');
  await other.query(`${BEGIN}; SELECT 1`);
  const own = await readFence(loader);
  assert.equal(own.fence, own.clock);
  await other.query('COMMIT');

  await writer.query(`SET application_name = '${APPLICATION_NAME}'; SET TimeZone = 'UTC'; BEGIN; SELECT 1`);
  const start = await startOf(writer);
  const held = await readFence(loader);
  await writer.query('COMMIT; RESET application_name');
  assert.equal(held.fence, start);
});

test('a transaction that began before the clock was set back is noticed', async () => {
  assert.equal((await readFence(loader)).ahead, 0);
  await writer.query("SET TimeZone = 'UTC'; BEGIN; SELECT 1");
  assert.equal((await readFence(loader)).ahead, 0);
  // As if the clock had been set back by an hour.
  const query = (sql: string, values?: unknown[]) =>
    loader.query(sql.replaceAll('clock_timestamp()', "(clock_timestamp() - interval '1 hour')"), values);
  const held = await readFence(Object.assign(Object.create(loader), { query }));
  await writer.query('COMMIT');
  assert.equal(held.ahead, 1);
});

test('transactions of other databases hold nothing up', async () => {
  const elsewhere = await server.connect('elsewhere');
  await elsewhere.query('BEGIN; SELECT 1');
  const { fence, clock } = await readFence(loader);
  await elsewhere.query('COMMIT');
  assert.equal(fence, clock);
});

test('vacuum by the server itself holds nothing up', async () => {
  await admin.query(`CREATE TABLE public.heavy WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1,
    autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0) AS SELECT n FROM generate_series(1, 60000) n`);
  await admin.query('DELETE FROM public.heavy');
  const working = `SELECT 1 FROM pg_stat_activity
    WHERE backend_type = 'autovacuum worker' AND datname = 'test' AND xact_start < now() - interval '100 ms'`;
  for (let wait = 0; wait < 80 && (await admin.query(working)).rows.length === 0; wait++)
    await new Promise((done) => setTimeout(done, 100));
  const { fence, clock } = await readFence(loader);
  const { rows } = await admin.query(working);
  await admin.query('DROP TABLE public.heavy');
  assert.equal(rows.length, 1, 'a worker vacuums while the fence is read');
  assert.equal(fence, clock);
});

test('a prepared transaction of this database is seen, and the fence stands still while it is there', async () => {
  await writer.query("BEGIN; INSERT INTO public.orders DEFAULT VALUES; PREPARE TRANSACTION 'one'");
  const elsewhere = await server.connect('elsewhere');
  await elsewhere.query("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'two'");
  const reading = await readFence(loader);
  const before = '2026-01-01T00:00:00.000000Z';
  assert.equal(reading.prepared, 1);
  assert.equal(decideFence(reading, before, NOTHING_REMEMBERED, '1'), before);
  await writer.query("COMMIT PREPARED 'one'");
  assert.equal((await readFence(loader)).prepared, 0);
  await elsewhere.query("ROLLBACK PREPARED 'two'");
});

test('who may not see other sessions is told the exact GRANT', async () => {
  const stranger = await ourSession('stranger');
  assert.match(
    (await readFence(stranger)).blind ?? '',
    /run as an administrator: GRANT pg_read_all_stats TO "stranger";$/,
  );
  assert.equal((await readFence(loader)).blind, null);
});

test('a session that hides its transactions makes the fence blind', async () => {
  await admin.query('SET track_activities = off');
  assert.match((await readFence(loader)).blind ?? '', /^1 sessions hide .* set track_activities = on/);
  await admin.query('SET track_activities = on');
  assert.equal((await readFence(loader)).blind, null);
});

/** Runs of a loader that may not see others' transactions, one after the other: what each read, and the fence that it went by. */
async function blindRuns(): Promise<() => Promise<FenceReading>> {
  const stranger = await ourSession('stranger');
  let seen = NOTHING_REMEMBERED;
  return async () => {
    const reading = await readFence(stranger);
    await stranger.query(BEGIN);
    const { xmin } = await readSnapshot(stranger);
    await stranger.query('COMMIT');
    const fence = decideFence(reading, null, seen, xmin);
    seen = remember(seen, reading, xmin);
    return { ...reading, fence };
  };
}

test('a blind fence passes a writer only after it has ended', async () => {
  const run = await blindRuns();
  await admin.query('CHECKPOINT');
  const before = await run();
  assert.equal(before.fence, before.checkpoint.time);
  // The clock of a checkpoint counts whole seconds.
  await new Promise((done) => setTimeout(done, 1_100));
  await writer.query("SET TimeZone = 'UTC'; BEGIN; INSERT INTO public.orders DEFAULT VALUES");
  const start = await startOf(writer);
  await new Promise((done) => setTimeout(done, 1_100));
  await admin.query('CHECKPOINT');
  const during = await run();
  assert.ok(during.checkpoint.time > start);
  assert.equal(during.fence, before.fence, 'nothing has ended since the writer began, and yet it stays below it');
  assert.equal((await run()).fence, before.fence);
  await writer.query('COMMIT');
  assert.equal((await run()).fence, during.checkpoint.time);
});

test('a blind fence does not pass a transaction that has only read so far, and may still write with its old now()', async () => {
  const [run, stranger, vacuuming] = [await blindRuns(), await ourSession('stranger'), await server.connect()];
  const before = await run();
  assert.deepEqual(before.open, []);
  await writer.query("SET TimeZone = 'UTC'; BEGIN; SELECT 1");
  const start = await startOf(writer);
  await new Promise((done) => setTimeout(done, 1_100));
  await admin.query('CHECKPOINT');
  for (const again of [false, true]) {
    const during = await run();
    assert.ok(during.checkpoint.time > start, 'checkpoints alone would let it pass');
    assert.equal(during.fence, before.clock, `${again}`);
  }
  await writer.query('INSERT INTO public.orders DEFAULT VALUES; COMMIT');
  assert.equal((await run()).fence, (await run()).checkpoint.time);

  await admin.query('CREATE TABLE public.vacuumed AS SELECT n FROM generate_series(1, 60000) n');
  await vacuuming.query('SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1');
  const { rows } = await vacuuming.query('SELECT pg_backend_pid() AS pid');
  const vacuum = vacuuming.query('VACUUM public.vacuumed').catch((error) => error);
  const working = `SELECT 1 FROM pg_stat_progress_vacuum WHERE pid = ${rows[0].pid}`;
  while ((await admin.query(working)).rows.length === 0) await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual((await readFence(stranger)).open, [], 'vacuum writes no rows');
  await admin.query(`SELECT pg_cancel_backend(${rows[0].pid})`);
  assert.equal((await vacuum).code, '57014');
});
