import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { from, to } from 'pg-copy-streams';
import type { PgType } from '../../shared/model/catalog.ts';
import type { Column } from '../../shared/model/column.ts';
import { readCatalog } from '../../shared/source/catalog.ts';
import { PIN_SESSION } from '../../shared/sql/postgres.ts';
import { type Mapping, mapType } from '../../shared/sql/types.ts';
import { comparedValue, loadedValue } from '../../shared/sql/values.ts';
import { startTestServer, type TestServer } from '../source/server.ts';
import { SAMPLE_TYPES, SAMPLES, type Sample } from './samples.ts';
import { inPostgres, REDSHIFT_FUNCTIONS, warehouseColumn } from './warehouse.ts';

const MARKER = '~null~';
let server: TestServer;
let owner: pg.Client;
/** Reads as the product does, as a role whose own settings are as unlike as can be. */
let reader: pg.Client;

before(async () => {
  server = await startTestServer();
  owner = await server.connect();
  await owner.query(`
    SET TimeZone = 'UTC';
    ${SAMPLE_TYPES}
    CREATE ROLE odd LOGIN PASSWORD 'odd' IN ROLE pg_read_all_data;
    ALTER ROLE odd SET DateStyle = 'SQL, DMY'; ALTER ROLE odd SET TimeZone = 'Asia/Kathmandu';
    ALTER ROLE odd SET IntervalStyle = 'sql_standard'; ALTER ROLE odd SET extra_float_digits = -10;
    ALTER ROLE odd SET bytea_output = 'escape'; ALTER ROLE odd SET standard_conforming_strings = off;
    ${REDSHIFT_FUNCTIONS}`);
  reader = await server.connect('test', 'odd');
  await reader.query(PIN_SESSION);
});
after(() => server?.stop());

/** Puts the values and a NULL into a table and tells how its column is mapped. */
const fill = async ({ type, values }: Sample): Promise<{ mapping: Mapping; column: Column }> => {
  await owner.query(`DROP TABLE IF EXISTS origin; CREATE TABLE origin (n int, "c ""1" ${type})`);
  const all = [null, ...values];
  for (const [n, value] of all.entries()) await owner.query('INSERT INTO origin VALUES ($1, $2)', [n, value]);
  const { tables } = await readCatalog(owner, { schema: 'public', exclude: [], only: ['origin'] });
  const pgType = tables[0]?.columns[1]?.type;
  assert.ok(pgType);
  const mapping = mapType(pgType);
  return { mapping, column: { source: 'c "1', name: 'c', sourceType: pgType, type: mapping.type } };
};

const COLUMN = '"c ""1"';

/** Postgres → CSV → a table of the warehouse's types, as the loader does it. */
const load = async (mapping: Mapping, column: Column): Promise<void> => {
  const force = mapping.forceQuote ? ', FORCE_QUOTE (value)' : '';
  const select = `SELECT n, ${loadedValue(column, 0)} AS value FROM public.origin t ORDER BY n`;
  const csv = await text(reader.query(to(`COPY (${select}) TO STDOUT (FORMAT csv, NULL '${MARKER}'${force})`)));
  const { type, fromText } = warehouseColumn(mapping.type);
  await owner.query(
    `DROP TABLE IF EXISTS copy, stage; CREATE TABLE stage (n int, c text); CREATE TABLE copy (n int, c ${type})`,
  );
  await pipeline(Readable.from([csv]), owner.query(from(`COPY stage FROM STDIN (FORMAT csv, NULL '${MARKER}')`)));
  await owner.query(`INSERT INTO copy SELECT n, ${fromText('c')} FROM stage`);
};

const firstColumn = async (client: pg.Client, sql: string): Promise<(string | null)[]> => {
  const { rows } = await client.query<[string | null]>({ text: sql, rowMode: 'array' });
  return rows.map(([value]) => value);
};

/** Whether two texts of a column mean the same, as its way to compare has it. */
const same = async (mapping: Mapping, left: string | null, right: string | null): Promise<boolean> => {
  if (left === null || right === null || mapping.compare === 'text') return left === right;
  if (mapping.compare === 'float') return Object.is(Number(left), Number(right));
  return (await firstColumn(owner, `SELECT ($$${left}$$::jsonb = $$${right}$$::jsonb)::text`))[0] === 'true';
};

for (const sample of SAMPLES) {
  test(`${sample.type}: what is loaded means what the source has, and both sides' comparable texts agree`, async () => {
    const { mapping, column } = await fill(sample);
    await load(mapping, column);

    const source = await firstColumn(reader, `SELECT ${comparedValue(column)} FROM public.origin ORDER BY n`);
    const warehouse = await firstColumn(
      owner,
      `SELECT (${inPostgres(mapping.warehouseText('c'))})::text FROM copy ORDER BY n`,
    );
    for (const [n, value] of [null, ...sample.values].entries()) {
      const expectNull = value === null || (sample.lost?.includes(value) ?? false);
      assert.equal(source[n] === null, expectNull, `source text of ${value} is ${source[n]}`);
      assert.ok(
        await same(mapping, source[n] ?? null, warehouse[n] ?? null),
        `${value}: ${source[n]} ≠ ${warehouse[n]}`,
      );
    }

    const back = sample.back ?? `$text::text::${sample.type}`;
    const meaning = mapping.type.startsWith('VARCHAR')
      ? // As a session prints it whose settings are the server's own.
        `s.c = concat(o.${COLUMN})`
      : back === 'ARRAYJSON'
        ? `to_jsonb(o.${COLUMN}) = s.c::jsonb`
        : sample.type === 'json'
          ? `o.${COLUMN}::jsonb = s.c::jsonb`
          : `concat(${back.replace('$text', 's.c')}) = concat(o.${COLUMN})`;
    const changed = await firstColumn(
      owner,
      `SELECT o.n::text FROM origin o JOIN stage s USING (n) WHERE s.c IS NOT NULL AND NOT (${meaning}) ORDER BY n`,
    );
    assert.deepEqual(changed, [], 'rows that mean something else when read back');
  });
}

test('every type of pg_catalog that a table may hold has a decided mapping', async () => {
  const { rows } = await owner.query<{ name: string; kind: PgType['kind'] }>(`
    SELECT typname AS name, CASE typtype WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'base' END AS kind
    FROM pg_type t WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm')
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) ORDER BY 1`);
  const undecided = rows.filter(({ name, kind }) => {
    const mapping = mapType({ name, schema: 'pg_catalog', kind, typmod: -1, declared: name });
    return mapping.note?.includes('no counterpart');
  });
  // Postgres keeps its own statistics and parse trees in these; no table of a user can be filled with them.
  const internal =
    /^(gtsvector|pg_(brin_bloom_summary|brin_minmax_multi_summary|dependencies|mcv_list|ndistinct|node_tree))$/;
  assert.deepEqual(
    undecided.map(({ name }) => name).filter((name) => !internal.test(name)),
    [],
  );
});

test('every type of pg_catalog that a table may hold goes through the round trip above', async () => {
  const names = await firstColumn(
    owner,
    `SELECT format_type(t.oid, NULL) FROM pg_type t WHERE typnamespace = 'pg_catalog'::regnamespace
     AND typtype IN ('b', 'r', 'm') AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
     AND typname !~ '^(gtsvector|pg_(brin|dependencies|mcv|ndistinct|node_tree).*)$'`,
  );
  const tried = new Set(
    await Promise.all(
      SAMPLES.map(
        async ({ type }) =>
          (await firstColumn(owner, `SELECT format_type(to_regtype('${type.replace(/\(.*\)/, '')}'), NULL)`))[0],
      ),
    ),
  );
  assert.deepEqual(
    names.filter((name) => !tried.has(name)),
    [],
  );
});
