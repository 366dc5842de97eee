import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsOf, loadedShop, runs } from './changing-shop.ts';
import { bench } from './harness.ts';
import { batchAnswered, Interruptions } from './interruptions.ts';
import { metricSum } from './metrics.ts';

const during = new Interruptions();
const server = bench(during.options);

test('a type that can not be changed in place stops its table alone, and a re-load changes it', async () => {
  const job = await loadedShop(server);
  await job.warehouse.query(
    `CREATE ROLE "reader of ${job.schema}"; GRANT SELECT ON "${job.schema}".orders TO "reader of ${job.schema}"`,
  );
  await job.source.query(`ALTER TABLE orders ALTER COLUMN note TYPE int USING id, ALTER COLUMN gone TYPE timestamp USING '2026-01-01';
    INSERT INTO events (note) VALUES ('new')`);
  const before = metricSum(server, 'TablesFailed');
  const stopped = await job.run();
  assert.equal(metricSum(server, 'TablesFailed') - before, 1, 'which an alarm watches');
  assert.match(
    stopped.tables.orders?.error ?? '',
    /^ColumnsDiffer: orders: "note" was character varying\(10\) and is integer, which its column in the warehouse can't become; "gone".*– re-load the table/,
  );
  assert.equal(stopped.tables.events?.rows, 1, 'the others go on');
  const setup = await job.setup();
  assert.match(setup.checks.join(), /orders: "note" was .* – re-load the table/);

  await job.reset('orders', { kind: 'reload' });
  await runs(job);
  assert.deepEqual(await job.differing(), []);
  const { note, gone } = await columnsOf(job, 'orders');
  assert.deepEqual([note, gone], ['integer', 'timestamp without time zone']);
  assert.deepEqual(
    await job.rows(`SELECT has_table_privilege('reader of ${job.schema}', '$.orders', 'SELECT') AS granted`),
    [{ granted: true }],
  );
  await job.source.query('UPDATE orders SET note = 5, updated_at = now() WHERE id = 1');
  await runs(job);
  assert.deepEqual(await job.differing(), []);
});

test('more columns of other types than one transaction can replace are named, and made anew with their table', async () => {
  const columns = (clause: string) => Array.from({ length: 16 }, (_, i) => clause.replaceAll('$', `c${i}`)).join(', ');
  const job = await server.job(
    `CREATE TABLE many (id serial PRIMARY KEY, ${columns('$ int')}); INSERT INTO many (c0) VALUES (1)`,
  );
  await job.setup();
  await runs(job);
  await job.source.query(`ALTER TABLE many ${columns('ALTER COLUMN $ TYPE text')}`);
  await job.reset('many', { kind: 'reload' });
  const { error = '' } = (await job.run()).tables.many ?? {};
  assert.match(
    error,
    /^ColumnsDiffer: many: 16 columns are of other types .* DROP TABLE "\w+"."many"; there and run setup/,
  );
  await job.warehouse.query(/DROP TABLE [^;]+;/.exec(error)?.[0] ?? assert.fail());
  await job.setup();
  await runs(job);
  assert.deepEqual(await job.differing(), []);
});

test('a large table is re-loaded with another type by one swap, its sort key included', async () => {
  const job = await server.job(
    `CREATE TABLE big (id serial PRIMARY KEY, note text);
     INSERT INTO big (note) SELECT n FROM generate_series(1, 12000) n; ANALYZE big;`,
    { rowLimit: 5_000, chunkSize: 5_000 },
  );
  await job.setup();
  await job.edit('big', { copyMode: 'INSERT_ONLY' });
  await runs(job);
  await job.source.query('ALTER TABLE big ALTER COLUMN id TYPE bigint, ALTER COLUMN note TYPE int USING note::int');
  assert.match(
    (await job.run()).tables.big?.error ?? '',
    /"id" was integer and is bigint.*; "note" was text and is integer/,
  );
  await job.warehouse.query(`SELECT redshift.set_keys('"${job.schema}".big', 'dist', ARRAY['note'])`);
  await job.reset('big', { kind: 'reload' });
  assert.match(
    (await job.run()).tables.big?.error ?? '',
    /cannot drop distkey column "note" – the warehouse's keys are others than the table's settings say.*ALTER DISTSTYLE EVEN/,
  );
  await job.warehouse.query(`SELECT redshift.set_keys('"${job.schema}".big', 'dist', ARRAY[]::text[])`);
  const seen: unknown[] = [];
  for (let i = 0; i < 2; i++)
    during.atCall(
      batchAnswered,
      async () =>
        void seen.push(
          (await columnsOf(job, 'big')).id,
          (await job.rows('SELECT count(*)::int AS n FROM $.big'))[0]?.n,
        ),
    );
  await runs(job);
  assert.deepEqual(seen, ['integer', 12_000, 'integer', 12_000], 'until its last batch the table is as it was');
  assert.deepEqual(await columnsOf(job, 'big'), { id: 'bigint', note: 'integer' });
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%'"), []);
});

test('a key column that goes stops its table; with its keys corrected the table is loaded again', async () => {
  const job = await loadedShop(server);
  await job.source.query('ALTER TABLE orders RENAME COLUMN id TO order_id; ALTER TABLE events DROP COLUMN id');
  const stopped = await job.run();
  assert.match(
    stopped.tables.orders?.error ?? '',
    /^ColumnsDiffer: orders: its key column "id" is called "order_id" now – correct/,
  );
  assert.match(
    stopped.tables.events?.error ?? '',
    /^ColumnsDiffer: events: the source no longer has its key column "id"/,
  );
  await job.edit('orders', { primaryKey: ['order_id'] });
  await job.edit('events', { copyMode: 'FULL_DATA_SYNC', primaryKey: [] });
  await runs(job);
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n, count(id)::int AS old FROM $.orders'), [
    { n: 20, old: 0 },
  ]);
});
