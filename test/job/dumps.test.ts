import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dumpFile, loadDump } from '../source/dump.ts';
import { bench } from './harness.ts';

const server = bench();
const missing = (name: string) => (dumpFile(name) ? false : `${name}.sql is not in ../shared/data`);

test('chinook arrives identical, mixed-case names and all, and so does what changes in it', {
  skip: missing('chinook'),
}, async () => {
  const job = await server.job('SELECT 1');
  await loadDump(job.source, dumpFile('chinook') ?? '');
  await job.source.query('SET search_path TO public; SELECT pg_stat_force_next_flush()');
  assert.equal((await job.setup()).tables, 11);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);

  await job.source.query(`
    UPDATE "Track" SET "Name" = 'Für Elise – “live”' WHERE "TrackId" = 1;
    INSERT INTO "Genre" ("GenreId", "Name") VALUES (100, 'Schlager');
    DELETE FROM "PlaylistTrack" WHERE "TrackId" = 2`);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows('SELECT name FROM $.track WHERE trackid = 1'), [{ name: 'Für Elise – “live”' }]);
});

test('netflix arrives identical, long Unicode texts and all', { skip: missing('netflix') }, async () => {
  const job = await server.job('SELECT 1');
  await loadDump(job.source, dumpFile('netflix') ?? '');
  await job.source.query('SET search_path TO public');
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});
