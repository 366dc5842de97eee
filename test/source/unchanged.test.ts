import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { loadedBelow } from '../../shared/core/already-loaded.ts';
import type { SourceTable } from '../../shared/model/catalog.ts';
import type { Snapshot } from '../../shared/model/state.ts';
import { readCatalog } from '../../shared/source/catalog.ts';
import { readSnapshot } from '../../shared/source/fence.ts';
import { BEGIN } from '../../shared/source/snapshot.ts';
import { isUnchanged } from '../../shared/source/unchanged.ts';
import { PIN_SESSION } from '../../shared/sql/postgres.ts';
import { startTestServer, type TestServer } from './server.ts';

let server: TestServer;
let admin: pg.Client;
let other: pg.Client;
let loader: pg.Client;

before(async () => {
  server = await startTestServer();
  [admin, other, loader] = [await server.connect(), await server.connect(), await server.connect()];
  await admin.query(`
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE TABLE codes (id int PRIMARY KEY, name text, mood mood DEFAULT 'sad');
    INSERT INTO codes SELECT n, 'code ' || n FROM generate_series(1, 50) n;
    CREATE TABLE parts (id int, name text) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (30);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (30) TO (100);
    INSERT INTO parts SELECT n, 'part ' || n FROM generate_series(1, 50) n`);
  await loader.query(PIN_SESSION);
});
after(() => server.stop());

/** What a full sync would note of the table, and what the next would then say. */
async function look(name: string): Promise<{ snapshot: Snapshot; found: SourceTable; rows: number }> {
  await loader.query(BEGIN);
  const snapshot = await readSnapshot(loader);
  const { tables } = await readCatalog(loader, { schema: 'public', exclude: [], only: [name] });
  const { rows } = await loader.query(`SELECT count(*)::int AS n FROM public.${name}`);
  await loader.query('COMMIT');
  return { snapshot, found: tables[0] ?? assert.fail(name), rows: rows[0].n };
}

async function unchangedSince({ snapshot, found, rows }: Awaited<ReturnType<typeof look>>): Promise<boolean> {
  await loader.query(BEGIN);
  const now = await readSnapshot(loader);
  const below = loadedBelow({ snapshot, oid: found.oid }, now, found.oid);
  const same = await isUnchanged(loader, found, { rows, skip: { below, now, except: [] } });
  await loader.query('COMMIT');
  return same;
}

const CHANGES: [table: string, sql: string][] = [
  ['codes', "INSERT INTO codes VALUES (51, 'new')"],
  ['codes', "UPDATE codes SET name = 'other' WHERE id = 7"],
  ['codes', 'UPDATE codes SET name = name WHERE id = 8'],
  ['codes', 'DELETE FROM codes WHERE id = 9'],
  ['codes', "DELETE FROM codes WHERE id = 10; INSERT INTO codes VALUES (10, 'in its place')"],
  ['codes', "BEGIN; SAVEPOINT a; UPDATE codes SET name = 'under a savepoint' WHERE id = 11; RELEASE a; COMMIT"],
  ['codes', 'CREATE TABLE kept AS TABLE codes; TRUNCATE codes; INSERT INTO codes TABLE kept; DROP TABLE kept'],
  ['codes', 'DELETE FROM codes WHERE id = 12; VACUUM FULL codes'],
  ['codes', 'ALTER TABLE codes ALTER name TYPE varchar(99) USING upper(name)'],
  ['codes', "ALTER TABLE codes ADD COLUMN tier text DEFAULT 'gold'"],
  ['codes', "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"],
  ['codes', 'TRUNCATE codes'],
  ['parts', "UPDATE parts SET name = 'other' WHERE id = 40"],
  ['parts', 'UPDATE parts SET id = id + 60 WHERE id = 20'],
  ['parts', 'ALTER TABLE parts DETACH PARTITION parts_1'],
];

test('whatever changes what a full sync would bring is seen', async () => {
  for (const [table, sql] of CHANGES) {
    const earlier = await look(table);
    assert.equal(await unchangedSince(earlier), true, `before: ${sql}`);
    for (const statement of sql.split('; ')) await admin.query(statement);
    assert.equal(await unchangedSince(earlier), false, sql);
  }
});

test('what leaves the rows as they are is no change', async () => {
  // VACUUM FULL of a table that got a column with a default writes the columns' definitions, too: that one is loaded again.
  await admin.query(
    "CREATE TABLE still (id int PRIMARY KEY, name text); INSERT INTO still SELECT n, 'n' || n FROM generate_series(1, 50) n",
  );
  const earlier = await look('still');
  for (const sql of [
    "BEGIN; INSERT INTO still VALUES (52, 'never'); DELETE FROM still WHERE id < 9; ROLLBACK",
    'VACUUM FULL still',
    'VACUUM FREEZE still',
    'CLUSTER still USING still_pkey',
    'ANALYZE still',
    'CREATE INDEX ON still (name)',
    'CREATE TABLE neighbour (id int); INSERT INTO neighbour VALUES (1)',
  ]) {
    for (const statement of sql.split('; ')) await admin.query(statement);
    assert.equal(await unchangedSince(earlier), true, sql);
  }
});

test('a writer who had begun before the earlier sync and commits after it is seen, also under a savepoint', async () => {
  await other.query("BEGIN; SAVEPOINT a; UPDATE still SET name = 'late' WHERE id = 1");
  const earlier = await look('still');
  assert.equal(await unchangedSince(earlier), true);
  await other.query('RELEASE a; COMMIT');
  assert.equal(await unchangedSince(earlier), false);
});

test('rows on another server prove nothing', async () => {
  await admin.query(`CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
    CREATE FOREIGN TABLE parts_far PARTITION OF parts FOR VALUES FROM (100) TO (200) SERVER far`);
  const earlier = await look('still');
  assert.equal(await unchangedSince(earlier), true);
  const parts = (await readCatalog(loader, { schema: 'public', exclude: [], only: ['parts'] })).tables[0];
  assert.equal(await unchangedSince({ ...earlier, found: { ...earlier.found, parts: parts?.parts ?? [] } }), false);
});
