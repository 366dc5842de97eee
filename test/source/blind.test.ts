import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Postgres, startPostgres } from '../../local/postgres.ts';
import { decideFence, NOTHING_REMEMBERED, remember } from '../../shared/core/fence.ts';
import { connectSource } from '../../shared/source/connect.ts';
import { readFence, readSnapshot } from '../../shared/source/fence.ts';
import { BEGIN } from '../../shared/source/snapshot.ts';
import { isoTime } from '../../shared/sql/postgres.ts';
import { copyAsStandby } from './standby.ts';
import { startTransactionPooler } from './transaction-pooler.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-blind-'));
const undo: (() => Promise<unknown>)[] = [];
let primary: Postgres;
let admin: pg.Client;

const connected = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  undo.push(() => client.end());
  return client;
};
/** A session as the loader opens it. */
const ourSession = async (url: string): Promise<pg.Client> => {
  const client = await connectSource(url);
  undo.push(() => client.end());
  return client;
};
const started = async (name: string, settings: Record<string, string>, port = 0): Promise<Postgres> => {
  const server = await startPostgres({ dir: join(dir, name), name, settings, port });
  undo.push(() => server.stop());
  return server;
};
const until = async (what: string, isTrue: () => Promise<boolean>): Promise<void> => {
  for (let tries = 0; !(await isTrue()); tries++) {
    if (tries === 300) throw new Error(`waited in vain until ${what}`);
    await sleep(100);
  }
};
const SETTINGS = { wal_level: 'logical', max_wal_senders: '8', hot_standby_feedback: 'on' };
const ORDERS = 'CREATE TABLE orders (id bigserial PRIMARY KEY, updated_at timestamptz DEFAULT now())';

before(async () => {
  chmodSync(dir, 0o755);
  primary = await started('primary', SETTINGS);
  admin = await connected(await primary.createDatabase('shop'));
  await admin.query(ORDERS);
});
after(async () => {
  for (const step of undo.reverse()) await step();
  rmSync(dir, { recursive: true, force: true });
});

test('on a standby the fence is told to be blind, and passes a writer of the primary only after it has ended', async () => {
  await admin.end();
  await primary.stop();
  copyAsStandby(join(dir, 'primary'), join(dir, 'standby'));
  primary = await started('primary', SETTINGS, primary.port);
  admin = await connected(await primary.createDatabase('shop'));
  const { password } = new URL(primary.url);
  const primary_conninfo = `host=127.0.0.1 port=${primary.port} user=postgres password=${password}`;
  const standby = await started('standby', { ...SETTINGS, primary_conninfo });
  const replica = new URL(standby.url);
  replica.pathname = '/shop';
  const loader = await ourSession(replica.href);
  const restart = await connected(standby.url);

  let seen = NOTHING_REMEMBERED;
  /** A run, once the standby knows all that the primary did until its checkpoint. */
  const run = async () => {
    await admin.query('CHECKPOINT');
    const { rows } = await admin.query('SELECT pg_current_wal_lsn() AS lsn');
    await until('the standby has caught up', async () => {
      const caughtUp = `SELECT pg_last_wal_replay_lsn() >= '${rows[0].lsn}' AS done`;
      return (await restart.query(caughtUp)).rows[0].done;
    });
    await restart.query('CHECKPOINT');
    const reading = await readFence(loader);
    await loader.query(BEGIN);
    await loader.query('LOCK TABLE public.orders IN ACCESS SHARE MODE');
    const snapshot = await readSnapshot(loader);
    const { rows: found } = await loader.query('SELECT count(*)::int AS n FROM public.orders');
    await loader.query('COMMIT');
    seen = remember(seen, reading, snapshot.xmin);
    return { reading, snapshot, rows: found[0].n, fence: decideFence(reading, null, seen, snapshot.xmin) };
  };
  const first = await run();
  assert.match(
    first.reading.blind ?? '',
    /^a standby does not know its primary's transactions: connect to the primary/,
  );
  assert.deepEqual([first.snapshot.standby, first.snapshot.xip], [true, []]);

  const writer = await connected(await primary.createDatabase('shop'));
  // The clock of a checkpoint counts whole seconds.
  await sleep(1_100);
  await writer.query("SET TimeZone = 'UTC'; BEGIN; INSERT INTO orders DEFAULT VALUES");
  const { rows } = await writer.query(`SELECT ${isoTime("now() - interval '5 s'")} AS start`);
  await sleep(1_100);
  const during = await run();
  assert.ok(during.reading.fence > rows[0].start, 'what it sees of transactions would let the fence pass');
  assert.ok(during.fence <= rows[0].start, `${during.fence} is not after ${rows[0].start}`);
  await writer.query('COMMIT');
  await sleep(1_100);
  const later = await run();
  assert.equal(later.rows, during.rows + 1);
  assert.ok(later.fence > rows[0].start, 'and goes on when it has ended');
});

test('a subscriber, which replays values of long ago, is told to be blind', async () => {
  const subscriber = await started('subscriber', {});
  const url = await subscriber.createDatabase('shop');
  const client = await connected(url);
  await client.query(ORDERS);
  const loader = await ourSession(url);
  assert.equal((await readFence(loader)).blind, null);
  await admin.query('CREATE PUBLICATION everything FOR ALL TABLES');
  const { password } = new URL(primary.url);
  await client.query(
    `CREATE SUBSCRIPTION follows CONNECTION 'host=127.0.0.1 port=${primary.port} user=postgres password=${password} dbname=shop' PUBLICATION everything`,
  );
  await until('the subscription works', async () => {
    const { rows } = await client.query('SELECT count(*)::int AS n FROM pg_stat_subscription WHERE pid IS NOT NULL');
    return rows[0].n > 0;
  });
  assert.match(
    (await readFence(loader)).blind ?? '',
    /^a logical subscriber replays old values: connect to the publisher/,
  );
  await client.query('DROP SUBSCRIPTION follows');
  assert.equal((await readFence(loader)).blind, null);
});

test('through a pooler the fence is told to be blind, and values have their pinned form all the same', async () => {
  const pooler = await startTransactionPooler(primary.port);
  undo.push(() => pooler.stop());
  await admin.query("ALTER DATABASE shop SET DateStyle = 'SQL, DMY'; ALTER DATABASE shop SET TimeZone = 'Asia/Tokyo'");
  const url = new URL(await primary.createDatabase('shop'));
  assert.equal((await readFence(await ourSession(url.href))).blind, null);
  url.port = String(pooler.port);
  const loader = await ourSession(url.href);
  const reading = await readFence(loader);
  assert.match(reading.blind ?? '', /^the connection goes through a pooler, .*: connect to the server itself/);
  assert.ok(Math.abs(Date.parse(reading.now) - Date.now()) < 60_000, reading.now);
  await loader.query(BEGIN);
  const { rows } = await loader.query(
    "SELECT '2026-02-03 04:05:06Z'::timestamptz::text AS text, current_setting('search_path') AS path",
  );
  await loader.query('COMMIT');
  assert.deepEqual(rows, [{ text: '2026-02-03 04:05:06+00', path: 'pg_catalog' }]);
  await admin.query('ALTER DATABASE shop RESET ALL');
});
