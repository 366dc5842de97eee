import assert from 'node:assert/strict';
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
