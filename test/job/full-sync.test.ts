import assert from 'node:assert/strict';
import { test } from 'node:test';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';

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
    const refused = await job.run();
    assert.equal(refused.status, 'failed');
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
