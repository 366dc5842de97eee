import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { connectSource } from '../../shared/source/connect.ts';
import { Ticks } from '../torture/ticks.ts';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';
import { metricSum } from './metrics.ts';

const server = bench();

const TABLES = `
  CREATE TABLE codes (code text PRIMARY KEY, name text);
  CREATE TABLE words (word text, n int);
  INSERT INTO codes SELECT 'c' || n, 'code ' || n FROM generate_series(1, 40) n;
  INSERT INTO words SELECT 'w' || n % 25, n % 25 FROM generate_series(1, 40) n;
  ANALYZE;`;

async function loadedJob(): Promise<TestJob> {
  const job = await server.job(TABLES);
  await job.setup();
  await job.edit('codes', { copyMode: 'FULL_DATA_SYNC' });
  await job.edit('words', { copyMode: 'FULL_DATA_SYNC' });
  assert.equal((await job.run()).status, 'succeeded');
  return job;
}

const count = async (job: TestJob, table: string) =>
  (await job.rows(`SELECT count(*)::int AS n FROM $.${table}`))[0]?.n;

test('a source that suddenly has no rows, or too few, is refused by name; its neighbours are loaded', async () => {
  const job = await loadedJob();
  for (const [left, rows] of [
    ['DELETE FROM codes', 0],
    ["INSERT INTO codes SELECT 'd' || n FROM generate_series(1, 19) n", 19],
  ] as const) {
    await job.source.query(`${left}; INSERT INTO words VALUES ('more', ${rows})`);
    const before = metricSum(server, 'TablesFailed');
    const refused = await job.run();
    assert.equal(refused.status, 'failed');
    assert.equal(metricSum(server, 'TablesFailed') - before, 1, 'which an alarm watches');
    assert.equal(
      refused.tables.codes?.error,
      `SourceShrank: codes: the source has ${rows} rows and the warehouse 40, and minShare is 0.5, so nothing was replaced: check the source; ` +
        `if it is right, re-load the table once (npm run admin -- tables reset ${job.jobId} codes), or lower minShare`,
    );
    assert.equal(await count(job, 'codes'), 40);
    assert.equal(refused.tables.words?.error, undefined);
  }
  assert.deepEqual(await job.differing(), ['codes']);
  await job.source.query("INSERT INTO codes VALUES ('last')");
  assert.equal((await job.run()).status, 'succeeded', 'half of them are enough');
  assert.deepEqual(await job.differing(), []);
});

test('a person allows it once, by a reset, or for good, by minShare', async () => {
  const job = await loadedJob();
  await job.source.query("DELETE FROM codes WHERE code <> 'c1'");
  assert.equal((await job.run()).status, 'failed');
  await done(server, 'tables.reset', { jobId: job.jobId, table: 'codes' });
  assert.equal((await job.run()).status, 'succeeded');
  assert.equal(await count(job, 'codes'), 1);
  await job.source.query('DELETE FROM codes');
  assert.match((await job.run()).tables.codes?.error ?? '', /^SourceShrank: /, 'it was allowed that once');
  await done(server, 'tables.edit', { jobId: job.jobId, table: 'codes', minShare: 0 });
  assert.equal((await job.run()).status, 'succeeded');
  assert.equal(await count(job, 'codes'), 0);
});

test('a full sync whose source has not changed is spared: nothing is extracted, the warehouse sleeps on, the run says so', async () => {
  const job = await loadedJob();
  await server.installation.cloud.idle();
  const before = job.calls();
  const spared = await job.run();
  await server.installation.cloud.idle();
  const after = job.calls();
  assert.equal(spared.status, 'idle');
  const unchanged = { rows: 0, bytes: 0, seconds: 0, unchanged: true };
  assert.deepEqual(spared.tables, { codes: unchanged, words: unchanged });
  assert.deepEqual(
    [after.lambda - before.lambda, after.s3 - before.s3, after.redshiftData - before.redshiftData],
    [1, 0, 0],
  );

  await job.source.query("UPDATE codes SET name = 'changed' WHERE code = 'c1'; INSERT INTO words VALUES ('never')");
  await job.source.query("DELETE FROM words WHERE word = 'never'");
  const next = await job.run();
  assert.deepEqual([next.tables.codes?.rows, next.tables.words], [40, unchanged], 'only what changed');
  assert.deepEqual(await job.differing(), []);
  await job.edit('codes', { policies: { notANumber: 'error' } });
  assert.equal((await job.run()).tables.codes?.rows, 40, 'other policies may make other values of the same rows');
});

/** A job with one table that is copied whole, in chunks of ten rows. */
const accounts = (rows: number): string =>
  `CREATE TABLE accounts (id int PRIMARY KEY, amount int); INSERT INTO accounts SELECT n, 100 FROM generate_series(1, ${rows}) n`;

async function chunkedJob(rows: number): Promise<TestJob> {
  const job = await server.job(accounts(rows), { chunkSize: 10, minShare: 0 });
  await job.setup();
  await job.edit('accounts', { copyMode: 'FULL_DATA_SYNC' });
  return job;
}

/** Does something again and again until `stop` is called; another session of the same database. */
async function meanwhile(url: string, act: (client: pg.Client, n: number) => Promise<void>) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  let going = true;
  const acting = (async () => {
    for (let n = 0; going; n++) await act(client, n);
  })();
  return async () => {
    going = false;
    await acting.finally(() => client.end());
  };
}

test('all chunks of a large full sync show the same moment, though writers move amounts from row to row all the while', async () => {
  const job = await chunkedJob(600);
  const stop = await meanwhile(job.url, async (client, n) => {
    const [from, to] = n % 2 ? [1 + (n % 300), 600 - (n % 300)] : [600 - (n % 300), 1 + (n % 300)];
    await client.query(
      `UPDATE accounts SET amount = amount + CASE id WHEN ${to} THEN 1 ELSE -1 END WHERE id IN (${from}, ${to})`,
    );
  });
  try {
    for (let i = 0; i < 2; i++) {
      const run = await job.run();
      assert.equal(run.status, 'succeeded', JSON.stringify(run));
      assert.deepEqual([run.tables.accounts?.rows, run.tables.accounts?.snapshots], [600, undefined]);
      assert.deepEqual(await job.rows('SELECT sum(amount)::int AS total FROM $.accounts'), [{ total: 60_000 }]);
    }
  } finally {
    await stop();
  }
});

test('readers see the old rows or the new ones, through views and grants that last, while full syncs of one batch and of several go on', async () => {
  const job = await chunkedJob(4_100);
  const { schema } = job;
  await job.run();
  await job.warehouse.query(`CREATE VIEW "${schema}".rich AS SELECT * FROM "${schema}".accounts WHERE amount > 0;
    CREATE ROLE polling; GRANT USAGE ON SCHEMA "${schema}" TO polling; GRANT SELECT ON "${schema}".accounts, "${schema}".rich TO polling`);
  const seen = new Set<string>();
  const stop = await meanwhile(server.installation.warehouse, async (client, n) => {
    if (n === 0) await client.query('SET ROLE polling');
    const counts = ['accounts', 'rich'].map((name) => `(SELECT count(*) FROM "${schema}".${name})`);
    const { rows } = await client.query(`SELECT concat_ws(' ', ${counts.join(', ')}) AS seen`);
    seen.add(rows[0].seen);
    await sleep(2);
  });
  let rows = 4_100;
  try {
    for (const [change, to, snapshots] of [
      ['INSERT INTO accounts SELECT n, 100 FROM generate_series(4101, 4200) n', 4_200, 2],
      ['DELETE FROM accounts WHERE id > 300', 300, undefined],
      ['UPDATE accounts SET amount = 7', 300, undefined],
      ['DELETE FROM accounts WHERE id > 5', 5, undefined],
    ] as const) {
      await job.source.query(change);
      seen.clear();
      const run = await job.run();
      assert.equal(run.status, 'succeeded', JSON.stringify(run));
      assert.deepEqual([run.tables.accounts?.rows, run.tables.accounts?.snapshots], [to, snapshots]);
      await sleep(20);
      assert.deepEqual([...seen].sort(), [...new Set([`${rows} ${rows}`, `${to} ${to}`])].sort(), change);
      rows = to;
    }
  } finally {
    await stop();
  }
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%'"), []);
});

test("what does not fit one function's time is read by several, each by a snapshot of its own, and the run says so", async () => {
  const job = await server.job(accounts(100), { chunkSize: 10 });
  // From the third chunk on no time is left for more than the one that a call begins with.
  let reads = 0;
  const ticks = new Ticks(server.installation, job.jobId, {
    between: async () => undefined,
    connect: () => connectSource(job.url),
    remaining: () => (++reads > 6 ? 60_001 : 300_000),
  });
  await ticks.setup((await job.read()).job, { accounts: { copyMode: 'FULL_DATA_SYNC' } });
  await ticks.tick();
  const { states } = await job.read();
  assert.ok((states.get('accounts')?.value.run?.snapshots ?? 1) > 2, JSON.stringify(states.get('accounts')));
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n, sum(amount)::int AS sum FROM $.accounts'), [
    { n: 100, sum: 10_000 },
  ]);
});

test('rows whose key is NULL come with a full sync of several chunks, or are refused by name where the warehouse takes none', async () => {
  const job = await server.job(
    `CREATE TABLE chosen (code text, n int); CREATE TABLE given (code text PRIMARY KEY, n int);
     INSERT INTO chosen SELECT CASE WHEN n % 5 > 0 THEN 'c' || n END, n FROM generate_series(1, 50) n;
     INSERT INTO given SELECT 'c' || n, n FROM generate_series(1, 50) n`,
    { chunkSize: 10, minShare: 0 },
  );
  await job.setup();
  await job.edit('chosen', { primaryKey: ['code'] });
  await job.run();
  assert.deepEqual([await count(job, 'chosen'), await count(job, 'given')], [50, 50]);
  await job.source.query(
    'ALTER TABLE given DROP CONSTRAINT given_pkey, ALTER code DROP NOT NULL; INSERT INTO given VALUES (NULL, 51), (NULL, 52)',
  );
  const { status, tables } = await job.run();
  assert.equal(status, 'failed');
  assert.match(
    tables.given?.error ?? '',
    /Missing data for not-null field – line 51, column code .*: it is a column of the table's primaryKey: .*SET NOT NULL; .*DROP TABLE "\w+"."given"; in the warehouse/,
  );
  await job.source.query("UPDATE given SET code = 'd' || n WHERE code IS NULL");
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});
