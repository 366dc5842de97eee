import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translate } from '../../local/redshift/dialect.ts';
import type { Column } from '../../shared/model/column.ts';
import { sourceChecksum, warehouseChecksum } from '../../shared/sql/checksum.ts';

const base = (name: string, typmod = -1) => ({
  name,
  schema: 'pg_catalog',
  kind: 'base' as const,
  typmod,
  declared: name,
});
const columns: Column[] = [
  { source: 'id', name: 'id', sourceType: base('int8'), type: 'BIGINT' },
  { source: 'Name', name: 'name', sourceType: base('text'), type: 'VARCHAR(65535)' },
  { source: 'uid', name: 'uid', sourceType: base('uuid'), type: 'VARCHAR(36)' },
];
const table = {
  source: { schema: 'public', name: 'People' },
  warehouse: { schema: 'shop', name: 'people' },
  columns,
};

test('the source sums what its own columns hash to', () => {
  assert.deepEqual(sourceChecksum(table), {
    sql:
      "SELECT COUNT(*), COALESCE(SUM(CAST(('x' || SUBSTRING(MD5(convert_to(" +
      `COALESCE("id"::text || '|;', '|~')` +
      ` || COALESCE(CASE WHEN LENGTH("Name"::text) <= 128 THEN REPLACE(("Name"::text) COLLATE "C", '|', '||') || '|;'` +
      ` ELSE MD5(convert_to("Name"::text, 'UTF8')) || '|#' END, '|~')` +
      ` || COALESCE(REPLACE(("uid"::text) COLLATE "C", '|', '||') || '|;', '|~')` +
      `, 'UTF8')), 1, 15))::bit(60)::bigint AS DECIMAL(38,0))), 0) FROM "public"."People"`,
    values: [],
  });
});

test('the warehouse does the same in its own words', () => {
  assert.deepEqual(warehouseChecksum({ ...table, where: { source: 'true', warehouse: '"id" < 7' } }), {
    sql:
      'SELECT COUNT(*), COALESCE(SUM(CAST(STRTOL(SUBSTRING(MD5(' +
      `COALESCE("id"::VARCHAR || '|;', '|~')` +
      ` || COALESCE(CASE WHEN LENGTH("name") <= 128 THEN REPLACE("name", '|', '||') || '|;' ELSE MD5("name") || '|#' END, '|~')` +
      ` || COALESCE(REPLACE("uid", '|', '||') || '|;', '|~')` +
      '), 1, 15), 16) AS DECIMAL(38,0))), 0) FROM "shop"."people" WHERE "id" < 7',
    values: [],
  });
});

test('what SQL text cannot settle comes row by row, beside the hash of all other columns', () => {
  const more: Column[] = [
    ...columns.slice(0, 1),
    { source: 'doc', name: 'doc', sourceType: base('jsonb'), type: 'SUPER' },
    { source: 'f', name: 'f', sourceType: base('float8'), type: 'DOUBLE PRECISION' },
    { source: 'r', name: 'r', sourceType: base('float4'), type: 'REAL' },
  ];
  const { sql, values } = warehouseChecksum({ ...table, columns: more });
  assert.deepEqual(values, ['json', 'float', 'real']);
  assert.match(
    sql,
    /^SELECT MD5\(COALESCE\("id"::VARCHAR \|\| '\|;', '\|~'\)\), .*JSON_SERIALIZE\("doc"\).*, "f", "r" FROM /,
  );
});

test('a profiled numeric is read by the digits it was created with', () => {
  const numeric: Column = { source: 'n', name: 'n', sourceType: base('numeric'), type: 'DECIMAL(12,3)' };
  assert.match(sourceChecksum({ ...table, columns: [numeric] }).sql, /round\("n", 3\)/);
});

test("a row's text fits into Redshift's longest VARCHAR however many columns there are", () => {
  for (const count of [1, 10, 100, 126, 300, 1_000, 1_600]) {
    const wide = Array.from({ length: count }, (_, i) => ({ ...columns[1], name: `c${i}` }) as Column);
    const limit = Number(/<= (\d+) THEN/.exec(warehouseChecksum({ ...table, columns: wide }).sql)?.[1] ?? 0);
    // Four bytes a character and the mark, or the hash and its mark; of very many columns only hashes.
    assert.ok(count * Math.max(4 * limit + 2, 34) <= 65_535, `${count} columns of ${limit} characters`);
  }
});

test('a statement over as many columns as a table may have, with long names, is one that Redshift takes, and both sides write alike', () => {
  const wide = Array.from({ length: 1_600 }, (_, i) => {
    const name = `c${i}`.padEnd(48, '_');
    return { ...(columns[i % 3] ?? assert.fail()), source: name.toUpperCase(), name };
  });
  const [source, warehouse] = [
    sourceChecksum({ ...table, columns: wide }),
    warehouseChecksum({ ...table, columns: wide }),
  ];
  assert.ok(Buffer.byteLength(warehouse.sql) < 150_000, `${warehouse.sql.length}`);
  assert.equal(source.sql.split("'~')").length, warehouse.sql.split("'~')").length);
  assert.equal(source.sql.split('CASE').length, 1);
});

test('the warehouse statement is Redshift, the source statement is not', () => {
  assert.equal(translate(warehouseChecksum(table).sql).kind, 'sql');
  assert.throws(() => translate(sourceChecksum(table).sql));
});
