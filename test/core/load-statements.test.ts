import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translate } from '../../local/redshift/dialect.ts';
import { firstRows } from '../../shared/core/limits.ts';
import { type Cargo, checkLength, loadStatements } from '../../shared/core/load-statements.ts';
import type { Batch, Pass } from '../../shared/model/state.ts';
import type { Table } from '../../shared/model/table.ts';
import { createTable } from '../../shared/sql/redshift.ts';
import { addColumn, columnsIn, replaceColumns, widenColumn } from '../../shared/sql/warehouse-columns.ts';
import { events, orders, passOf, prices } from './samples.ts';

const ROLE = 'arn:aws:iam::000000000000:role/copy';
const object = (rows: number) => ({ key: `k${rows}`, rows, bytes: 1 });
const cargo = (table: Table, pass: Partial<Pass> = {}, batch: Partial<Batch> = {}): Cargo => ({
  table,
  pass: passOf(table, pass),
  batch: { shape: 's', nullMarker: '~n~', objects: [object(3)], cursor: null, last: true, ...batch },
  copyUrl: 's3://bucket/key',
  stageName: 'loader_1',
  abandoned: false,
  replace: [],
  minShare: 0.5,
});

/** Every statement passes the strict dialect on its way. */
const sqlOf = (...cargos: Cargo[]): string[] => {
  const sqls = loadStatements(cargos, { schema: 'public', copyRoleArn: ROLE });
  for (const sql of sqls) translate(sql);
  return sqls;
};
const copy = (into: string, manifest = '') =>
  `COPY ${into} ("id", "note", "updated_at") FROM 's3://bucket/key' IAM_ROLE '${ROLE}' FORMAT AS CSV NULL AS '~n~' ` +
  `ZSTD${manifest} TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF`;
const guard = (from: string, rows: number) =>
  `SELECT 1 / CASE WHEN (SELECT COUNT(*) FROM ${from}) = ${rows} THEN 1 ELSE 0 END`;
const TEMP = 'CREATE TEMP TABLE loader_stage_0 (LIKE "public"."orders")';
const MERGED = (stage: string) =>
  `MERGE INTO "public"."orders" USING ${stage} ON "orders"."id" = ${stage}."id" ` +
  `WHEN MATCHED THEN UPDATE SET "note" = ${stage}."note", "updated_at" = ${stage}."updated_at" ` +
  `WHEN NOT MATCHED THEN INSERT ("id", "note", "updated_at") VALUES (${stage}."id", ${stage}."note", ${stage}."updated_at")`;

test('updates are counted in a stage, then merged', () => {
  assert.deepEqual(sqlOf(cargo(orders)), [
    TEMP,
    copy('loader_stage_0'),
    guard('loader_stage_0', 3),
    MERGED('loader_stage_0'),
  ]);
});

test('a stage that an earlier pass left is dropped by whatever load comes next, unless that fills it anew', () => {
  const [first = '', ...others] = sqlOf({ ...cargo(orders), abandoned: true });
  assert.equal(first, 'DROP TABLE IF EXISTS "public"."loader_1"');
  assert.deepEqual(others, sqlOf(cargo(orders)));
  assert.equal(sqlOf({ ...cargo(orders, { fresh: true }), abandoned: true })[0], first);
  const anew = { ...cargo(prices, { replaces: 'all' }, { last: false }) };
  assert.deepEqual(sqlOf({ ...anew, abandoned: true }), sqlOf(anew));
});

test('where a key may come twice the newest of its rows is merged', () => {
  assert.deepEqual(sqlOf(cargo(orders, { distinct: false })), [
    TEMP,
    copy('loader_stage_0'),
    guard('loader_stage_0', 3),
    'CREATE TEMP TABLE loader_newest_0 AS SELECT "id", "note", "updated_at" FROM (SELECT *, ' +
      'ROW_NUMBER() OVER (PARTITION BY "id" ORDER BY "updated_at" DESC NULLS LAST) AS nth FROM loader_stage_0) AS numbered WHERE nth = 1',
    MERGED('loader_newest_0'),
  ]);
});

test('rows that are only inserted are never appended blindly', () => {
  assert.deepEqual(sqlOf(cargo(events, { from: '7' })), [
    TEMP,
    copy('loader_stage_0'),
    guard('loader_stage_0', 3),
    'INSERT INTO "public"."orders" ("id", "note", "updated_at") SELECT "id", "note", "updated_at" FROM ' +
      '(SELECT *, ROW_NUMBER() OVER (PARTITION BY "id" ORDER BY "id") AS nth FROM loader_stage_0) AS s ' +
      'WHERE nth = 1 AND NOT EXISTS (SELECT 1 FROM "public"."orders" AS t WHERE t."id" = s."id")',
  ]);
  assert.deepEqual(sqlOf(cargo(events)).at(-1), MERGED('loader_stage_0'), 'but by a pass that starts over');
});

const SHARE = (stage: string) =>
  `SELECT 1 / CASE WHEN (SELECT COUNT(*) FROM ${stage}) >= 0.5 * (SELECT COUNT(*) FROM "public"."orders") THEN 1 ELSE 0 END AS share_kept`;
const SWAP = (stage: string) => [
  'DELETE FROM "public"."orders"',
  `INSERT INTO "public"."orders" ("id", "note", "updated_at") SELECT "id", "note", "updated_at" FROM ${stage}`,
];

test('a full sync counts its stage before it deletes, in one transaction that TRUNCATE would end', () => {
  assert.deepEqual(sqlOf(cargo(prices)), [
    TEMP,
    copy('loader_stage_0'),
    guard('loader_stage_0', 3),
    SHARE('loader_stage_0'),
    ...SWAP('loader_stage_0'),
  ]);
});

test('a source that lost rows is refused before a row is deleted, unless a reset asked for what it has, or any share will do', () => {
  const swapped = sqlOf(cargo(prices));
  assert.ok(swapped.indexOf(SHARE('loader_stage_0')) < swapped.indexOf(SWAP('')[0] ?? ''));
  for (const asked of [cargo(prices, { fresh: true }), { ...cargo(prices), minShare: 0 }])
    assert.doesNotMatch(sqlOf(asked).join('; '), /share_kept/);
});

test('a full sync of several batches fills one stage, and swaps and drops it with the last', () => {
  const stage = '"public"."loader_1"';
  assert.deepEqual(sqlOf(cargo(prices, {}, { last: false })), [
    `DROP TABLE IF EXISTS ${stage}`,
    createTable('public', { ...prices, destinationName: 'loader_1' }),
    copy(stage),
    guard(stage, 3),
  ]);
  assert.deepEqual(sqlOf(cargo(prices, { batches: 1, staged: 7 }, { last: false })), [copy(stage), guard(stage, 10)]);
  assert.deepEqual(sqlOf(cargo(prices, { batches: 2, staged: 10 })), [
    copy(stage),
    guard(stage, 13),
    SHARE(stage),
    ...SWAP(stage),
    `DROP TABLE IF EXISTS ${stage}`,
  ]);
});

test('any pass that replaces is staged by all its batches, and makes room in the transaction of the last', () => {
  const stage = '"public"."loader_1"';
  const last = (table: Table, pass: Partial<Pass>) => sqlOf(cargo(table, { batches: 1, staged: 7, ...pass })).slice(2);
  const drop = `DROP TABLE IF EXISTS ${stage}`;
  assert.deepEqual(sqlOf(cargo(events, { replaces: 'all', fresh: true, batches: 1, staged: 7 }, { last: false })), [
    copy(stage),
    guard(stage, 10),
  ]);
  assert.deepEqual(last(orders, { replaces: 'all' }), [SHARE(stage), ...SWAP(stage), drop]);
  const deduplicated = last(events, { replaces: 'all', distinct: false });
  assert.match(deduplicated[0] ?? '', /^CREATE TEMP TABLE loader_newest_0 AS/);
  assert.deepEqual(deduplicated.slice(1), [SHARE(stage), ...SWAP('loader_newest_0'), drop]);
  assert.deepEqual(last(events, { replaces: { beyond: '40' } }).slice(0, 1), [
    'DELETE FROM "public"."orders" WHERE "id" > 40',
  ]);
  const from = '2026-11-20T00:00:00.000000Z';
  assert.deepEqual(last(orders, { replaces: { beyond: from } }), [
    `DELETE FROM "public"."orders" WHERE "updated_at" >= TIMESTAMPTZ '${from}'`,
    MERGED(stage),
    drop,
  ]);
});

test("a table's first pass copies straight into it, and replaces what a batch done before had brought", () => {
  const target = '"public"."orders"';
  assert.deepEqual(sqlOf(cargo(orders, { fresh: true })), [`DELETE FROM ${target}`, copy(target), guard(target, 3)]);
  const beyond = `${target} WHERE "id" > 500`;
  assert.deepEqual(sqlOf(cargo(events, { fresh: true, batches: 2, cursor: ['500'] })), [
    `DELETE FROM ${beyond}`,
    copy(target),
    guard(beyond, 3),
  ]);
});

test('a first pass by a text key goes through a stage from its second batch on: text sorts differently there', () => {
  const byNote = { ...orders, primaryKey: ['note'] };
  const sqls = sqlOf(cargo(byNote, { fresh: true, batches: 1, cursor: ['z'] }));
  assert.deepEqual(sqls.slice(0, 1), [TEMP]);
  assert.match(sqls.at(-1) ?? '', /^MERGE INTO/);
});

test('several objects are copied by their manifest, none by no COPY at all', () => {
  assert.equal(sqlOf(cargo(orders, {}, { objects: [object(3), object(4)] }))[1], copy('loader_stage_0', ' MANIFEST'));
  const empty = sqlOf({ ...cargo(prices, {}, { objects: [] }), copyUrl: null });
  assert.deepEqual(empty, [TEMP, guard('loader_stage_0', 0), SHARE('loader_stage_0'), ...SWAP('loader_stage_0')]);
});

test('tables that travel together are all staged and counted before the first is touched', () => {
  const other = { ...events, destinationName: 'events' };
  const sqls = sqlOf(cargo(orders), cargo(other, { from: '7' }));
  assert.deepEqual(
    sqls.map((sql) => sql.replace(/^(\w+( TEMP)?).*/s, '$1')),
    ['CREATE TEMP', 'COPY', 'CREATE TEMP', 'COPY', 'SELECT', 'MERGE', 'INSERT'],
  );
  assert.match(sqls[4] ?? '', /FROM loader_stage_0\) = 3 AND \(SELECT COUNT\(\*\) FROM loader_stage_1\) = 3 THEN/);
});

test('a key of several columns is matched by all, and a table that is all key updates itself', () => {
  const composite = { ...orders, primaryKey: ['Id', 'note'] };
  assert.match(
    sqlOf(cargo(composite))[3] ?? '',
    /ON "orders"\."id" = loader_stage_0\."id" AND "orders"\."note" = loader_stage_0\."note" WHEN/,
  );
  const allKey = { ...orders, primaryKey: ['Id', 'note', 'updated_at'] };
  assert.match(sqlOf(cargo(allKey))[3] ?? '', /UPDATE SET "id" = loader_stage_0\."id", "note"/);
});

test('tables are made with their key NOT NULL alone, declared nowhere else, sorted by what is read', () => {
  const sqls = [createTable('public', orders), addColumn('public', orders, note)];
  for (const sql of [...sqls, columnsIn('public'), columnsIn('public', "it's")]) translate(sql);
  assert.deepEqual(sqls, [
    'CREATE TABLE IF NOT EXISTS "public"."orders" ("id" BIGINT NOT NULL, "note" VARCHAR(65535), "updated_at" TIMESTAMPTZ) ' +
      'DISTSTYLE AUTO SORTKEY ("updated_at")',
    'ALTER TABLE "public"."orders" ADD COLUMN "note" VARCHAR(65535)',
  ]);
});

const note = orders.columns[1] ?? assert.fail();
const id = orders.columns[0] ?? assert.fail();

test('a column that the source dropped is NULL in what is loaded, inserted and updated alike', () => {
  const [, , , merged = ''] = sqlOf(cargo({ ...orders, dropped: [{ ...note, source: 'gone', name: 'gone' }] }));
  assert.match(merged, /"updated_at" = loader_stage_0\."updated_at", "gone" = NULL WHEN NOT MATCHED/);
  assert.doesNotMatch(merged.slice(merged.indexOf('INSERT')), /gone/);
});

test('columns of another type are replaced in the transaction that replaces all rows, and in no other', () => {
  const REPLACED = replaceColumns('public', orders, [note]);
  assert.deepEqual(REPLACED, [
    'ALTER TABLE "public"."orders" ALTER SORTKEY NONE',
    'ALTER TABLE "public"."orders" DROP COLUMN "note"',
    'ALTER TABLE "public"."orders" ADD COLUMN "note" VARCHAR(65535)',
    'ALTER TABLE "public"."orders" ALTER SORTKEY ("updated_at")',
  ]);
  const sqls = (pass: Partial<Pass>, batch: Partial<Batch> = {}) =>
    sqlOf({ ...cargo(orders, pass, batch), replace: [note] });
  assert.deepEqual(sqls({ replaces: 'all' }).slice(0, 5), [...REPLACED, TEMP], 'before the stage is made like it');
  assert.deepEqual(sqls({ replaces: 'all', fresh: true }).slice(0, 4), REPLACED);
  const last = sqls({ replaces: 'all', batches: 2, staged: 4 });
  const at = last.indexOf(REPLACED[0] ?? '');
  assert.deepEqual(last.slice(at, at + 6), [
    ...REPLACED,
    SHARE('"public"."loader_1"'),
    'DELETE FROM "public"."orders"',
  ]);
  assert.ok(at > last.findIndex((sql) => sql.startsWith('SELECT 1 /')), 'after the rows are counted');
  for (const other of [sqls({ replaces: 'all' }, { last: false }), sqls({})])
    assert.doesNotMatch(other.join('; '), /ALTER TABLE/);
});

test('the sort key is taken away while columns are replaced', () => {
  const sqls = replaceColumns('public', events, [note, id]);
  for (const sql of [...sqls, widenColumn('public', orders, note)]) translate(sql);
  assert.equal(sqls[0], 'ALTER TABLE "public"."orders" ALTER SORTKEY NONE');
  assert.equal(sqls.at(-1), 'ALTER TABLE "public"."orders" ALTER SORTKEY ("id")');
  assert.equal(sqls.length, 6);
});

test('a comparison whose statement Redshift would not take is refused by name', () => {
  checkLength(orders, 'x'.repeat(200_000));
  assert.throws(() => checkLength(orders, 'ü'.repeat(100_001)), {
    name: 'BadConfiguration',
    message:
      /^Orders: to compare its 3 columns takes a statement of 200002 bytes, and Redshift takes 200000: exclude some/,
  });
});

test('where every batch appends the first are small, each twice the one before; where rows are merged none is', () => {
  const rows = (table: Table, pass: Partial<Pass>) =>
    [0, 1, 2, 3].map((batches) => firstRows(table, passOf(table, { ...pass, batches }), 1_000));
  const all = [Infinity, Infinity, Infinity, Infinity];
  const fresh = { walk: 'key', fresh: true, distinct: true, replaces: null } as const;
  assert.deepEqual(rows(events, fresh), [2_000, 4_000, 8_000, 16_000]);
  assert.deepEqual(rows(orders, fresh), [2_000, 4_000, 8_000, 16_000]);
  assert.deepEqual(rows(orders, { ...fresh, fresh: false }), all);
  assert.deepEqual(rows(orders, { ...fresh, replaces: 'all' }), all);
  const texts = orders.columns.map((column) => (column.source === 'Id' ? { ...column, type: 'VARCHAR(9)' } : column));
  assert.deepEqual(rows({ ...orders, columns: texts }, fresh), all);
});
