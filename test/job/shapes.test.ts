import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { bench } from './harness.ts';

const server = bench();

test('foreign tables and materialized views are named and left out, unless the job asks for them', async () => {
  const sql = `
    CREATE TABLE t (id int PRIMARY KEY, body text); INSERT INTO t VALUES (1, 'one'), (2, 'two');
    CREATE MATERIALIZED VIEW shouted AS SELECT id, upper(body) AS body FROM t;
    CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'template1');
    CREATE FOREIGN TABLE abroad (n int) SERVER far;
    CREATE TABLE nothing ();`;
  const plain = await server.job(sql);
  const { checks } = await plain.setup();
  assert.match(
    checks.join('\n'),
    /shouted is a materialized view, which is not copied: .* or name it in the job's include/,
  );
  assert.match(
    checks.join('\n'),
    /abroad is a foreign, which is not copied|abroad is a foreign table, which is not copied/,
  );
  assert.match(checks.join('\n'), /nothing has no columns, so there is nothing to copy/);
  assert.deepEqual(
    (await plain.read()).tables.map(({ sourceName }) => sourceName),
    ['t'],
  );

  const job = await server.job(sql, { include: ['shouted', 'abroad'] });
  await job.source.query(`
    ALTER SERVER far OPTIONS (SET dbname '${new URL(job.url).pathname.slice(1)}', ADD host '127.0.0.1', ADD port '${new URL(job.url).port}');
    CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '${new URL(job.url).username}', password '${new URL(job.url).password}');
    CREATE TABLE abroad_there AS SELECT generate_series(1, 3) AS n; ALTER FOREIGN TABLE abroad OPTIONS (table_name 'abroad_there');`);
  await job.setup();
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run.tables));
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows('SELECT body FROM $.shouted ORDER BY id'), [{ body: 'ONE' }, { body: 'TWO' }]);
  assert.equal((await job.rows('SELECT * FROM $.abroad')).length, 3);
  await job.source.query("INSERT INTO t VALUES (3, 'three'); REFRESH MATERIALIZED VIEW shouted");
  await job.run();
  assert.equal((await job.rows('SELECT * FROM $.shouted')).length, 3);
  await job.edit('shouted', { copyMode: 'INSERT_ONLY', primaryKey: ['id'] });
  assert.match(
    (await job.run()).tables.shouted?.error ?? '',
    /is a materialized view, of which only a FULL_DATA_SYNC can be had/,
  );
});

test('a partitioned table of which a part lies on another server is only copied whole: nothing here tells what is new there', async () => {
  const job = await server.job(`
    CREATE TABLE old_there (id bigint NOT NULL, note text, updated_at timestamptz NOT NULL); INSERT INTO old_there VALUES (5, 'far', now());
    CREATE TABLE orders (id bigint NOT NULL, note text, updated_at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (id);
    CREATE TABLE orders_new PARTITION OF orders FOR VALUES FROM (1000) TO (2000); INSERT INTO orders VALUES (1005, 'near');`);
  const { pathname, port, username, password } = new URL(job.url);
  await job.source.query(`
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '${pathname.slice(1)}', host '127.0.0.1', port '${port}');
    CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '${username}', password '${password}');
    CREATE FOREIGN TABLE orders_old PARTITION OF orders FOR VALUES FROM (1) TO (1000) SERVER far OPTIONS (table_name 'old_there')`);
  await job.setup();
  await job.edit('old_there', { disabled: true });
  await job.edit('orders', { copyMode: 'INSERT_AND_UPDATE', primaryKey: ['id'], updatedKey: 'updated_at' });
  const refused = (await job.run()).tables.orders?.error ?? '';
  assert.match(
    refused,
    /orders: has partitions .* on another server, of which only a FULL_DATA_SYNC can be had: choose it/,
  );
  await job.edit('orders', { copyMode: 'FULL_DATA_SYNC', updatedKey: null });
  assert.equal((await job.run()).status, 'succeeded');
  await job.source.query("UPDATE orders SET note = 'changed'");
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.rows('SELECT note FROM $.orders'), [{ note: 'changed' }, { note: 'changed' }]);
});

test('names that collide once Redshift folds them get a stable suffix, and setup says so', async () => {
  const job = await server.job(`
    CREATE TABLE "Orders" (id int PRIMARY KEY, "Name" text, name text, "NAME" text); INSERT INTO "Orders" VALUES (1, 'a', 'b', 'c');
    CREATE TABLE orders (id int PRIMARY KEY, "select" text, oid int); INSERT INTO orders VALUES (2, 'sel', 3);
    CREATE TABLE loader_stage_0 (id bigserial PRIMARY KEY, body text, updated_at timestamptz DEFAULT now()); CREATE INDEX ON loader_stage_0 (updated_at);
    INSERT INTO loader_stage_0 (body) VALUES ('mine');`);
  await job.setup();
  const { tables } = await job.read();
  const checksOf = (name: string) => tables.find(({ sourceName }) => sourceName === name)?.checks.join('\n') ?? '';
  assert.match(checksOf('Orders'), /"name" is called "name_2" in the warehouse/);
  assert.match(checksOf('Orders'), /"NAME" is called "name_3" in the warehouse/);
  assert.match(checksOf('orders'), /"orders" is called "orders_2" in the warehouse/);
  assert.match(checksOf('orders'), /"oid" is called "oid_2" in the warehouse/);
  assert.match(checksOf('loader_stage_0'), /"loader_stage_0" is called "loader_stage_0_2" in the warehouse/);
  for (let run = 0; run < 2; run++) {
    assert.equal((await job.run()).status, 'succeeded');
    await job.source.query("UPDATE loader_stage_0 SET body = body || '!', updated_at = now()");
  }
  await job.run();
  assert.deepEqual(await job.rows('SELECT * FROM $.orders'), [{ id: 1, name: 'a', name_2: 'b', name_3: 'c' }]);
  assert.deepEqual(await job.rows('SELECT * FROM $.orders_2'), [{ id: 2, select: 'sel', oid_2: 3 }]);
  assert.deepEqual(await job.differing(), []);
});

test('a numeric without digits becomes a DECIMAL by what setup sees, and a value that outgrows it is refused', async () => {
  const job = await server.job(`
    CREATE TABLE readings (id bigserial PRIMARY KEY, price numeric, huge numeric, empty numeric, odd numeric);
    INSERT INTO readings (price, huge, odd) SELECT n + 0.25, 10::numeric ^ 40, 'NaN' FROM generate_series(1, 50) n`);
  await job.setup();
  const [table] = (await job.read()).tables;
  const types = Object.fromEntries(table?.columns.map(({ source, type }) => [source, type]) ?? []);
  assert.deepEqual(
    [types.price, types.huge, types.empty, types.odd],
    ['DECIMAL(38,2)', 'VARCHAR(65535)', 'VARCHAR(65535)', 'VARCHAR(65535)'],
  );
  assert.match(table?.notes.join('\n') ?? '', /price: no declared digits: typed by the values that setup saw/);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
  await job.source.query('INSERT INTO readings (price) VALUES (1.005)');
  const run = await job.run();
  assert.match(
    run.tables.readings?.error ?? '',
    /^ValueRefused: readings: 1 value of the column "price", DECIMAL\(38,2\) in the warehouse, is of more digits/,
  );
  await job.edit('readings', { policies: { numericOverflow: 'null' } });
  assert.deepEqual((await job.run()).tables.readings?.changed, { numericOverflow: 1 });
  assert.deepEqual(await job.differing(), []);
});

test('sort and distribution keys are a person’s to choose, before the table is made', async () => {
  const job = await server.job(
    'CREATE TABLE a (id int PRIMARY KEY, day date, doc jsonb); CREATE TABLE b (id int PRIMARY KEY, doc jsonb); CREATE TABLE c (id int PRIMARY KEY)',
    {
      tables: {
        a: { sortKey: ['day', 'id'], distKey: 'id' },
        b: { sortKey: ['doc'] },
        c: { distStyle: 'ALL', sortKey: [] },
      },
    },
  );
  const { refused = [] } = await job.setup();
  assert.deepEqual(refused, ['b: sortKey names "doc", but Redshift takes no SUPER for it: choose another column']);
  assert.equal(
    (await job.rows('SELECT * FROM $.a')).length + (await job.rows('SELECT * FROM $.c')).length,
    0,
    'both are there',
  );
});

test('a table that is called like the stage of another, with all that a load drops, is left alone', async () => {
  const first = 'big';
  const job = await server.job('', { rowLimit: 5_000, chunkSize: 5_000 });
  const stage = `loader_${createHash('sha256').update(`${job.jobId}/${first}`).digest('hex').slice(0, 16)}`;
  await job.source.query(
    `CREATE TABLE ${first} (code text PRIMARY KEY); INSERT INTO ${first} SELECT 'c' || n FROM generate_series(1, 12000) n;
     CREATE TABLE ${stage} (id int PRIMARY KEY); INSERT INTO ${stage} VALUES (1);
     CREATE TABLE loader_newest_0 (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON loader_newest_0 (updated_at);
     INSERT INTO loader_newest_0 VALUES (1)`,
  );
  await job.setup();
  for (let run = 0; run < 2; run++) {
    assert.equal((await job.run()).status, 'succeeded');
    assert.deepEqual(await job.differing(), []);
    await job.source.query('UPDATE loader_newest_0 SET updated_at = now()');
  }
  assert.deepEqual(await job.rows(`SELECT * FROM $.${stage}_2`), [{ id: 1 }]);
});

const CANARY = `'); DROP TABLE canary; --`;
/** Together 63 bytes, with all that a name may have in it. */
const LONGEST = (first: string): string => `${first}"it's" a.b \\ $$ é日👩 ${CANARY} ${'x'.repeat(10)}`;

test('names of 63 bytes with quotes, dots, blanks and Unicode, and names that try to be SQL, are but names', async () => {
  const [table, column, type, label] = [LONGEST('T'), LONGEST('c'), LONGEST('e'), LONGEST('l')];
  for (const name of [table, column, type, label]) assert.equal(Buffer.byteLength(name), 63);
  const q = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const t = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const schema = `s".${CANARY}`;
  const at = `${q(schema)}.${q(table)}`;
  const job = await server.job(
    `CREATE TABLE canary (id int PRIMARY KEY); CREATE SCHEMA ${q(schema)};
     CREATE TYPE ${q(schema)}.${q(type)} AS ENUM (${t(label)}, ${t(CANARY)});
     CREATE DOMAIN ${q(schema)}.${q(`d${CANARY}`)} AS text DEFAULT ${t(CANARY)};
     CREATE TABLE ${at} (${q(column)} int PRIMARY KEY, ${q(CANARY)} text DEFAULT ${t(CANARY)}, enum ${q(schema)}.${q(type)} DEFAULT ${t(CANARY)},
       domain ${q(schema)}.${q(`d${CANARY}`)}, ${q(`u${CANARY}`)} timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ${q(`i${CANARY}`)} ON ${at} (${q(`u${CANARY}`)});
     INSERT INTO ${at} VALUES (1); INSERT INTO ${at} VALUES (2, ${t(CANARY)}, ${t(label)});
     CREATE TABLE ${q(schema)}.canary (id int PRIMARY KEY); INSERT INTO ${q(schema)}.canary VALUES (1);
     CREATE TABLE ${q(schema)}."${table.slice(0, 8).replaceAll('"', '""')}" (id int PRIMARY KEY)`,
    { sourceSchema: schema },
  );
  await job.setup();
  await job.edit(table, { copyMode: 'INSERT_AND_UPDATE', updatedKey: `u${CANARY}` });
  for (let run = 0; run < 2; run++) {
    const { status, tables } = await job.run();
    assert.equal(status, 'succeeded', JSON.stringify(tables));
    assert.deepEqual(await job.differing(), []);
    await job.source.query(`UPDATE ${at} SET ${q(`u${CANARY}`)} = now(), ${q(CANARY)} = 'changed'`);
    await job.source.query(`ALTER TABLE ${at} ADD COLUMN ${q(`n${run}${CANARY}`)} text DEFAULT ${t(CANARY)}`);
  }
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual((await job.source.query('SELECT * FROM canary')).rows, []);
  assert.deepEqual(await job.rows('SELECT * FROM $.canary'), [{ id: 1 }]);
  // A name may hold the sign that stands for the schema elsewhere.
  const there = `${q(job.schema)}.${q(table.toLowerCase())}`;
  const [, found] = (await job.warehouse.query(`SELECT * FROM ${there} ORDER BY 1`)).rows;
  assert.deepEqual(
    { ...found, [`u${CANARY.toLowerCase()}`]: null },
    {
      [column.replace('DROP TABLE', 'drop table')]: 2,
      [CANARY.toLowerCase()]: 'changed',
      enum: label,
      domain: CANARY,
      [`u${CANARY.toLowerCase()}`]: null,
      [`n0${CANARY.toLowerCase()}`]: CANARY,
      [`n1${CANARY.toLowerCase()}`]: CANARY,
    },
  );
});

test('dropped columns, partitions, inheritors and other schemas arrive as what a SELECT shows, each row once', async () => {
  const job = await server.job(
    `CREATE SCHEMA other; SET search_path = other;
     CREATE TABLE gaps (gone0 int, id bigserial PRIMARY KEY, gone1 text, body text, gone2 text, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON gaps (updated_at); INSERT INTO gaps (body) VALUES ('a'), ('b');
     ALTER TABLE gaps DROP COLUMN gone0, DROP COLUMN gone1, DROP COLUMN gone2, ADD COLUMN late int DEFAULT 7;
     CREATE TABLE only_dropped (gone int); ALTER TABLE only_dropped DROP COLUMN gone;
     CREATE TABLE parts (id int, kind int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
     CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
     CREATE TABLE parts_2 (gone int, kind int NOT NULL, id int NOT NULL); ALTER TABLE parts_2 DROP COLUMN gone; ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES IN (2);
     INSERT INTO parts VALUES (1, 1), (1, 2), (2, 2);
     CREATE TABLE parent (id bigserial PRIMARY KEY, body text, updated_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON parent (updated_at);
     CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (parent);
     INSERT INTO parent (id, body) VALUES (1, 'parent'); INSERT INTO child (id, body, extra) VALUES (1, 'child', 5), (2, 'child', 6)`,
    { sourceSchema: 'other' },
  );
  const { checks } = await job.setup();
  assert.match(checks.join('\n'), /only_dropped has no columns/);
  const { tables } = await job.read();
  assert.deepEqual(tables.map(({ sourceName, copyMode }) => `${sourceName} ${copyMode}`).toSorted(), [
    'child INSERT_AND_UPDATE',
    'gaps INSERT_AND_UPDATE',
    'parent FULL_DATA_SYNC',
    'parts FULL_DATA_SYNC',
  ]);
  assert.match(tables.find(({ sourceName }) => sourceName === 'parent')?.why ?? '', /tables inherit from it/);
  for (let run = 0; run < 2; run++) {
    assert.equal((await job.run()).status, 'succeeded');
    assert.deepEqual(await job.differing(), []);
    await job.source.query(
      "UPDATE other.gaps SET body = 'c', updated_at = now(); INSERT INTO other.parts VALUES (9, 1)  ON CONFLICT DO NOTHING",
    );
  }
  assert.equal((await job.rows('SELECT * FROM $.parent')).length, 3);
  assert.equal((await job.rows('SELECT * FROM $.parts')).length, 4);
  assert.deepEqual(await job.rows('SELECT id::int, body, late FROM $.gaps ORDER BY id'), [
    { id: 1, body: 'c', late: 7 },
    { id: 2, body: 'c', late: 7 },
  ]);
});

const WIDE_TYPES = [
  'int',
  'text',
  'timestamptz',
  'numeric(10,2)',
  'varchar(20)',
  'jsonb',
  'double precision',
  'boolean',
];
/** Columns of names of so many bytes. */
const wide = (count: number, bytes: number): string =>
  Array.from({ length: count }, (_, i) => `${`c${i}`.padEnd(bytes, '_')} ${WIDE_TYPES[i % WIDE_TYPES.length]}`).join(
    ', ',
  );

test('a table of 1,600 columns is loaded, merged and compared; one whose names no statement could list is refused by name', async () => {
  const first = 'c1'.padEnd(48, '_');
  const job = await server.job(`
    CREATE TABLE long (id bigserial PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), ${wide(1_598, 48)}); CREATE INDEX ON long (updated_at);
    INSERT INTO long (${first}, updated_at) SELECT unnest(ARRAY['old', 'stays', 'stays', 'stays']), now() - interval '1 h';
    CREATE TABLE longest (${wide(1_600, 63)})`);
  const { refused = [] } = await job.setup();
  assert.deepEqual(
    refused.map((one) => one.replace(/names of \d+ bytes/, '…')),
    [
      'longest: has 1600 columns with …, but Redshift takes 1600 columns, and a statement that names them twice 200000 bytes: ' +
        'exclude some by treat, or shorten their names',
    ],
  );
  const longest = (await job.read()).tables.find(({ sourceName }) => sourceName === 'longest');
  const most = longest?.columns.slice(1_200).map(({ source }): [string, 'exclude'] => [source, 'exclude']) ?? [];
  await job.edit('longest', { treat: Object.fromEntries(most) });
  assert.deepEqual((await job.setup()).refused ?? [], []);
  await job.edit('longest', { disabled: true });
  for (let run = 0; run < 2; run++) {
    const { status, tables } = await job.run();
    assert.equal(status, 'succeeded', JSON.stringify(tables));
    if (run === 0) await job.source.query(`UPDATE long SET ${first} = 'new', updated_at = now() WHERE id = 1`);
  }
  assert.deepEqual(
    (await job.rows(`SELECT ${first} AS c FROM $.long ORDER BY id`)).map(({ c }) => c),
    ['new', 'stays', 'stays', 'stays'],
  );
  assert.deepEqual(await job.differing(), []);

  const same = await server.operator.compare(job.jobId, { tables: ['long'] });
  assert.deepEqual(same.get('long')?.found, { missing: 0, extra: 0, different: 0, object: null, repaired: false });
  for (const [id, column, value] of [
    [2, 'c1593', "'wrong'"],
    [3, 'c1594', 'now()'],
    [4, 'c1597', "'{}'"],
  ] as const)
    await job.warehouse.query(`UPDATE "${job.schema}".long SET ${column.padEnd(48, '_')} = ${value} WHERE id = ${id}`);
  const differing = await server.operator.compare(job.jobId, { tables: ['long'] });
  assert.equal(differing.get('long')?.suspects?.rows, 3);
});

test('setup holds the zone of an updated key without one against the clock of the source, also when it is set', async () => {
  const job = await server.job(`
    SET timezone = 'America/New_York';
    CREATE TABLE visits (id bigserial PRIMARY KEY, updated_at timestamp NOT NULL DEFAULT now());
    CREATE INDEX ON visits (updated_at);
    INSERT INTO visits (updated_at) VALUES (now()), ('-infinity'), ('infinity');
    CREATE TABLE slow (id bigserial PRIMARY KEY, updated_at timestamp NOT NULL DEFAULT now());
    INSERT INTO slow DEFAULT VALUES`);
  const checks = async (table: string) => {
    await job.setup();
    return (await job.read()).tables.find(({ sourceName }) => sourceName === table)?.checks.join();
  };
  assert.match(
    (await checks('visits')) ?? '',
    /^updated_at has no time zone and is read as UTC, by which its newest value is [45] hours old: if a row was changed since, set the table's timezone/,
  );
  assert.match((await checks('slow')) ?? '', /read as UTC: check that it is written so/, 'no index: it is not read');
  await job.edit('visits', { timezone: 'Europe/Berlin' });
  assert.match((await checks('visits')) ?? '', /read as Europe\/Berlin, by which its newest value is [567] hours old/);
  await job.edit('visits', { timezone: 'America/New_York' });
  assert.equal(await checks('visits'), '');
});
