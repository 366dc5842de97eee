import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from './harness.ts';

const ROWS = 5_000_000;
/** How extract stored its chunks. */
const uploads: string[] = [];
const server = bench({
  fault: async ({ action, moment, caller }) => {
    if (moment === 'after' && /extract/.test(caller.arn) && /^(PutObject|CompleteMultipartUpload)$/.test(action))
      uploads.push(action);
  },
});

test('five million rows in one chunk keep the extract process under 200 MB', async (t) => {
  const job = await server.job(
    `CREATE TABLE readings AS SELECT n AS id, n % 1000 AS sensor, n * 0.25 AS value, 'reading number ' || n AS note
       FROM generate_series(1, ${ROWS}) n;
     ALTER TABLE readings ADD PRIMARY KEY (id)`,
    { rowLimit: ROWS, chunkSize: ROWS },
  );
  await job.setup();
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(run.tables.readings?.rows, ROWS);
  assert.equal(uploads.length, 1, 'one chunk');
  const { lambda, stack } = server.installation.cloud;
  const extract = stack.of('AWS::Lambda::Function').find(({ name }) => name.includes('extract'));
  const peak = lambda.peakRss(extract?.name ?? '');
  if (peak === undefined) return t.skip('this system does not tell how much memory a process takes');
  assert.ok(peak < 200 * 1024 * 1024, `${Math.round(peak / 1024 / 1024)} MB`);
  t.diagnostic(`${Math.round(peak / 1024 / 1024)} MB resident at most`);
});
