import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, type TestJob } from './harness.ts';

const server = bench();

/** What a run called, beside the run itself. */
async function counted(job: TestJob) {
  const before = job.calls();
  const run = await job.run();
  await server.installation.cloud.idle();
  const after = job.calls();
  const calls = Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, count - before[name as keyof typeof before]]),
  ) as ReturnType<TestJob['calls']>;
  return { run, calls };
}

const TABLES = 100;
/** Every tenth table is INSERT_ONLY. */
const onlyGrows = (i: number) => i % 10 === 0;
const manyTables = Array.from(
  { length: TABLES },
  (_, i) => `
  CREATE TABLE many_${i} (id bigserial PRIMARY KEY, note text${onlyGrows(i) ? '' : ', updated_at timestamptz NOT NULL DEFAULT now()'});
  ${onlyGrows(i) ? '' : `CREATE INDEX ON many_${i} (updated_at);`}
  INSERT INTO many_${i} (note) SELECT 'row ' || n FROM generate_series(1, 30) n;`,
).join('');
const change = (i: number) =>
  onlyGrows(i)
    ? `INSERT INTO many_${i} (note) SELECT 'new ' || n FROM generate_series(1, 10) n`
    : `UPDATE many_${i} SET note = 'changed', updated_at = now() WHERE id <= 10`;

test('a hundred tables with ten changed rows each take few transitions and calls; an idle run starts one function', async (t) => {
  const job = await server.job(manyTables);
  await job.setup();
  for (let i = 0; i < TABLES; i++) if (onlyGrows(i)) await job.edit(`many_${i}`, { copyMode: 'INSERT_ONLY' });
  await job.run();
  const { tables } = await job.read();
  assert.deepEqual(new Set(tables.map(({ copyMode }) => copyMode)), new Set(['INSERT_ONLY', 'INSERT_AND_UPDATE']));
  await job.source.query(Array.from({ length: TABLES }, (_, i) => change(i)).join(';'));

  const busy = await counted(job);
  assert.equal(busy.run.status, 'succeeded');
  assert.equal(
    Object.values(busy.run.tables).reduce((rows, table) => rows + table.rows, 0),
    10 * TABLES,
  );
  assert.deepEqual(await job.differing(), []);
  assert.ok(busy.calls.transitions <= 60, `${busy.calls.transitions} transitions`);
  assert.ok(busy.calls.lambda <= 20, `${busy.calls.lambda} function calls`);

  t.diagnostic(`${busy.calls.transitions} transitions, ${busy.calls.lambda} function calls`);

  const idle = await counted(job);
  assert.equal(idle.run.status, 'idle');
  for (const { startedAt, expiresAt } of [busy.run, idle.run])
    assert.equal(expiresAt, Math.floor(Date.parse(startedAt) / 1000) + 30 * 86_400, 'its record goes after a month');
  const { lambda, redshiftData, s3, transitions } = idle.calls;
  assert.deepEqual({ lambda, redshiftData, s3, transitions }, { lambda: 1, redshiftData: 0, s3: 0, transitions: 3 });
});
