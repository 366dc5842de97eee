import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { choose } from '../../shared/core/guess.ts';
import { foldColumnNames, foldNames } from '../../shared/core/names.ts';
import type { SourceCatalog } from '../../shared/model/catalog.ts';
import { readCatalog } from '../../shared/source/catalog.ts';
import { mapType } from '../../shared/sql/types.ts';
import { dumpFile, loadDump } from './dump.ts';
import { startTestServer, type TestServer } from './server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server?.stop());

const catalogOf = async (name: string): Promise<SourceCatalog> => {
  const client = await server.connect(name);
  await loadDump(client, dumpFile(name) ?? '');
  return readCatalog(client, { schema: 'public', exclude: [] });
};
const missing = (name: string) => (dumpFile(name) ? false : `${name}.sql is not in ../shared/data`);

test('chinook, whose names are in mixed case, is understood', { skip: missing('chinook') }, async () => {
  const { tables } = await catalogOf('chinook');
  assert.equal(tables.length, 11);
  const [album] = tables;
  assert.equal(foldNames(tables.map(({ name }) => name))[0]?.name, 'album');
  const columns = album?.columns.map(({ type }) => mapType(type).type);
  assert.deepEqual(columns, ['INTEGER', 'VARCHAR(640)', 'INTEGER']);
  assert.deepEqual(foldColumnNames(album?.columns.map(({ name }) => name) ?? [])[0], {
    source: 'AlbumId',
    name: 'albumid',
  });
  const byName = new Map(tables.map((table) => [table.name, choose(table)]));
  assert.deepEqual(byName.get('PlaylistTrack')?.primaryKey, ['PlaylistId', 'TrackId']);
  assert.ok(
    [...byName.values()].every(({ copyMode }) => copyMode === 'FULL_DATA_SYNC'),
    'no updated_at, no sequence',
  );
});

test('netflix, one table with a text key, is understood', { skip: missing('netflix') }, async () => {
  const { tables } = await catalogOf('netflix');
  assert.deepEqual(
    tables.map(({ name, estimatedRows }) => [name, estimatedRows > 8000]),
    [['netflix_shows', true]],
  );
  const [shows] = tables;
  assert.deepEqual(shows && choose(shows).primaryKey, ['show_id']);
});
