import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import type { PgType } from '../../shared/model/catalog.ts';
import { PIN_SESSION } from '../../shared/sql/postgres.ts';
import { type MapOptions, mappingOf, mapType } from '../../shared/sql/types.ts';
import { comparedValue, loadedValue } from '../../shared/sql/values.ts';
import { startTestServer, type TestServer } from '../source/server.ts';

let server: TestServer;
let client: pg.Client;
before(async () => {
  server = await startTestServer();
  client = await server.connect();
  await client.query(PIN_SESSION);
});
after(() => server?.stop());

const base = (name: string, typmod = -1): PgType => ({
  name,
  schema: 'pg_catalog',
  kind: 'base',
  typmod,
  declared: name,
});

/** What is loaded of a value of a type, and what a comparison expects of it. */
const read = async (type: string, value: string, options?: MapOptions) => {
  const sourceType = base(type);
  const column = { source: 'c', name: 'c', sourceType, type: mapType(sourceType, options).type };
  const { rows } = await client.query<{ loaded: string | null; compared: string | null }>(
    `SELECT (${loadedValue(column, 0)})::text AS loaded, ${comparedValue(column)} AS compared FROM (SELECT $1::${type} AS c OFFSET 0) t`,
    [value],
  );
  return rows[0];
};

const profiled = { numericDigits: { precision: 6, scale: 2 } };

test('a numeric typed by its values is compared with all of the decimals that its column has', async () => {
  assert.deepEqual(await read('numeric', '1.5', profiled), { loaded: '1.50', compared: '1.50' });
  assert.deepEqual(await read('numeric', '1.5000', profiled), { loaded: '1.50', compared: '1.50' });
});

test('a numeric that has outgrown its column is neither cut off nor rounded, and no comparison takes it for another', async () => {
  for (const value of ['1.505', '10000', '-10000', '9999.995'])
    assert.deepEqual(await read('numeric', value, profiled), { loaded: null, compared: '(refused)' }, value);
  for (const value of ['9999.99', '-9999.99', '0.010'])
    assert.deepEqual((await read('numeric', value, profiled))?.loaded, Number(value).toFixed(2));
});

test('a column keeps the DECIMAL that profiling gave it', () => {
  const sourceType = base('numeric');
  for (const type of ['DECIMAL(6,2)', 'DECIMAL(20,0)', 'VARCHAR(65535)'])
    assert.equal(mappingOf({ sourceType, type }).type, type);
  assert.equal(mappingOf({ sourceType: base('int4'), type: 'INTEGER' }).type, 'INTEGER');
});

test('NaN and Infinity become NULL where the column is DECIMAL, and stay text where it is not', async () => {
  for (const value of ['NaN', 'Infinity', '-Infinity']) {
    assert.deepEqual(await read('numeric', value, profiled), { loaded: null, compared: null });
    assert.deepEqual(await read('numeric', value), { loaded: value, compared: value });
  }
});

test('a document of more than the 1,000 levels that SUPER has is refused, one of as many brackets in its texts is not', async () => {
  const nested = (levels: number) => `${'['.repeat(levels)}1${']'.repeat(levels)}`;
  for (const type of ['json', 'jsonb']) {
    assert.deepEqual(await read(type, nested(1000)), { loaded: nested(1000), compared: nested(1000) });
    assert.deepEqual(await read(type, nested(1001)), { loaded: null, compared: '(refused)' });
    const flat = JSON.stringify(['['.repeat(3000)]);
    assert.equal((await read(type, flat))?.loaded, flat);
  }
});

test('midnight at the end of a day is not compared as midnight at its beginning', async () => {
  assert.notEqual((await read('time', '24:00'))?.compared, (await read('time', '00:00'))?.compared);
});

test('DECIMAL never has 19 digits, as Redshift keeps those in eight bytes', () => {
  const decimal = (precision: number, scale: number) =>
    mapType(base('numeric', ((precision << 16) | (scale & 0x7ff)) + 4)).type;
  assert.equal(decimal(18, 0), 'DECIMAL(18,0)');
  assert.equal(decimal(19, 4), 'DECIMAL(20,4)');
  assert.equal(decimal(16, -3), 'DECIMAL(20,0)');
  assert.equal(decimal(3, 19), 'DECIMAL(20,19)');
  assert.equal(decimal(38, 37), 'DECIMAL(38,37)');
  assert.equal(decimal(38, 38), 'VARCHAR(65535)');
  assert.equal(decimal(39, 0), 'VARCHAR(65535)');
  assert.equal(decimal(38, -1), 'VARCHAR(65535)');
  assert.equal(mapType(base('numeric'), { numericDigits: { precision: 19, scale: 0 } }).type, 'DECIMAL(20,0)');
  assert.equal(mapType(base('numeric'), { numericDigits: { precision: 50, scale: 0 } }).type, 'VARCHAR(65535)');
});

test('a json document that jsonb refuses, for a real \\u0000 or half a surrogate pair, does not fail the extract: it is refused by name', async () => {
  for (const document of [
    '{"a":"\\u0000"}',
    '"\\\\\\u0000"',
    '["x\\u0000"]',
    '"\\ud83d"',
    '{"\\uDE00": 1}',
    '"\\ud83d\\ud83d\\ude00"',
    '"\\ud83d\\ude00\\ude00"',
    '"\\ud83d\\\\\\ude00"',
  ]) {
    await assert.rejects(client.query('SELECT $1::json::jsonb', [document]), document);
    assert.deepEqual(await read('json', document), { loaded: null, compared: '(refused)' }, document);
  }
  for (const document of ['"\\\\u0000"', '"\\\\\\\\u0000"', '"\\\\ud83d"', '"\\\\\\\\uDE00"', '"ud83d"'])
    assert.deepEqual(await read('json', document), { loaded: document, compared: document }, document);
  assert.equal((await read('json', '"\\ud83d\\uDE00\\u00e4\\uD83D\\ude00"'))?.loaded, '"😀ä😀"');
});

test('a document of more than 16 MB is refused, one of less is loaded', async () => {
  const of = (strings: number) => JSON.stringify(Array.from({ length: strings }, () => 'x'.repeat(60_000)));
  assert.deepEqual(await read('jsonb', of(280)), { loaded: null, compared: '(refused)' });
  assert.ok(await read('jsonb', of(270)).then((one) => (one?.loaded?.length ?? 0) > 16_000_000));
});

test('of duplicate names in a json document the last one is loaded, as Postgres reads it', async () => {
  assert.equal((await read('json', '{"a":1,"a":2}'))?.loaded, '{"a": 2}');
});

test('character types have room for four bytes a character, and no more than Redshift allows', () => {
  assert.equal(mapType(base('varchar', 24)).type, 'VARCHAR(80)');
  assert.equal(mapType(base('bpchar', 5)).type, 'VARCHAR(4)');
  assert.equal(mapType(base('varchar', 20004)).type, 'VARCHAR(65535)');
  assert.equal(mapType(base('varchar')).type, 'VARCHAR(65535)');
});

test('a user type that is called like a built-in one is not taken for it', () => {
  const own = { ...base('int4'), schema: 'public', declared: 'public.int4' };
  assert.equal(mapType(own).type, 'VARCHAR(65535)');
  assert.match(mapType(own).note ?? '', /public\.int4 has no counterpart/);
});

test('types of extensions are known by name, in whichever schema they were installed', () => {
  const of = (name: string) => mapType({ ...base(name), schema: 'extensions' });
  assert.equal(of('geometry').type, 'GEOMETRY');
  assert.equal(of('geography').type, 'GEOGRAPHY');
  assert.equal(of('vector').type, 'VARCHAR(65535)');
  assert.equal(of('hstore').type, 'SUPER');
});

test('every textual type is quoted in CSV, so that an empty text is not taken for NULL', () => {
  for (const name of [
    'text',
    'varchar',
    'bpchar',
    'name',
    'uuid',
    'bytea',
    'interval',
    'inet',
    'xml',
    'varbit',
    'timetz',
  ]) {
    assert.equal(mapType(base(name)).forceQuote, true, name);
  }
});
