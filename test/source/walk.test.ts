import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { chunkBounds } from '../../shared/source/bounds.ts';
import { BEGIN } from '../../shared/source/snapshot.ts';
import {
  type Key,
  lastKey,
  PIN_SESSION,
  rowsOf,
  type Scope,
  type Source,
  walkFrom,
} from '../../shared/sql/postgres.ts';
import { startTestServer, type TestServer } from './server.ts';
import { seeded, walkedSource } from './walked.ts';

let server: TestServer;
let admin: pg.Client;
let loader: pg.Client;

before(async () => {
  server = await startTestServer();
  admin = await server.connect();
  loader = await server.connect();
  await loader.query(PIN_SESSION);
});
after(async () => {
  await server.stop();
});

const sourceOf = (name: string, keys: string[], updatedKey: string | null = null) =>
  walkedSource(loader, name, keys, updatedKey);

const EVERYTHING: Scope = { since: null, skip: null, gaps: [] };

/** The rows of all chunks of all batches, as extract would read them. */
const walk = async (source: Source, scope = EVERYTHING, limits = { rowLimit: 40, chunkSize: 7 }): Promise<string[]> => {
  const found: string[] = [];
  let cursor: Key | null = null;
  for (;;) {
    await loader.query(BEGIN);
    const { upTo: ends, last } = await chunkBounds(loader, source, cursor, scope, limits);
    await loader.query('COMMIT');
    assert.ok(ends.length <= Math.ceil(limits.rowLimit / limits.chunkSize));
    for (const upTo of ends) {
      const { rows } = await loader.query(
        `SELECT t::text AS t ${rowsOf(source, { kind: 'keys', after: cursor, upTo }, scope)}`,
      );
      assert.ok(rows.length <= limits.chunkSize);
      found.push(...rows.map((row: { t: string }) => row.t));
      cursor = upTo;
    }
    if (last) return found;
  }
};

const ODD = [
  'a',
  'A',
  'ä',
  'Ä',
  'z',
  'Z',
  'é',
  'e',
  '-a',
  'a-b',
  'ab',
  'a b',
  '_',
  'ß',
  'ss',
  "'",
  '\\',
  '"',
  'ı',
  'I',
  '日',
  '10',
  '9',
];

test('a walk by keys of any collation and type meets every row once', async () => {
  const types = [
    'text COLLATE "C"',
    'text COLLATE "und-x-icu"',
    'text COLLATE "sv-x-icu"',
    'text COLLATE pg_c_utf8',
    'varchar(60) COLLATE "en-x-icu"',
    'char(9) COLLATE "de-x-icu"',
    'bytea',
    'uuid',
    'float8',
  ];
  const random = seeded(7);
  for (const [i, type] of types.entries()) {
    await admin.query(`CREATE TABLE walked_${i} (key ${type}, n int, PRIMARY KEY (key, n))`);
    const texts = Array.from(
      { length: 120 },
      () => `${ODD[random(ODD.length)]}${ODD[random(ODD.length)]}${ODD[random(ODD.length)]}`,
    );
    const values: Record<string, string> = {
      bytea: "convert_to(k, 'UTF8')",
      uuid: 'md5(k)::uuid',
      float8: "('x' || left(md5(k), 8))::bit(32)::int::float8 / 3",
    };
    const value = values[type] ?? 'k';
    await admin.query(
      `INSERT INTO walked_${i} SELECT ${value}, n FROM unnest($1::text[]) WITH ORDINALITY u(k, n) ON CONFLICT DO NOTHING`,
      [texts],
    );
    const { rows } = await loader.query(`SELECT t::text AS t FROM public.walked_${i} t`);
    const met = await walk(await sourceOf(`walked_${i}`, ['key', 'n']));
    assert.deepEqual(met.toSorted(), rows.map(({ t }) => t).toSorted(), type);
  }
});

test('a walk goes along the index, in its own order, whatever its collation', async () => {
  await admin.query(`CREATE TABLE indexed (key text COLLATE "en-x-icu", n int, PRIMARY KEY (key, n));
    INSERT INTO indexed SELECT 'k' || n, n FROM generate_series(1, 2000) n; ANALYZE indexed`);
  const source = await sourceOf('indexed', ['key', 'n']);
  const planOf = async (sql: string) =>
    (await loader.query(`EXPLAIN ${sql}`)).rows.map((row) => row['QUERY PLAN']).join('\n');
  for (const sql of [walkFrom(source, ['k1', '1'], EVERYTHING, 10), lastKey(source, ['k1', '1'], EVERYTHING)]) {
    const plan = await planOf(sql);
    assert.match(plan, /Index .*Scan.* using indexed_pkey on indexed/);
    assert.doesNotMatch(plan, /Sort/);
  }
});

test('a walk by the updated key meets every row once, also where thousands share one moment', async () => {
  await admin.query(`CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz);
    INSERT INTO stamped SELECT n, timestamptz '2026-01-01' + (n / 60) * interval '1 us' FROM generate_series(1, 300) n`);
  const source = await sourceOf('stamped', ['at', 'id'], 'at');
  const scope = { ...EVERYTHING, since: { fence: '2026-01-01T00:00:00.000002Z', seconds: 0 } };
  assert.equal((await walk(source, scope)).length, 181);
});

test('batches of every size meet every row, whether the table ends with one of them or within', async () => {
  await admin.query('CREATE TABLE counted (id int PRIMARY KEY); INSERT INTO counted SELECT generate_series(1, 24)');
  const source = await sourceOf('counted', ['id']);
  for (const [rowLimit, chunkSize] of [
    [24, 8],
    [12, 5],
    [23, 23],
    [25, 7],
    [3, 1],
    [1, 1],
  ] as const)
    assert.equal((await walk(source, EVERYTHING, { rowLimit, chunkSize })).length, 24, `${rowLimit} by ${chunkSize}`);
});

test('a batch ends early where its keys would fill the payload of the state machine', async () => {
  await admin.query(`CREATE TABLE wide (key text PRIMARY KEY);
    INSERT INTO wide SELECT repeat(md5(n::text), 40) FROM generate_series(1, 120) n`);
  const source = await sourceOf('wide', ['key']);
  await loader.query(BEGIN);
  const { upTo, last } = await chunkBounds(loader, source, null, EVERYTHING, { rowLimit: 100, chunkSize: 1 });
  await loader.query('COMMIT');
  const twice = 2 * Buffer.byteLength(JSON.stringify(upTo));
  assert.ok(twice > 100_000 && twice < 200_000 && !last, `${upTo.length} keys take ${twice} bytes`);
  assert.equal((await walk(source, EVERYTHING, { rowLimit: 100, chunkSize: 1 })).length, 120);
});
