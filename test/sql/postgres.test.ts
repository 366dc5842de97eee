import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceColumn } from '../../shared/model/catalog.ts';
import {
  copyOut,
  countRows,
  highestId,
  lastKey,
  lockTable,
  missingIds,
  notLoaded,
  type Range,
  rowsOf,
  type Scope,
  type Source,
  walkFrom,
} from '../../shared/sql/postgres.ts';
import { orders, snapshot } from '../core/samples.ts';

const column = (name: string, type: string, declared = type): SourceColumn => ({
  name,
  type: { name: type, schema: 'pg_catalog', kind: 'base', typmod: -1, declared },
  nullable: false,
});
const id = column('Id', 'int8', 'bigint');
const stamp = column('updated_at', 'timestamptz', 'timestamp with time zone');
const source: Source = { schema: 'public', name: 'Orders', keys: [id], updatedKey: stamp, timezone: 'UTC' };
const walk: Source = { ...source, keys: [stamp, id] };
const nothing: Scope = { since: null, skip: null, gaps: [] };
const FENCE = '2026-11-22T10:00:00.000000Z';
const since: Scope = { ...nothing, since: { fence: FENCE, seconds: 300 } };
const SINCE = `"updated_at" >= greatest('${FENCE}'::timestamptz - interval '300 s', '0001-01-01 00:00:00+00')`;
const FROM = 'FROM "public"."Orders" t';

test('each range means its rows, without those that are loaded already', () => {
  const of = (range: Range, scope = nothing, from = source) => rowsOf(from, range, scope);
  assert.equal(of({ kind: 'all' }), FROM);
  assert.equal(of({ kind: 'all' }, since), `${FROM} WHERE ${SINCE}`);
  assert.equal(of({ kind: 'keys', after: null, upTo: ['9'] }), `${FROM} WHERE "Id" <= '9'::bigint`);
  assert.equal(
    of({ kind: 'keys', after: ['2026-11-22 10:00:00+00', '7'], upTo: null }, nothing, walk),
    `${FROM} WHERE ("updated_at", "Id") > ('2026-11-22 10:00:00+00'::timestamp with time zone, '7'::bigint)`,
  );
  assert.equal(of({ kind: 'unstamped' }), `${FROM} WHERE "updated_at" IS NULL`);
  assert.equal(of({ kind: 'gaps' }), `${FROM} WHERE false`);
  const gaps = [
    { from: '5', to: '7', seen: '' },
    { from: '9', to: '9', seen: '' },
  ];
  const joined =
    `${FROM} JOIN (VALUES (5::bigint, 7::bigint), (9::bigint, 9::bigint)) AS gap(low, high) ` +
    'ON t."Id" BETWEEN gap.low AND gap.high';
  assert.equal(of({ kind: 'gaps' }, { ...nothing, gaps }), joined);

  const skip = { below: 100n, now: snapshot, except: [] };
  const SKIP = 'mod(110 + 4294967296 - t.xmin::text::bigint, 4294967296) <= 10';
  const scope = { ...since, skip, gaps };
  assert.equal(of({ kind: 'all' }, scope), `${FROM} WHERE ${SINCE} AND ${SKIP}`);
  assert.equal(
    of({ kind: 'keys', after: ['1'], upTo: null }, scope),
    `${FROM} WHERE ${SINCE} AND "Id" > '1'::bigint AND ${SKIP}`,
  );
  const onward = of({ kind: 'keys', after: ['1'], upTo: null }, { ...scope, since: null });
  assert.equal(onward, `${FROM} WHERE "Id" > '1'::bigint`, 'beyond the highest id nothing is loaded');
  assert.equal(of({ kind: 'unstamped' }, scope), `${FROM} WHERE "updated_at" IS NULL AND ${SKIP}`);
  assert.equal(of({ kind: 'gaps' }, scope), `${joined} WHERE ${SKIP}`);
  const attached = { ...scope, skip: { ...skip, except: [16400, 16410] } };
  const either = `(${SKIP} OR t.tableoid IN (16400, 16410))`;
  assert.equal(of({ kind: 'all' }, attached), `${FROM} WHERE ${SINCE} AND ${either}`, 'but what was attached is read');
  assert.equal(
    of({ kind: 'attached', upTo: ['9'] }, { ...attached, since: null }),
    `${FROM} WHERE "Id" <= '9'::bigint AND t.tableoid IN (16400, 16410)`,
  );
  assert.equal(
    of({ kind: 'gaps' }, attached),
    `${joined} WHERE ${either} AND t.tableoid NOT IN (16400, 16410)`,
    'and by one range alone',
  );
});

/** What the condition says of a row, as Postgres computes it. */
const isRead = (below: bigint, xmax: bigint, rowXid: bigint): boolean => {
  const [condition = ''] = notLoaded({ below, now: { ...snapshot, xmax: String(xmax) }, except: [] });
  const [, base, wrap, , limit] =
    /^mod\((\d+) \+ (\d+) - t\.xmin::text::bigint, (\d+)\) <= (\d+)$/.exec(condition) ?? [];
  const xmin = rowXid % 2n ** 32n;
  return (BigInt(base ?? '') + BigInt(wrap ?? '') - xmin) % BigInt(wrap ?? '') <= BigInt(limit ?? '');
};

test('a row counts as loaded exactly below the bound, also where 32-bit ids begin again', () => {
  const wrap = 2n ** 32n;
  for (const epoch of [0n, wrap, 5n * wrap])
    for (const [below, xmax] of [
      [1_000n, 1_200n],
      [epoch + 3n, epoch + 3n],
      [epoch + wrap - 50n, epoch + wrap + 50n],
      [epoch + wrap - 900_000_000n, epoch + wrap + 99_999_999n],
    ] as const)
      for (const [row, expected] of [
        [below - 1n, false],
        [below, true],
        [xmax - 1n, below < xmax],
        [below - 999_999_999n, false],
      ] as const)
        if (row >= 3n) assert.equal(isRead(below, xmax, row), expected, `row ${row}, bound ${below}, xmax ${xmax}`);
  assert.deepEqual(notLoaded({ below: null, now: snapshot, except: [] }), [], 'no bound skips nothing');
});

test('the select list is final and textual columns are always quoted', () => {
  const [id] = orders.columns;
  const name = { source: 'name', name: 'name', sourceType: column('name', 'name').type, type: 'VARCHAR(252)' };
  assert.ok(id);
  assert.equal(
    copyOut([id, name], [FROM, `${FROM} WHERE x`], '~n~'),
    `COPY (SELECT t."Id" AS c0, t."name"::text AS c1 ${FROM} UNION ALL SELECT t."Id" AS c0, t."name"::text AS c1 ${FROM} WHERE x) ` +
      "TO STDOUT WITH (FORMAT csv, NULL '~n~', FORCE_QUOTE (c1))",
  );
});

test('a walk goes by its keys in their order, as far as a batch goes; its end is found from behind', () => {
  const rows = `${FROM} WHERE ${SINCE}`;
  assert.equal(
    walkFrom(walk, null, since, 1000),
    `DECLARE walk NO SCROLL CURSOR FOR SELECT "updated_at", "Id" ${rows} ORDER BY "updated_at", "Id" LIMIT 1000`,
  );
  assert.equal(
    lastKey(walk, null, since),
    `SELECT "updated_at", "Id" ${rows} ORDER BY "updated_at" DESC, "Id" DESC LIMIT 1`,
  );
});

test('a probe counts no further than it must', () => {
  assert.equal(
    countRows(source, [{ kind: 'all' }, { kind: 'unstamped' }], nothing, 11),
    `SELECT count(*)::int AS rows FROM (SELECT 1 ${FROM} UNION ALL SELECT 1 ${FROM} WHERE "updated_at" IS NULL LIMIT 11) s`,
  );
});

test('names and values can carry anything', () => {
  const odd: Source = { ...source, name: 'a"b', keys: [column('c"d', 'text')] };
  assert.equal(
    rowsOf(odd, { kind: 'keys', after: ["it's \\"], upTo: null }, nothing),
    `FROM "public"."a""b" t WHERE "c""d" > ('it''s ' || CHR(92))::text`,
  );
  assert.equal(lockTable(odd), 'LOCK TABLE "public"."a""b" IN ACCESS SHARE MODE');
  assert.match(highestId(odd), /^SELECT max\("c""d"\)::text AS max FROM "public"\."a""b" t$/);
  assert.throws(() => missingIds(source, [{ from: '1; DROP TABLE x', to: '2', seen: '' }]), SyntaxError);
});
