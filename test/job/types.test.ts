import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import { SAMPLE_TYPES, SAMPLES, type Sample } from '../types/samples.ts';
import { bench, type TestJob } from './harness.ts';

const server = bench();

const PIN =
  "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'";
const rowsNeeded = (samples: Sample[]): number => Math.max(...samples.map(({ values }) => values.length)) + 1;
const insertsOf = (table: string, samples: Sample[], at: (sample: Sample, row: number) => string | null) =>
  Array.from({ length: rowsNeeded(samples) }, (_, row) => ({
    text: `INSERT INTO ${table} VALUES ($1, ${samples.map((_sample, i) => `$${i + 2}`).join(', ')})`,
    values: [row, ...samples.map((sample) => at(sample, row))],
  }));

/** How the values of a type of the warehouse are brought to texts that are equal where both mean the same. */
const MEANING: Record<string, { source(at: string, type: string): string; warehouse(at: string): string }> = {
  // As COPY prints it; a cast to text would print inet and char(n) otherwise.
  'character varying': { source: (at) => `CASE WHEN ${at} IS NOT NULL THEN concat(${at}) END`, warehouse: (at) => at },
  jsonb: {
    source: (at, type) => `NULLIF(${type === 'json' ? `${at}::jsonb` : `to_jsonb(${at})`}, 'null')::text`,
    warehouse: (at) => `${at}::text`,
  },
  numeric: {
    source: (at) => `trim_scale(${at}::text::numeric)::text`,
    warehouse: (at) => `trim_scale(${at})::text`,
  },
  bytea: { source: (at) => `encode(${at}, 'hex')`, warehouse: (at) => `encode(${at}, 'hex')` },
};
const PLAIN = { source: (at: string) => `${at}::text`, warehouse: (at: string) => `${at}::text` };

const columnOf = async (client: pg.Client, select: string, from: string): Promise<(string | null)[]> => {
  const { rows } = await client.query<[string | null]>({
    text: `SELECT ${select} FROM ${from} ORDER BY n`,
    rowMode: 'array',
  });
  return rows.map(([value]) => value);
};

/** The values that mean something else in the warehouse, column by column. */
async function changed(job: TestJob, table: string, samples: { type: string; lost?: string[]; values: string[] }[]) {
  const { rows } = await job.warehouse.query<{ name: string; type: string }>(
    `SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = '${job.schema}' AND table_name = '${table}'`,
  );
  const types = new Map(rows.map(({ name, type }) => [name, type]));
  const found: string[] = [];
  for (const [i, { type, lost = [], values }] of samples.entries()) {
    const [at, there] = [`c${i}`, types.get(`c${i}`) ?? assert.fail(`${type} did not arrive`)];
    const money = type === 'money' ? `${at}::numeric` : at;
    const meaning = MEANING[there] ?? PLAIN;
    const source = await columnOf(job.source, meaning.source(money, type), table);
    const warehouse = await columnOf(job.warehouse, meaning.warehouse(at), `"${job.schema}".${table}`);
    assert.equal(warehouse.length, source.length);
    for (const [n, was] of source.entries()) {
      const expected = lost.includes(values[n] ?? '') ? null : (was ?? null);
      const is = warehouse[n] ?? null;
      const same =
        there.startsWith('double') || there === 'real'
          ? Object.is(Number(is ?? NaN), Number(expected ?? NaN))
          : is === expected;
      if (!same) found.push(`${type} row ${n}: ${expected?.slice(0, 80)} → ${is?.slice(0, 80)}`);
    }
  }
  return found;
}

/** An array of one element for each type, but for those that are arrays; and one that holds all of a type's values. */
const ARRAYS = SAMPLES.filter(({ type }) => !type.endsWith('[]') && !['xml', 'pair'].includes(type));
const quoted = (value: string): string => `"${value.replace(/[\\"]/g, '\\$&')}"`;
const delimiterOf = (type: string): string => (type === 'box' ? ';' : ',');

test('every type × ordinary, boundary and hostile values arrive by a first load, by a merge and by a full sync', async () => {
  const list = SAMPLES.map(({ type }, i) => `c${i} ${type}`).join(', ');
  const job = await server.job(`${SAMPLE_TYPES}
    CREATE TABLE origin (n int PRIMARY KEY, ${list}, updated_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON origin (updated_at);
    CREATE TABLE whole (n int, ${list});
    CREATE TABLE arrays (n int PRIMARY KEY, ${ARRAYS.map(({ type }, i) => `c${i} ${type}[]`).join(', ')});`);
  await job.source.query(PIN);
  await job.warehouse.query(PIN);
  const samples: Sample[] = SAMPLES;
  for (const table of ['origin', 'whole'])
    for (const insert of insertsOf(table, samples, ({ values }, row) => values[row] ?? null))
      await job.source.query(insert);
  const arrays = ARRAYS.map(({ type, values }) => {
    const short = values.filter((value) => value.length < 10_000);
    const all = `{${short.map(quoted).join(delimiterOf(type))}}`;
    return { type: `${type}[]`, values: [all, '{}', `{NULL${delimiterOf(type)}${quoted(short[0] ?? '')}}`] };
  });
  for (const insert of insertsOf('arrays', arrays, ({ values }, row) => values[row] ?? null))
    await job.source.query(insert);
  const { refused = [] } = await job.setup();
  assert.deepEqual(refused, []);

  const first = await job.run();
  assert.equal(first.status, 'succeeded', JSON.stringify(first.tables));
  for (const table of ['origin', 'whole']) assert.deepEqual(await changed(job, table, samples), [], table);
  assert.deepEqual(await changed(job, 'arrays', arrays), []);
  assert.deepEqual(await job.differing(), []);

  await job.warehouse.query(`UPDATE "${job.schema}".origin SET ${SAMPLES.map((_, i) => `c${i} = NULL`).join(', ')}`);
  await job.source.query('UPDATE origin SET updated_at = now()');
  const second = await job.run();
  assert.equal(second.tables.origin?.rows, rowsNeeded(samples));
  assert.deepEqual(await changed(job, 'origin', samples), []);
  assert.deepEqual(await changed(job, 'whole', samples), []);
});

test('generated and identity columns are copied as plain values', async () => {
  const job = await server.job(`CREATE EXTENSION "uuid-ossp";
    CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, other int GENERATED BY DEFAULT AS IDENTITY, n int,
      twice int GENERATED ALWAYS AS (n * 2) STORED, uid uuid DEFAULT uuid_generate_v5(uuid_ns_url(), 'x'));
    INSERT INTO made (n) VALUES (5), (6)`);
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  const rows = await job.rows('SELECT id, other, n, twice, length(uid) AS uid FROM $.made ORDER BY id');
  assert.deepEqual(rows, [
    { id: 1, other: 1, n: 5, twice: 10, uid: 36 },
    { id: 2, other: 2, n: 6, twice: 12, uid: 36 },
  ]);
  assert.deepEqual(await job.differing(), []);
});

/**
 * PostGIS and pgvector are in no package that could be installed here: base types of their names, which read and print what
 * theirs print, show that the mapping finds them by name and that their text goes all the way. Not that it is PostGIS's.
 */
const faked = (name: string): string => `
  CREATE TYPE extensions.${name};
  CREATE FUNCTION extensions.${name}_in(cstring) RETURNS extensions.${name} LANGUAGE internal IMMUTABLE STRICT AS 'textin';
  CREATE FUNCTION extensions.${name}_out(extensions.${name}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
  CREATE TYPE extensions.${name} (INPUT = extensions.${name}_in, OUTPUT = extensions.${name}_out, LIKE = text);`;

test('what prints like PostGIS and pgvector, under their names, arrives as GEOMETRY, GEOGRAPHY and text', async () => {
  const point = '0101000020E6100000000000000000F03F0000000000000040';
  const names = ['geometry', 'geography', 'vector', 'halfvec', 'sparsevec', 'unheardof'];
  const job = await server.job(`CREATE SCHEMA extensions; ${names.map(faked).join('')}
    CREATE TABLE places (id int PRIMARY KEY, ${names.map((name, i) => `c${i} extensions.${name}`).join(', ')}, big extensions.geometry);
    INSERT INTO places VALUES (1, '${point}', '${point}', '[1,2.5]', '[1,2.5]', '{1:1,3:2}/5', 'whatever'); INSERT INTO places VALUES (2);
    INSERT INTO places (id, big) VALUES (3, ('01020000' || repeat('0', 2097152))::extensions.geometry);`);
  const { refused = [] } = await job.setup();
  assert.deepEqual(refused, []);
  const [table] = (await job.read()).tables;
  assert.match(
    table?.notes.join() ?? '',
    /c5: extensions.unheardof has no counterpart in Redshift and is copied as the text/,
  );
  assert.match(
    (await job.run()).tables.places?.error ?? '',
    /column "big", GEOMETRY in the warehouse, is too large for/,
  );
  await job.edit('places', { policies: { oversizeDocument: 'null' } });
  const run = await job.run();
  assert.deepEqual(run.tables.places?.changedColumns, { big: { oversizeDocument: 1 } }, JSON.stringify(run.tables));
  const [first] = await job.rows(
    "SELECT encode(c0, 'hex') AS c0, encode(c1, 'hex') AS c1, c2, c3, c4, c5 FROM $.places ORDER BY id",
  );
  const shape = point.toLowerCase();
  assert.deepEqual(first, { c0: shape, c1: shape, c2: '[1,2.5]', c3: '[1,2.5]', c4: '{1:1,3:2}/5', c5: 'whatever' });
  assert.deepEqual(await job.differing(), []);
});
