import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guess as guessBy } from '../../shared/core/guess.ts';
import type { Known } from '../../shared/core/guess-checks.ts';
import type { PgType, SourceColumn, SourceTable } from '../../shared/model/catalog.ts';

const column = (name: string, type: string, nullable = false, kind: PgType['kind'] = 'base'): SourceColumn => ({
  name,
  type: { name: type, schema: 'pg_catalog', kind, typmod: -1, declared: type },
  nullable,
});

/** An append-only table: integer key from a sequence, no updated_at, only inserts so far. */
const events: SourceTable = {
  schema: 'public',
  name: 'events',
  kind: 'table',
  oid: 1,
  columns: [column('id', 'int8'), column('kind', 'text')],
  primaryKey: ['id'],
  uniqueKeys: [],
  indexedColumns: ['id'],
  sequences: [{ column: 'id', cache: 1, increment: 1 }],
  stats: { inserted: 100, updated: 0, deleted: 0 },
  estimatedRows: 100,
  readable: true,
};
const orders: SourceTable = {
  ...events,
  name: 'orders',
  columns: [column('id', 'int8'), column('updated_at', 'timestamptz')],
  indexedColumns: ['id', 'updated_at'],
  stats: { inserted: 100, updated: 50, deleted: 0 },
};

const guess = (table: SourceTable, known: Partial<Known> = {}) =>
  guessBy(table, { user: 'redshift_loader', clocks: new Map(), ...known });
const modeOf = (table: SourceTable): string => guess(table).copyMode;

test('a key and an updated_at make INSERT_AND_UPDATE, and nothing is left to check', () => {
  const { primaryKey, updatedKey, copyMode, checks } = guess(orders);
  assert.deepEqual(
    { primaryKey, updatedKey, copyMode, checks },
    {
      primaryKey: ['id'],
      updatedKey: 'updated_at',
      copyMode: 'INSERT_AND_UPDATE',
      checks: [],
    },
  );
});

test('a sequence and none but inserts make INSERT_ONLY', () => {
  assert.equal(modeOf(events), 'INSERT_ONLY');
  assert.equal(guess(events).updatedKey, null);
});

test('one update or one delete ever, and INSERT_ONLY is not guessed', () => {
  assert.equal(modeOf({ ...events, stats: { inserted: 100, updated: 1, deleted: 0 } }), 'FULL_DATA_SYNC');
  assert.equal(modeOf({ ...events, stats: { inserted: 100, updated: 0, deleted: 1 } }), 'FULL_DATA_SYNC');
});

test('statistics that cannot know every row are not trusted', () => {
  assert.equal(modeOf({ ...events, stats: null }), 'FULL_DATA_SYNC');
  assert.equal(
    modeOf({ ...events, stats: { inserted: 0, updated: 0, deleted: 0 }, estimatedRows: 0 }),
    'FULL_DATA_SYNC',
  );
  assert.equal(modeOf({ ...events, stats: { inserted: 5, updated: 0, deleted: 0 } }), 'FULL_DATA_SYNC');
  const unanalysed = guess({ ...events, estimatedRows: -1 });
  assert.equal(unanalysed.copyMode, 'FULL_DATA_SYNC');
  assert.match(unanalysed.checks.join(), /if its rows never change, choose INSERT_ONLY/);
});

test('INSERT_ONLY needs one integer column that a rising sequence feeds', () => {
  assert.equal(modeOf({ ...events, sequences: [] }), 'FULL_DATA_SYNC');
  assert.equal(modeOf({ ...events, sequences: [{ column: 'id', cache: 1, increment: -1 }] }), 'FULL_DATA_SYNC');
  assert.equal(modeOf({ ...events, primaryKey: ['id', 'kind'] }), 'FULL_DATA_SYNC');
  assert.equal(modeOf({ ...events, columns: [column('id', 'numeric')] }), 'FULL_DATA_SYNC');
});

test('updated_at counts only as a timestamp', () => {
  for (const type of ['date', 'text', 'int8', 'time']) {
    const table = { ...orders, columns: [column('id', 'int8'), column('updated_at', type)] };
    assert.equal(guess(table).updatedKey, null, type);
    assert.match(guess(table).checks.join(), /updated_at is/);
  }
});

test('without a primary key the shortest unique key without NULLs stands in', () => {
  const table = { ...orders, primaryKey: [], uniqueKeys: [['id', 'updated_at'], ['id']] };
  assert.deepEqual(guess(table).primaryKey, ['id']);
  assert.equal(modeOf({ ...orders, primaryKey: [] }), 'FULL_DATA_SYNC');
});

test('a key that the warehouse cannot compare is none', () => {
  for (const bad of [column('id', 'jsonb'), column('id', 'float8'), column('id', '_int4', false, 'array')]) {
    const found = guess({ ...orders, columns: [bad, column('updated_at', 'timestamptz')] });
    assert.deepEqual([found.primaryKey, found.copyMode], [[], 'FULL_DATA_SYNC']);
  }
});

test('a missing index is answered with the statement that makes it', () => {
  const checks = (table: SourceTable) => guess({ ...table, indexedColumns: ['id'] }).checks.join('\n');
  assert.match(checks(orders), /CREATE INDEX CONCURRENTLY ON "public"\."orders" \("updated_at", "id"\);/);
  assert.match(checks({ ...orders, kind: 'partitioned' }), /CREATE INDEX ON "public"\."orders"/);
});

test('missing rights are answered with the GRANT, for the user that reads', () => {
  const { checks } = guess({ ...orders, readable: false }, { user: 'sync"er' });
  assert.match(
    checks.join(),
    /GRANT USAGE ON SCHEMA "public" TO "sync""er"; GRANT SELECT ON "public"\."orders" TO "sync""er";/,
  );
  const held = guess({ ...orders, readable: false, schemaUsable: true }, { user: 'reader' }).checks.join();
  assert.match(
    held,
    /may not be read: GRANT SELECT ON "public"\."orders" TO "reader";/,
    'what is held is not asked for',
  );
  assert.match(guess({ ...orders, rowSecurity: true }).checks.join(), /BYPASSRLS/);
});

test('what can go wrong later is said: NULLs, local time, deletes, blanks, blocks of ids, great tables', () => {
  const said = (table: SourceTable, pattern: RegExp) => assert.match(guess(table).checks.join('\n'), pattern);
  said({ ...orders, columns: [column('id', 'int8'), column('updated_at', 'timestamptz', true)] }, /may be NULL/);
  said({ ...orders, columns: [column('id', 'int8'), column('updated_at', 'timestamp')] }, /UTC/);
  said({ ...orders, stats: { inserted: 9, updated: 0, deleted: 3 } }, /3 rows were deleted/);
  said({ ...orders, columns: [column('id', 'text'), column('updated_at', 'timestamptz')] }, /LIKE '% ';/);
  said({ ...events, sequences: [{ column: 'id', cache: 50, increment: 1 }] }, /blocks of 50/);
  said({ ...events, sequences: [], estimatedRows: 2_000_000 }, /2000000 rows/);
  said({ ...events, sequences: [] }, /fed by no sequence/);
  said({ ...events, columns: [column('id', 'uuid'), column('modifiedAt', 'timestamptz')] }, /set updatedKey to it/);
});

test('the zone of an updated key that has none is held against the clock', () => {
  const local = { ...orders, columns: [column('id', 'int8'), column('updated_at', 'timestamp')] };
  const said = (ahead?: number | null) =>
    guess(local, { clocks: new Map(ahead === undefined ? [] : [['orders', ahead]]) }).checks.join();
  const unknown =
    "updated_at has no time zone and is read as UTC: check that it is written so; if not, set the table's timezone to the zone of the clock that writes it";
  assert.deepEqual([said(), said(null)], [unknown, unknown]);
  assert.deepEqual([said(0), said(-299), said(299)], ['', '', '']);
  assert.match(said(7_190), /read as UTC, and yet its newest value lies 2 hours ahead of the source's clock: set the/);
  assert.match(said(-18_010), /by which its newest value is 5 hours old: if a row was changed since, set the table's/);
  assert.match(said(-3_600), /is 1 hour old/);
  assert.match(said(-30 * 86_400), /30 days old/);
});
