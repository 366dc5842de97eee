import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keysBelow } from './bucket.ts';
import { bench, type TestJob } from './harness.ts';

const server = bench();

async function succeeds(job: TestJob) {
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  return run;
}

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

test('a table or a column that somebody dropped in the warehouse is named by the run, and made again by setup', async () => {
  const job = await server.job(LOGS);
  await job.setup();
  await job.run();
  await job.warehouse.query(`DROP TABLE "${job.schema}".orders; ALTER TABLE "${job.schema}".logs DROP COLUMN body`);
  await job.source.query("INSERT INTO orders (note) VALUES ('new'); INSERT INTO logs (body) VALUES ('new')");
  const run = await job.run();
  assert.match(
    run.tables.orders?.error ?? '',
    /^WarehouseRefused: orders: .*orders" does not exist – run setup, which makes again what "\w+"\."orders" lacks/,
  );
  assert.match(run.tables.logs?.error ?? '', /column "body" .* does not exist – run setup/);
  await job.setup();
  const again = await job.run();
  assert.equal(again.status, 'succeeded', JSON.stringify(again.tables));
  assert.equal(again.tables.orders?.rows, 101);
  assert.deepEqual(await job.differing(), ['logs'], 'what a dropped column held comes with a reset, as the error says');
});

test('a value that COPY refuses is told with what would help, and its file is kept for a look', async () => {
  const job = await server.job(LOGS);
  await job.setup();
  await job.run();
  await job.warehouse.query(`ALTER TABLE "${job.schema}".orders ALTER COLUMN note TYPE int USING 0`);
  await job.source.query("INSERT INTO orders (note) VALUES ('no number')");
  const error = (await job.run()).tables.orders?.error ?? '';
  const [, file = ''] =
    /^WarehouseRefused: orders: .+ – line 1, column note \w+.* of s3:\S+: correct the value at the source, choose the policy oversizeText: truncate or null, or leave the column out by treat: {"note": "exclude"}\. S3 keeps the file for two days: aws s3 cp s3:\/\/[^/]+\/(\S+) - \| zstd -dc \| sed -n 1p shows the row$/.exec(
      error,
    ) ?? assert.fail(error);
  assert.deepEqual(await keysBelow(server, `stage/${job.jobId}/`), [file]);
  await job.warehouse.query(
    `ALTER TABLE "${job.schema}".orders ALTER COLUMN note TYPE varchar(65535) USING 'old ' || id`,
  );
  await succeeds(job);
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await keysBelow(server, `stage/${job.jobId}/`), [], 'until the error is over');
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

const EVENTS = `
  CREATE TABLE events (id bigint NOT NULL, day date NOT NULL, note text, updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE INDEX ON events (updated_at);
  CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE TABLE tmp_2 (LIKE events INCLUDING ALL);
  CREATE TABLE tmp_3 (LIKE events INCLUDING ALL);
  INSERT INTO events SELECT n, '2026-01-10', 'here ' || n FROM generate_series(1, 50) n;
  INSERT INTO tmp_2 SELECT n, '2026-02-10', 'just now ' || n FROM generate_series(51, 60) n;
  INSERT INTO tmp_3 SELECT n, '2026-03-10', 'long ago ' || n, '2001-02-03' FROM generate_series(61, 70) n;`;

test('rows of a partition that is attached arrive, however old their transactions and their updated_at are', async () => {
  const job = await server.job(EVENTS);
  await job.setup();
  await job.run();
  await job.source.query("ALTER TABLE events ATTACH PARTITION tmp_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')");
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(run.tables.events?.rows, 10, 'and no other is moved again');
  assert.deepEqual(await job.differing(), []);

  await job.source.query("ALTER TABLE events ATTACH PARTITION tmp_3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')");
  await job.source.query("CREATE TABLE events_4 PARTITION OF events FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')");
  assert.equal((await job.run()).tables.events?.rows, 10);
  assert.deepEqual(await job.differing(), []);
  assert.equal((await job.run()).status, 'idle');
});

test('rows of a partition arrive in a table that only grows, too, though their ids were passed long ago and are watched no more', async () => {
  const job = await server.job(
    EVENTS.replaceAll('PRIMARY KEY (id, day)', 'PRIMARY KEY (id)')
      .replaceAll('BY RANGE (day)', 'BY RANGE (id)')
      .replaceAll("('2026-01-01') TO ('2026-02-01')", '(1) TO (51)'),
    { gapDays: 1 },
  );
  await job.source.query(
    "CREATE TABLE events_9 PARTITION OF events FOR VALUES FROM (100) TO (200); INSERT INTO events VALUES (150, '2026-09-09', 'far ahead')",
  );
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY', primaryKey: ['id'] });
  await succeeds(job);
  const { states } = await job.read();
  const state = states.get('events') ?? assert.fail();
  const watermark = state.value.watermark ?? assert.fail();
  assert.ok(watermark.gaps?.some(({ from }) => from === '51'));
  await server.operator.store.changeState(job.jobId, state, (one) => ({
    ...one,
    watermark: { ...watermark, gaps: [] },
  }));
  await job.source.query('ALTER TABLE events ATTACH PARTITION tmp_2 FOR VALUES FROM (51) TO (61)');
  assert.equal((await succeeds(job)).tables.events?.rows, 10);
  assert.deepEqual(await job.differing(), []);
  assert.equal((await job.run()).status, 'idle');
  await job.source.query('ALTER TABLE events ATTACH PARTITION tmp_3 FOR VALUES FROM (61) TO (71)');
  await job.source.query("INSERT INTO events VALUES (151, '2026-09-10', 'new')");
  assert.equal((await succeeds(job)).tables.events?.rows, 11);
  assert.deepEqual(await job.differing(), []);
});

test('setup refuses by name a table that another job has made, though that one has loaded nothing yet', async () => {
  const one = await server.job('CREATE TABLE shared (id bigserial PRIMARY KEY); INSERT INTO shared DEFAULT VALUES');
  const other = await server.job(
    'CREATE TABLE shared (id bigserial PRIMARY KEY); CREATE TABLE own (id int PRIMARY KEY)',
    {
      destination: one.schema,
    },
  );
  assert.deepEqual((await one.setup()).refused, []);
  const { refused = [] } = await other.setup();
  assert.match(
    refused.join(),
    /^shared: the warehouse's table t\d+\.shared is the one that job job-t\d+ loads: .* --destination-name/,
  );
  assert.equal((await one.run()).status, 'succeeded');
  assert.match((await other.run()).tables.shared?.error ?? '', /setup/);
  await other.edit('shared', { destinationName: 'shared_too' });
  assert.deepEqual((await other.setup()).refused, []);
  assert.equal((await other.run()).status, 'succeeded');
  assert.deepEqual([await one.differing(), await one.rows('SELECT id::int FROM $.shared')], [[], [{ id: 1 }]]);
  assert.deepEqual((await one.setup()).refused, [], 'nor does the second stand in the way of the first');
});
