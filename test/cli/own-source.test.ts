import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startPostgres } from '../../local/postgres.ts';
import { Report } from '../../local/ui/report-schema.ts';
import { dumpFile, loadDump } from '../source/dump.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-own-'));
const script = fileURLToPath(new URL('../../local/start.ts', import.meta.url));
after(() => rmSync(dir, { recursive: true, force: true }));

const chinook = dumpFile('chinook');

test("somebody's own database is copied by the command alone, and what changes in it by the next call", {
  skip: chinook ? false : 'chinook.sql is not in ../shared/data',
}, async (t) => {
  const server = await startPostgres({ dir: join(dir, 'server'), name: 'source' });
  const url = await server.createDatabase('chinook');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.after(async () => {
    await client.end();
    await server.stop();
  });
  await loadDump(client, chinook ?? '');
  const replicate = async (): Promise<Report> => {
    const file = join(dir, 'report.json');
    const child = spawn(process.execPath, [script, '--source', url, '--state', join(dir, 'state'), '--report', file]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    assert.deepEqual(await once(child, 'exit'), [0, null], output);
    return Report.parse(JSON.parse(readFileSync(file, 'utf8')));
  };
  const first = await replicate();
  assert.deepEqual([first.run, first.tables.length], ['initial', 11]);

  await client.query(`
    SET search_path TO public;
    UPDATE "Track" SET "Name" = 'Für Elise – “live”' WHERE "TrackId" = 1;
    DELETE FROM "PlaylistTrack" WHERE "TrackId" = 2`);
  const second = await replicate();
  assert.equal(second.run, 'incremental');
  const moved = second.tables.filter(({ rows }) => rows > 0);
  assert.deepEqual(moved.map(({ name }) => name).sort(), ['PlaylistTrack', 'Track'], 'the others have not changed');
  for (const { name, sourceRows, warehouseRows, sourceChecksum, warehouseChecksum } of second.tables)
    assert.deepEqual([warehouseRows, warehouseChecksum], [sourceRows, sourceChecksum], name);
});
