import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopyMode } from '../../shared/model/table.ts';
import { bench, type TestJob } from './harness.ts';
import { Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';

const during = new Interruptions();
const server = bench(during.options);

/** More than are mended at one go. */
const ROWS = 12_000;

async function loadedJob(copyMode: CopyMode): Promise<TestJob> {
  const job = await server.job(`
    CREATE TABLE many (id bigserial PRIMARY KEY, body text);
    INSERT INTO many (body) SELECT 'm' || n FROM generate_series(1, ${ROWS}) n; ANALYZE`);
  await job.setup();
  await job.edit('many', { copyMode });
  await job.run();
  return job;
}

test('more rows than are mended at one go are mended in turns, and told as what they were', async () => {
  const job = await loadedJob('INSERT_ONLY');
  await job.warehouse.query(`DELETE FROM "${job.schema}".many`);
  const { tables } = await server.operator.verify(job.jobId, { repair: true });
  assert.deepEqual([tables[0]?.status, tables[0]?.missing, tables[0]?.rows], ['repaired', ROWS, ROWS]);
  assert.deepEqual(await job.differing(), []);
  await nothingLeft(server, job);
});

test('rows that no mending makes the same end a repair all the same, and are told as different', async () => {
  const job = await loadedJob('FULL_DATA_SYNC');
  // Sums, keys, keys once more, and then in turns: as if somebody took them away each time.
  for (let i = 0; i < 12; i++)
    during.atState('Warehouse side', async () => void (await job.warehouse.query(`DELETE FROM "${job.schema}".many`)));
  const { tables } = await server.operator.verify(job.jobId, { repair: true });
  during.forget();
  assert.deepEqual([tables[0]?.status, tables[0]?.missing], ['different', ROWS]);
  await nothingLeft(server, job);
});
