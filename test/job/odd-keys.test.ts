import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { bench, type TestJob } from './harness.ts';

const server = bench();

async function succeeds(job: TestJob): Promise<void> {
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
}

const CUT = { rowLimit: 100, chunkSize: 49 };
/** In the order of citext c stands between B and Z, in the order of its bytes behind both. */
const MAIL = "CASE WHEN n < 50 THEN 'B' WHEN n < 56 THEN 'c' ELSE 'Z' END || lpad(n::text, 4, '0')";

test('keys of types that extensions define are walked in one order, chunk after chunk', async () => {
  const job = await server.job(
    `CREATE EXTENSION citext; CREATE EXTENSION ltree;
     CREATE TABLE users (mail citext PRIMARY KEY, n int, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON users (updated_at);
     CREATE TABLE mails (mail citext PRIMARY KEY, n int);
     CREATE TABLE paths (path ltree, n int, PRIMARY KEY (path, n));
     INSERT INTO users SELECT ${MAIL}, n, now() - interval '1 h' FROM generate_series(1, 60) n;
     INSERT INTO mails SELECT mail, n FROM users;
     INSERT INTO paths SELECT ('a.b' || n)::ltree, n FROM generate_series(1, 300) n`,
    CUT,
  );
  await job.setup();
  await succeeds(job);
  assert.deepEqual(await job.differing(), []);
  await job.source.query('UPDATE users SET n = -n, updated_at = now() WHERE n < 50; DELETE FROM mails WHERE n < 5');
  await succeeds(job);
  assert.deepEqual(await job.differing(), []);
  await job.warehouse.query(
    `DELETE FROM "${job.schema}".paths WHERE n < 4; DELETE FROM "${job.schema}".users WHERE mail LIKE 'c%'`,
  );
  const { tables } = await server.operator.verify(job.jobId, { repair: true });
  assert.deepEqual(tables.map(({ table, missing }) => [table, missing]).sort(), [
    ['mails', 0],
    ['paths', 3],
    ['users', 6],
  ]);
  assert.deepEqual(await job.differing(), []);
});

test('a key by a collation that takes different texts for the same is looked through for blanks all the same', async () => {
  const job = await server.job(`
    CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE users (mail text COLLATE blind PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON users (updated_at);
    INSERT INTO users SELECT 'u' || n FROM generate_series(1, 5) n`);
  await job.setup();
  await succeeds(job);
  assert.deepEqual(await job.differing(), []);
  await job.source.query("INSERT INTO users VALUES ('blank ')");
  assert.match((await job.run()).tables.users?.error ?? '', /^KeyEndsInBlank: /);
});

test('ids below 1 are waited for as others are, and the highest that there can be is loaded', async () => {
  const job = await server.job(`
    CREATE SEQUENCE ids START -1000 MINVALUE -1000 CACHE 50;
    CREATE TABLE events (id bigint PRIMARY KEY DEFAULT nextval('ids'), body text);
    CREATE TABLE highest (id bigint PRIMARY KEY);
    INSERT INTO highest VALUES (1), (9223372036854775807)`);
  await job.setup();
  for (const name of ['events', 'highest']) await job.edit(name, { copyMode: 'INSERT_ONLY' });
  const early = new pg.Client(job.url);
  await early.connect();
  try {
    await early.query("INSERT INTO events (body) VALUES ('early 1')");
    await job.source.query("INSERT INTO events (body) VALUES ('late 51')");
    await succeeds(job);
    await early.query("INSERT INTO events (body) VALUES ('early 2'), ('early 3')");
  } finally {
    await early.end();
  }
  assert.equal((await job.run()).tables.events?.rows, 2);
  assert.deepEqual(await job.differing(), []);
});

test('ids that are missing on both sides of the end of a batch are waited for though the batch after it fails', async () => {
  const job = await server.job(
    `CREATE TABLE events (id bigint PRIMARY KEY, body text);
     INSERT INTO events SELECT n, 'b' FROM generate_series(1, 300) n WHERE n NOT BETWEEN 95 AND 98 AND n NOT BETWEEN 106 AND 108;
     UPDATE events SET body = repeat('x', 70000) WHERE id = 150`,
    { rowLimit: 100, chunkSize: 100 },
  );
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  assert.equal((await job.run()).status, 'failed');
  await job.source.query("UPDATE events SET body = 'shorter' WHERE id = 150");
  await succeeds(job);
  await job.source.query("INSERT INTO events SELECT n, 'late' FROM generate_series(95, 108) n ON CONFLICT DO NOTHING");
  assert.equal((await job.run()).tables.events?.rows, 7);
  assert.deepEqual(await job.differing(), []);
});
