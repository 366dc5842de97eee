import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopyMode } from '../../shared/model/table.ts';
import { bench, type TestJob } from './harness.ts';
import { batchAnswered, Interruptions } from './interruptions.ts';
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

test('what a repair has staged is not loaded by columns that were agreed anew meanwhile, nor by another key', async () => {
  const job = await server.job(`
    CREATE TABLE notes (id int PRIMARY KEY, code text NOT NULL UNIQUE, b text, c text);
    INSERT INTO notes SELECT n, 'code ' || n, 'b' || n, 'c' || n FROM generate_series(1, 9) n; ANALYZE`);
  await job.setup();
  await job.edit('notes', { copyMode: 'INSERT_ONLY' });
  await job.run();
  const rename = async () => {
    await job.source.query('ALTER TABLE notes RENAME b TO x');
    await job.setup();
  };
  const rekey = () => job.edit('notes', { copyMode: 'FULL_DATA_SYNC', primaryKey: ['code'] });
  for (const meanwhile of [rename, rekey]) {
    await job.warehouse.query(`DELETE FROM "${job.schema}".notes WHERE id = 5`);
    during.atCall(
      ({ service, action, permissions: [to] }) =>
        service === 's3' && action === 'PutObject' && /verify\/mend/.test(to?.resource ?? ''),
      () => during.atState('Warehouse side', meanwhile),
    );
    const [looked] = (await server.operator.verify(job.jobId, { repair: true })).tables;
    assert.match(looked?.error ?? '', /^ColumnsDiffer: notes: its columns were agreed anew/);
    assert.deepEqual(await job.rows('SELECT id FROM $.notes WHERE id = 5'), []);
  }
  await server.operator.verify(job.jobId, { repair: true });
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows('SELECT code, c FROM $.notes WHERE id = 5'), [{ code: 'code 5', c: 'c5' }]);
  await nothingLeft(server, job);
});

test('what somebody writes of a table while it is mended is kept', async () => {
  const job = await loadedJob('FULL_DATA_SYNC');
  await job.warehouse.query(`DELETE FROM "${job.schema}".many WHERE id = 7`);
  const behindSince = '2026-11-22T00:00:00.000Z';
  during.atCall(batchAnswered, async () => {
    const state = (await job.read()).states.get('many') ?? assert.fail();
    await server.operator.store.changeState(job.jobId, state, (one) => ({ ...one, behindSince }));
  });
  const { tables } = await server.operator.verify(job.jobId, { repair: true });
  assert.equal(tables[0]?.status, 'repaired');
  assert.equal((await job.read()).states.get('many')?.value.behindSince, behindSince);
  await nothingLeft(server, job);
});
