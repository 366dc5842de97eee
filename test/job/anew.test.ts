import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from './harness.ts';

const server = bench();

const LOGS = `
  CREATE TABLE logs (id bigserial PRIMARY KEY, body text);
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  INSERT INTO logs (body) SELECT 'old ' || n FROM generate_series(1, 100) n;
  INSERT INTO orders (note) SELECT 'old ' || n FROM generate_series(1, 100) n;
  ANALYZE;`;

test('tables that are made anew at the source are replaced in the warehouse, in both incremental modes', async () => {
  const job = await server.job(LOGS);
  await job.setup();
  await job.edit('logs', { copyMode: 'INSERT_ONLY' });
  await job.run();
  await job.source.query(`DROP TABLE logs, orders; ${LOGS.replaceAll('100', '60').replaceAll('old', 'new')}`);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('a table dropped in the warehouse with its item is loaded again after setup, as the errors advise', async () => {
  const job = await server.job(LOGS);
  await job.setup();
  await job.run();
  await job.warehouse.query(`DROP TABLE "${job.schema}".orders`);
  await job.edit('orders', { created: false });
  await job.setup();
  assert.equal((await job.run()).tables.orders?.rows, 100);
  assert.deepEqual(await job.differing(), []);
});

test('materialized views and a table called job are no trouble', async () => {
  const job = await server.job(`${LOGS}
    CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS n FROM logs;
    CREATE TABLE job (id int PRIMARY KEY, note text);
    INSERT INTO job SELECT n, 'row ' || n FROM generate_series(1, 10500) n`);
  const { checks, tables } = await job.setup();
  assert.equal(tables, 3);
  assert.match(checks.join(), /summary is a materialized view, which is not copied/);
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual(run.expected, ['job', 'table:job']);
  assert.equal(run.tables.job?.rows, 10_500);
  assert.deepEqual(await job.differing(), []);
});

test('a new column of a loaded table is added, and setup says that older rows lack it', async () => {
  const job = await server.job(LOGS);
  await job.setup();
  await job.run();
  await job.source.query("ALTER TABLE orders ADD COLUMN tier text NOT NULL DEFAULT 'gold'");
  const { checks } = await job.setup();
  assert.match(checks.join(), /orders: new column "tier" text: rows loaded before keep NULL in it until they change/);
  await job.source.query('UPDATE orders SET updated_at = now()');
  await job.run();
  assert.deepEqual(await job.differing(), []);
});
