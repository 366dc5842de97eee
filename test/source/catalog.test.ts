import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import type { SourceTable } from '../../shared/model/catalog.ts';
import { type CatalogOptions, readCatalog } from '../../shared/source/catalog.ts';
import { PIN_SESSION } from '../../shared/sql/postgres.ts';
import { startTestServer, type TestServer } from './server.ts';

let server: TestServer;
let owner: pg.Client;
let reader: pg.Client;

before(async () => {
  server = await startTestServer();
  owner = await server.connect();
  await owner.query(`
    CREATE ROLE reader LOGIN PASSWORD 'reader';
    CREATE EXTENSION citext; CREATE EXTENSION dblink;
    CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (a int, b text); CREATE TYPE span AS RANGE (subtype = float8);
    CREATE DOMAIN money_amount AS numeric(12,2);
    CREATE DOMAIN price AS money_amount NOT NULL;
    CREATE DOMAIN tags AS text[];

    CREATE TABLE "Mixed Case" ("Id" bigint GENERATED ALWAYS AS IDENTITY (CACHE 20 INCREMENT 5) PRIMARY KEY, gone int,
      "Wért" varchar(20), doubled int GENERATED ALWAYS AS (1 + 1) STORED, amount money_amount, cost price, tags tags,
      feeling mood, feelings mood[], pair pair, span span, spans span_multirange, mail citext);
    ALTER TABLE "Mixed Case" DROP COLUMN gone;
    CREATE TABLE no_columns ();
    CREATE TABLE schema_migrations (version text); CREATE TABLE tmp_1 (); CREATE TABLE tmp (); CREATE TABLE "tmpX.1" ();
    CREATE UNLOGGED TABLE unlogged (id serial PRIMARY KEY);
    CREATE VIEW seen AS SELECT 1 AS one;
    CREATE MATERIALIZED VIEW material AS SELECT 1 AS one;
    CREATE SCHEMA other; CREATE TABLE other.elsewhere (id int);

    CREATE TABLE keys (a int NOT NULL, b int NOT NULL, c int, d int NOT NULL, e int NOT NULL, f int, PRIMARY KEY (b, a) INCLUDE (d));
    CREATE UNIQUE INDEX ON keys (d, a) INCLUDE (c);
    CREATE UNIQUE INDEX ON keys (c); CREATE UNIQUE INDEX ON keys (e) WHERE a > 0; CREATE UNIQUE INDEX ON keys ((d + 1));
    CREATE INDEX ON keys (c DESC); CREATE INDEX ON keys USING hash (f); CREATE INDEX ON keys (f) WHERE f > 0; CREATE INDEX ON keys ((e + 1), e);
    ALTER TABLE keys ADD EXCLUDE USING btree (e WITH =);

    CREATE SEQUENCE blocks CACHE 50; CREATE SEQUENCE round CYCLE;
    CREATE TABLE fed (a int DEFAULT nextval('blocks'), b int DEFAULT nextval('round'), c int DEFAULT nextval('blocks') * -1,
      d serial, e int, f int DEFAULT -1 * nextval('blocks'));

    CREATE TABLE payments (id bigserial, day date NOT NULL, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE payments_1 PARTITION OF payments FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
    CREATE TABLE payments_2 PARTITION OF payments FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') PARTITION BY RANGE (day);
    CREATE TABLE payments_2a PARTITION OF payments_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
    CREATE INDEX ON payments (note); CREATE INDEX ON ONLY payments (day);
    INSERT INTO payments (day, note) SELECT '2024-01-01', 'x' FROM generate_series(1, 30);
    INSERT INTO payments (day, note) SELECT '2024-02-01', 'a' FROM generate_series(1, 12);
    UPDATE payments SET note = 'y' WHERE id <= 5; DELETE FROM payments WHERE id = 1;
    ANALYZE payments;

    CREATE TABLE guarded (id int PRIMARY KEY); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    CREATE TABLE partly (id int, secret text);
    GRANT SELECT ON payments, guarded TO reader; GRANT SELECT (id) ON partly TO reader;
    SELECT pg_stat_force_next_flush();`);
  reader = await server.connect('test', 'reader');
  await reader.query(PIN_SESSION);
});
after(() => server?.stop());

const options: CatalogOptions = { schema: 'public', exclude: [] };
const tableOf = async (name: string, client = reader): Promise<SourceTable> => {
  const { tables } = await readCatalog(client, { ...options, only: [name] });
  assert.equal(tables.length, 1, `${name} was found ${tables.length} times`);
  return tables[0] as SourceTable;
};
const namesWith = async (extra: Partial<CatalogOptions>): Promise<string[]> =>
  (await readCatalog(reader, { ...options, ...extra })).tables.map(({ name }) => name);

test('partitions, views, tables of other schemas and of extensions are left out', async () => {
  const names = await namesWith({});
  const expected =
    'Mixed Case, no_columns, schema_migrations, tmp_1, tmp, tmpX.1, unlogged, material, keys, fed, payments, guarded, partly';
  assert.equal(names.join(', '), expected);
  await owner.query('CREATE TABLE owned (); ALTER EXTENSION dblink ADD TABLE owned');
  assert.equal((await namesWith({})).join(', '), expected);
});

test('a pattern excludes what it names: * stands for any text, everything else for itself', async () => {
  const names = await namesWith({ exclude: ['schema_migrations', 'tmp_*', '*.1', 'no.columns', 'ke'] });
  assert.ok(['tmp', 'no_columns', 'keys'].every((name) => names.includes(name)));
  assert.ok(['schema_migrations', 'tmp_1', 'tmpX.1'].every((name) => !names.includes(name)));
  assert.deepEqual(await namesWith({ only: ['keys', 'fed', 'seen'], exclude: ['f*'] }), ['keys']);
});

test('a schema that does not exist has no tables', async () => {
  assert.deepEqual((await readCatalog(reader, { ...options, schema: 'nowhere' })).tables, []);
});

test('who reads what is told', async () => {
  const { database, user, version } = await readCatalog(reader, options);
  assert.deepEqual([database, user], ['test', 'reader']);
  assert.ok(version >= 170000);
});

test('columns come in their order, without dropped ones, with domains followed to the base', async () => {
  const { columns } = await tableOf('Mixed Case');
  const seen = columns.map(({ name, type, nullable }) => [name, type.kind, type.name, type.typmod, nullable]);
  assert.deepEqual(seen, [
    ['Id', 'base', 'int8', -1, false],
    ['Wért', 'base', 'varchar', 24, true],
    ['doubled', 'base', 'int4', -1, true],
    ['amount', 'base', 'numeric', ((12 << 16) | 2) + 4, true],
    ['cost', 'base', 'numeric', ((12 << 16) | 2) + 4, false],
    ['tags', 'array', '_text', -1, true],
    ['feeling', 'enum', 'mood', -1, true],
    ['feelings', 'array', '_mood', -1, true],
    ['pair', 'composite', 'pair', -1, true],
    ['span', 'range', 'span', -1, true],
    ['spans', 'multirange', 'span_multirange', -1, true],
    ['mail', 'base', 'citext', -1, true],
  ]);
  const types = Object.fromEntries(columns.map(({ name, type }) => [name, type]));
  assert.equal(types.mail?.extension, 'citext');
  assert.equal(types.mail?.schema, 'public');
  assert.equal(types.feeling?.extension, undefined);
  assert.deepEqual([types.Wért?.declared, types.cost?.declared], ['character varying(20)', 'public.price']);
  assert.deepEqual((await tableOf('no_columns')).columns, []);
});

test('keys have their columns in index order, without INCLUDE, and only if they are true keys', async () => {
  const { primaryKey, uniqueKeys, indexedColumns } = await tableOf('keys');
  assert.deepEqual(primaryKey, ['b', 'a']);
  assert.deepEqual(uniqueKeys, [['d', 'a']]);
  assert.deepEqual(indexedColumns, ['b', 'd', 'c', 'e']);
});

test('a sequence is known by default or identity, not where it cycles or its value is altered', async () => {
  assert.deepEqual((await tableOf('Mixed Case')).sequences, [{ column: 'Id', cache: 20, increment: 5 }]);
  assert.deepEqual((await tableOf('fed')).sequences, [
    { column: 'a', cache: 50, increment: 1 },
    { column: 'd', cache: 1, increment: 1 },
  ]);
});

test('a partitioned table has the figures of all its partitions', async () => {
  const payments = await tableOf('payments');
  assert.equal(payments.kind, 'partitioned');
  assert.deepEqual(payments.stats, { inserted: 42, updated: 5, deleted: 1 });
  assert.equal(payments.estimatedRows, 41);
  assert.deepEqual(payments.primaryKey, ['id', 'day']);
  const oids = (
    await reader.query("SELECT 'public.payments_1'::regclass::oid AS a, 'public.payments_2a'::regclass::oid AS b")
  ).rows[0];
  const parts = [oids.a, oids.b].map((oid) => ({ oid, empty: false }));
  assert.deepEqual(payments.parts, parts, 'only those that hold rows themselves, at every depth');
  assert.deepEqual(payments.indexedColumns, ['id', 'note'], 'an index that partitions lack does not count');
});

test('a table that was never analysed has no estimate, and statistics that are switched off are not read', async () => {
  assert.equal((await tableOf('fed')).estimatedRows, -1);
  assert.deepEqual((await tableOf('fed')).stats, { inserted: 0, updated: 0, deleted: 0 });
  await owner.query('SET track_counts = off');
  assert.equal((await tableOf('fed', owner)).stats, null);
  await owner.query('RESET track_counts');
  assert.equal((await tableOf('material')).stats, null);
});

test('a user without rights sees which tables may be read', async () => {
  const { tables } = await readCatalog(reader, options);
  assert.deepEqual(
    tables.filter(({ readable }) => readable).map(({ name }) => name),
    ['payments', 'guarded'],
  );
  assert.ok(tables.every((table) => table.schemaUsable));
  await owner.query('REVOKE USAGE ON SCHEMA public FROM public');
  const { readable, schemaUsable } = await tableOf('payments');
  assert.deepEqual([readable, schemaUsable], [false, false], 'without USAGE on the schema no table can be read');
  await owner.query('GRANT USAGE ON SCHEMA public TO public');
});

test('row security is told where it applies to the user', async () => {
  assert.equal((await tableOf('guarded')).rowSecurity, true);
  assert.equal((await tableOf('guarded', owner)).rowSecurity, false);
  assert.equal((await tableOf('payments')).rowSecurity, false);
});

test('the number of queries does not depend on the number of tables', async () => {
  let queries = 0;
  const counting = {
    query: <Row>(sql: string, values?: unknown[]) => {
      queries++;
      return reader.query(sql, values) as unknown as Promise<{ rows: Row[] }>;
    },
  };
  await readCatalog(counting, options);
  assert.equal(queries, 5);
});
