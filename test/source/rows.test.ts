import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { loadedBelow } from '../../shared/core/already-loaded.ts';
import { Job } from '../../shared/model/job.ts';
import type { Snapshot } from '../../shared/model/state.ts';
import { readSnapshot } from '../../shared/source/fence.ts';
import { openSnapshot } from '../../shared/source/session.ts';
import { BEGIN, lockForReading, underSavepoint } from '../../shared/source/snapshot.ts';
import { missingIds, notLoaded, PIN_SESSION, sinceFence } from '../../shared/sql/postgres.ts';
import { startTestServer, type TestServer } from './server.ts';
import { seeded, walkedSource } from './walked.ts';

let server: TestServer;
let admin: pg.Client;
let loader: pg.Client;
const job = Job.parse({ jobId: 'job', secretArn: 'arn:secret', destination: 'warehouse' });

before(async () => {
  server = await startTestServer();
  admin = await server.connect();
  loader = await server.connect();
  await loader.query(PIN_SESSION);
});
after(async () => {
  await server.stop();
});

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
const count = async (table: string): Promise<number> =>
  (await loader.query(`SELECT count(*)::int AS n FROM public.${table}`)).rows[0].n;

/** Rows that an earlier run's snapshot is taken to have shown already: what the rule of each kind would skip. */
const RULES: Record<string, (before: Snapshot, now: Snapshot) => string[]> = {
  ours: (before, now) => notLoaded({ below: loadedBelow({ snapshot: before, oid: 1 }, now, 1), now, except: [] }),
  obvious: ({ xmin, xmax, xip }) => [
    `NOT pg_visible_in_snapshot(t.xmin::text::xid8, '${xmin}:${xmax}:${xip.join(',')}'::pg_snapshot)`,
  ],
};

test('no row written under a savepoint by any interleaving of transactions is taken for loaded', async () => {
  await admin.query('CREATE TABLE busy (id bigserial PRIMARY KEY)');
  const random = seeded(20261122);
  const writers = await Promise.all(
    Array.from({ length: 4 }, async () => ({ client: await server.connect(), depth: -1 })),
  );
  const loaded = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, new Set<string>()]));
  let before: Snapshot | null = null;
  const run = async () => {
    await loader.query(BEGIN);
    const now = await readSnapshot(loader);
    for (const [rule, conditions] of Object.entries(RULES)) {
      const where = before ? conditions(before, now).map((one) => ` WHERE ${one}`) : [];
      const { rows } = await loader.query(`SELECT id FROM public.busy t${where}`);
      for (const { id } of rows) loaded[rule]?.add(id);
    }
    await loader.query('COMMIT');
    before = now;
  };
  for (let step = 0; step < 1_500; step++) {
    const writer = writers[random(writers.length)] ?? assert.fail();
    const { client } = writer;
    const choice = random(12);
    if (choice === 0) await run();
    else if (writer.depth < 0) {
      await client.query('BEGIN');
      writer.depth = 0;
    } else if (choice <= 2) {
      await client.query(`SAVEPOINT s${++writer.depth}`);
    } else if (choice === 3 && writer.depth > 0) await client.query(`RELEASE s${writer.depth--}`);
    else if (choice === 4 && writer.depth > 0) await client.query(`ROLLBACK TO s${writer.depth}`);
    else if (choice === 5) {
      await client.query('COMMIT');
      writer.depth = -1;
    } else await client.query('INSERT INTO busy DEFAULT VALUES');
  }
  for (const { client, depth } of writers) if (depth >= 0) await client.query('COMMIT');
  await run();
  const { rows } = await admin.query('SELECT id FROM busy');
  const lost = (rule: string) => rows.filter(({ id }) => !loaded[rule]?.has(id)).length;
  assert.ok(rows.length > 300, `${rows.length} rows were committed`);
  assert.equal(lost('ours'), 0);
  assert.ok(lost('obvious') > 0, 'the obvious rule loses rows of the same interleaving');
});

test('what is loaded already is not read again, and what is new is', async () => {
  await admin.query('CREATE TABLE quiet AS SELECT generate_series(1, 100) AS id');
  await loader.query(BEGIN);
  const before = await readSnapshot(loader);
  await loader.query('COMMIT');
  await admin.query('INSERT INTO quiet VALUES (101); UPDATE quiet SET id = id WHERE id = 5');
  await loader.query(BEGIN);
  const now = await readSnapshot(loader);
  const { rows } = await loader.query(`SELECT id FROM public.quiet t WHERE ${RULES.ours?.(before, now)} ORDER BY id`);
  await loader.query('COMMIT');
  assert.deepEqual(rows, [{ id: 5 }, { id: 101 }]);
});

test('a table that is rewritten or emptied meanwhile is never seen half-way', async () => {
  await admin.query('CREATE TABLE rewritten AS SELECT generate_series(1, 1000) AS id; CREATE TABLE other ()');
  const rewriting = async (column: string) => {
    await admin.query(`BEGIN; ALTER TABLE rewritten ALTER COLUMN id TYPE ${column}`);
  };
  await rewriting('bigint');
  const opening = openSnapshot(loader, job, ['rewritten']);
  await pause(200);
  await admin.query('COMMIT');
  assert.equal((await opening).failures.size, 0);
  assert.equal(await count('rewritten'), 1_000);
  const truncated = admin.query('TRUNCATE rewritten');
  await pause(100);
  assert.equal(await count('rewritten'), 1_000, 'TRUNCATE waits for the lock');
  await loader.query('COMMIT');
  await truncated;

  // Why the lock comes first: a snapshot that is older than the rewrite finds the table empty.
  await admin.query('INSERT INTO rewritten SELECT generate_series(1, 1000)');
  await rewriting('int');
  await loader.query(BEGIN);
  await readSnapshot(loader);
  await admin.query('COMMIT');
  await lockForReading(loader, { schema: 'public', name: 'rewritten' });
  assert.equal(await count('rewritten'), 0);
  await loader.query('COMMIT');
});

test('bad tables are named, and spoil the snapshot of the good ones in nothing', async () => {
  await admin.query(`
    CREATE TABLE good AS SELECT generate_series(1, 10) AS id; CREATE TABLE forbidden (); CREATE TABLE locked ();
    CREATE ROLE narrow LOGIN PASSWORD 'narrow'; GRANT SELECT ON good, locked TO narrow`);
  const narrow = await server.connect('test', 'narrow');
  await narrow.query(PIN_SESSION);
  await admin.query('BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
  const { failures, tables } = await openSnapshot(narrow, job, ['forbidden', 'gone', 'locked', 'good']);
  await admin.query('COMMIT');
  assert.deepEqual([...failures.keys()].sort(), ['forbidden', 'gone', 'locked']);
  assert.match(failures.get('locked')?.message ?? '', /locked by somebody else/);
  assert.deepEqual([...tables.keys()], ['good']);

  await admin.query('INSERT INTO good VALUES (11)');
  const seen = () => narrow.query('SELECT count(*)::int AS n FROM public.good').then(({ rows }) => rows[0].n);
  assert.equal(await seen(), 10);
  await assert.rejects(
    underSavepoint(narrow, 50, () => narrow.query('SELECT pg_sleep(5)')),
    { code: '57014' },
  );
  await assert.rejects(
    underSavepoint(narrow, 1_000, () => narrow.query('SELECT 1 / 0')),
    { code: '22012' },
  );
  assert.equal(await seen(), 10, 'still the same snapshot');
  await narrow.query('COMMIT');
});

const sourceOf = (name: string, keys: string[], updatedKey: string | null = null) =>
  walkedSource(loader, name, keys, updatedKey);

test('ids that a session holds back are found missing, until they come', async () => {
  await admin.query('CREATE SEQUENCE ids CACHE 50; CREATE TABLE cached (id int PRIMARY KEY DEFAULT nextval($$ids$$))');
  const other = await server.connect();
  await admin.query('INSERT INTO cached DEFAULT VALUES');
  await other.query('INSERT INTO cached DEFAULT VALUES');
  const source = await sourceOf('cached', ['id']);
  const missing = async (from: number, to: number) =>
    (await loader.query(missingIds(source, [{ from: String(from), to: String(to), seen: 's' }]))).rows;
  assert.deepEqual(await missing(1, 51), [{ seen: 's', low: '2', high: '50' }]);
  await admin.query('INSERT INTO cached SELECT FROM generate_series(1, 3)');
  assert.deepEqual(await missing(2, 50), [{ seen: 's', low: '5', high: '50' }]);
  await admin.query('INSERT INTO cached VALUES (50), (30)');
  assert.deepEqual(await missing(5, 50), [
    { seen: 's', low: '5', high: '29' },
    { seen: 's', low: '31', high: '49' },
  ]);
  await admin.query('INSERT INTO cached SELECT n FROM generate_series(5, 49) n ON CONFLICT DO NOTHING');
  assert.deepEqual(await missing(1, 51), []);
});

test('a local clock that is put back in autumn takes no row below the walk', async () => {
  await admin.query('CREATE TABLE local (id int PRIMARY KEY, at timestamp)');
  const source = await sourceOf('local', ['id'], 'at');
  // Europe/Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
  for (let fence = 0; fence <= 240; fence += 10)
    for (let written = fence; written <= 300; written += 10) {
      const at = (minutes: number) => new Date(Date.UTC(2026, 9, 24, 23, minutes)).toISOString().replace('Z', '000Z');
      const stamp = `timestamptz '${at(written)}' AT TIME ZONE 'Europe/Berlin'`;
      const { rows } = await loader.query(`SELECT ${stamp} >= ${sinceFence(source, at(fence), 0)} AS read`);
      assert.equal(rows[0].read, true, `written at ${at(written)}, fence ${at(fence)}`);
    }
  const { rows } = await loader.query(
    `SELECT (${sinceFence(source, '2026-07-01T10:00:00.000000Z', 300)})::text AS since`,
  );
  assert.equal(rows[0].since, '2026-07-01 11:55:00', 'on other days it costs nothing');
});
