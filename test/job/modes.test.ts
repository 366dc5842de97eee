import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';

const server = bench();

const SHOP = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE events (id bigserial PRIMARY KEY, body text);
  CREATE TABLE countries (code text PRIMARY KEY, name text);
  INSERT INTO orders (note) SELECT CASE WHEN n % 3 = 0 THEN '' WHEN n % 3 = 1 THEN NULL ELSE 'note ' || n END FROM generate_series(1, 500) n;
  INSERT INTO events (body) SELECT 'event ' || n FROM generate_series(1, 400) n;
  INSERT INTO countries VALUES ('DE', 'Deutschland'), ('FR', 'France'), ('JP', '日本');
  ANALYZE;`;

test('setup guesses the three modes, and the first run brings every row', async () => {
  const job = await server.job(SHOP);
  const { tables, added } = await job.setup();
  assert.deepEqual({ tables, added }, { tables: 3, added: 3 });
  const modes = Object.fromEntries((await job.read()).tables.map((table) => [table.sourceName, table.copyMode]));
  assert.deepEqual(modes, { orders: 'INSERT_AND_UPDATE', events: 'INSERT_ONLY', countries: 'FULL_DATA_SYNC' });

  const run = await job.run();
  assert.equal(run.status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('inserts, updates and deletes arrive with the next run, each in its mode', async () => {
  const job = await server.job(SHOP);
  await job.setup();
  await job.run();
  await job.source.query(`
    UPDATE orders SET note = 'changed', updated_at = now() WHERE id <= 10;
    INSERT INTO orders (note) VALUES ('new');
    INSERT INTO events (body) VALUES ('new');
    DELETE FROM countries WHERE code = 'FR';
    UPDATE countries SET name = 'Germany' WHERE code = 'DE'`);
  const run = await job.run();
  assert.equal(run.status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
  assert.equal(run.tables.orders?.rows, 11, 'only what changed was moved');
  assert.equal(run.tables.events?.rows, 1);
});

test('setup run again adds what is new and keeps what a person edited', async () => {
  const job = await server.job(SHOP);
  await job.setup();
  await job.edit('orders', { copyMode: 'FULL_DATA_SYNC', disabled: true });
  await job.source.query('CREATE TABLE later (id int PRIMARY KEY); ALTER TABLE events ADD COLUMN kind text');
  const again = await job.setup();
  assert.equal(again.added, 1);
  const orders = (await job.read()).tables.find((table) => table.sourceName === 'orders');
  assert.deepEqual([orders?.copyMode, orders?.disabled], ['FULL_DATA_SYNC', true]);
  await job.source.query("INSERT INTO events (body, kind) VALUES ('with kind', 'k')");
  const run = await job.run();
  assert.equal(run.status, 'succeeded');
  assert.deepEqual(await job.rows('SELECT kind FROM $.events WHERE kind IS NOT NULL'), [{ kind: 'k' }]);
});

test('a disabled table is left alone', async () => {
  const job = await server.job(SHOP);
  await job.setup();
  await job.edit('events', { disabled: true });
  const run = await job.run();
  assert.deepEqual(Object.keys(run.tables).sort(), ['countries', 'orders']);
  assert.deepEqual(await job.rows('SELECT * FROM $.events'), []);
});

test('large tables are loaded batch by batch, chunk by chunk, to their end', async () => {
  const job = await server.job(
    `${SHOP}
    INSERT INTO orders (note) SELECT 'more ' || n FROM generate_series(1, 24500) n;
    INSERT INTO events (body) SELECT 'more ' || n FROM generate_series(1, 24600) n;
    INSERT INTO countries SELECT 'c' || n, 'country ' || n FROM generate_series(1, 12000) n`,
    { rowLimit: 10_000, chunkSize: 3_000 },
  );
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual(
    [run.tables.orders?.rows, run.tables.events?.rows, run.tables.countries?.rows],
    [25_000, 25_000, 12_003],
  );
  assert.deepEqual(await job.differing(), []);
  const { states } = await job.read();
  for (const [name, { value }] of states) {
    assert.equal(value.lease, undefined, `${name} is free again`);
    assert.equal(value.pass, undefined, `${name}'s pass is complete`);
  }
  assert.deepEqual(
    await job.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%'"),
    [],
    'no stage is left',
  );

  await job.source.query(
    "UPDATE orders SET note = 'again', updated_at = now(); DELETE FROM countries WHERE code LIKE 'c1%'",
  );
  const next = await job.run();
  assert.equal(next.status, 'succeeded', JSON.stringify(next));
  assert.equal(next.tables.orders?.rows, 25_000);
  assert.deepEqual(await job.differing(), []);
});

test('a row committed by a transaction that began before a run and ended after it arrives with the next', async () => {
  const job = await server.job(SHOP);
  await job.setup();
  await job.run();
  const late = new (job.source.constructor as new (config: object) => typeof job.source)({ connectionString: job.url });
  await late.connect();
  try {
    await late.query("BEGIN; INSERT INTO orders (note) VALUES ('late'); INSERT INTO events (body) VALUES ('late')");
    await job.source.query("INSERT INTO orders (note) VALUES ('early'); INSERT INTO events (body) VALUES ('early')");
    await job.run();
    assert.deepEqual(await job.rows("SELECT note FROM $.orders WHERE note IN ('late', 'early')"), [{ note: 'early' }]);
    await late.query('COMMIT');
  } finally {
    await late.end();
  }
  const next = await job.run();
  assert.equal(next.status, 'succeeded', JSON.stringify(next.tables));
  assert.equal(next.tables.events?.rows, 1);
  assert.deepEqual(await job.differing(), []);
});

test('rows whose updated_at is NULL arrive and are told of, also when they come later', async () => {
  const job = await server.job(`
    CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz);
    CREATE INDEX ON orders (updated_at);
    INSERT INTO orders (note, updated_at) VALUES ('stamped', now()), ('unstamped', NULL)`);
  await job.setup();
  await job.run();
  assert.deepEqual(await job.differing(), []);
  await job.source.query("INSERT INTO orders (note) VALUES ('later')");
  const run = await job.run();
  assert.equal(run.tables.orders?.rows, 1);
  assert.deepEqual(run.warnings, [
    'orders: new or changed rows without updated_at: 1 – they are loaded, but every run has to look for such rows: UPDATE "public"."orders" ' +
      'SET "updated_at" = now() WHERE "updated_at" IS NULL; ALTER TABLE "public"."orders" ALTER COLUMN "updated_at" SET NOT NULL;',
  ]);
  assert.deepEqual(await job.differing(), []);
  const idle = await job.run();
  assert.deepEqual([idle.status, idle.warnings], ['idle', []], 'and only once');
  await job.source.query("INSERT INTO orders (note, updated_at) VALUES ('stamped', now())");
  assert.deepEqual((await job.run()).warnings, []);
  await job.edit('orders', { chunkSize: 2 });
  await job.source.query('INSERT INTO orders (note) SELECT NULL FROM generate_series(1, 4)');
  assert.match((await job.run()).warnings.join(), /without updated_at: more than 2/);
  assert.deepEqual(await job.differing(), []);
});

/** The shop, read by a user who may not see the transactions of others. */
const shortSighted = (user: string, more = {}) =>
  server.job(
    `${SHOP}; CREATE ROLE "${user}" LOGIN PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "${user}"`,
    {
      url: (url) => url.replace(/\/\/[^@]*@/, `//${encodeURIComponent(user)}:x@`),
      ...more,
    },
  );

test('a run by a user who may not see the transactions of others says so, with the GRANT, until it is given', async () => {
  const job = await shortSighted('short sighted');
  const grant = 'GRANT pg_read_all_stats TO "short sighted";';
  assert.ok((await job.setup()).checks.join().includes(grant));
  const blind = await job.run();
  assert.equal(blind.status, 'succeeded');
  assert.deepEqual(blind.warnings, [`others' transactions can't be seen: run as an administrator: ${grant}`]);
  await job.source.query(`${grant}; INSERT INTO orders (note) VALUES ('seen')`);
  assert.deepEqual((await job.run()).warnings, []);
  assert.deepEqual(await job.differing(), []);
});

test('what a transaction writes that had only read for long arrives, though the user may not see it', async () => {
  const job = await shortSighted('nearly blind', { scanBack: 0 });
  await job.setup();
  await job.run();
  const reader = new pg.Client(job.url);
  await reader.connect();
  try {
    await reader.query('BEGIN; SELECT 1');
    // The fence leaves 5 s for clocks that disagree, and a checkpoint's counts whole seconds.
    await sleep(6_500);
    await job.source.query("CHECKPOINT; INSERT INTO orders (note) VALUES ('meanwhile')");
    assert.equal((await job.run()).tables.orders?.rows, 1);
    await reader.query("INSERT INTO orders (note) VALUES ('with its old now()'); COMMIT");
  } finally {
    await reader.end();
  }
  assert.equal((await job.run()).tables.orders?.rows, 1);
  assert.deepEqual(await job.differing(), []);
});

test("a table that is somebody else's in the warehouse is left alone, and the others are set up", async () => {
  const job = await server.job(SHOP);
  await job.warehouse.query(`CREATE TABLE "${job.schema}".countries (code text); INSERT INTO "${job.schema}".countries VALUES ('theirs');
    GRANT SELECT ON "${job.schema}".countries TO PUBLIC`);
  const { refused = [] } = await job.setup();
  assert.match(refused.join(), /countries: the warehouse already has a table t\d+\.countries with rows/);
  const run = await job.run();
  assert.match(run.tables.countries?.error ?? '', /run setup/);
  assert.deepEqual(await job.rows('SELECT code FROM $.countries'), [{ code: 'theirs' }]);
  assert.equal((await job.rows('SELECT count(*)::int AS n FROM $.orders'))[0]?.n, 500);
});

test('rows of a prepared transaction arrive once it is committed; until then the run says what holds watermarks back', async () => {
  const job = await server.job(SHOP);
  await job.setup();
  await job.run();
  await job.source.query(`BEGIN; INSERT INTO orders (note) VALUES ('prepared'); INSERT INTO events (body) VALUES ('prepared');
    PREPARE TRANSACTION 'later'`);
  await job.source.query("INSERT INTO orders (note) VALUES ('meanwhile')");
  const held = await job.run();
  assert.match(held.warnings.join(), /prepared transactions hold watermarks back: 1/);
  assert.equal(held.tables.orders?.rows, 1, 'rows load all the same');
  await job.source.query("COMMIT PREPARED 'later'");
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('where there are more large tables than connections they take turns, and one that fails holds up nobody', async () => {
  const large = Array.from(
    { length: 5 },
    (
      _,
      i,
    ) => `CREATE TABLE large_${i} (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO large_${i} (note) SELECT n::text FROM generate_series(1, 10001) n;`,
  );
  const job = await server.job(large.join('\n'), { maxSourceConnections: 2 });
  await job.setup();
  // The warehouse refuses its batch.
  await job.warehouse.query(`ALTER TABLE "${job.schema}".large_1 DROP COLUMN note`);
  const run = await job.run();
  assert.equal(run.status, 'failed');
  const failed = Object.entries(run.tables).filter(([, { error }]) => error);
  assert.deepEqual(
    failed.map(([name]) => name),
    ['large_1'],
  );
  assert.deepEqual(
    Object.entries(run.tables)
      .map(([name, { rows }]) => [name, rows])
      .sort(),
    [0, 1, 2, 3, 4].map((i) => [`large_${i}`, i === 1 ? 0 : 10_001]),
  );
});

/** As if all ids that are waited for had been missed for long. */
async function ageGaps(job: TestJob): Promise<void> {
  const state = await server.operator.store.readState(job.jobId, 'events');
  await server.operator.store.changeState(job.jobId, state, ({ watermark, ...one }) => ({
    ...one,
    ...(watermark && {
      watermark: { ...watermark, gaps: watermark.gaps?.map((gap) => ({ ...gap, seen: '2026-01-01T00:00:00Z' })) ?? [] },
    }),
  }));
}

test('an id that comes while its table rests for longer than gaps are waited for is not lost, of small and large tables', async () => {
  const job = await server.job('CREATE TABLE events (id bigserial PRIMARY KEY, body text)');
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  await job.source.query('INSERT INTO events SELECT unnest(ARRAY[1, 2, 3, 5, 6, 8])');
  await job.run();
  await ageGaps(job);
  await job.source.query('INSERT INTO events VALUES (4)');
  const told = /events: ids missing within 7 did not come/;
  const { warnings } = await job.run();
  assert.match(warnings.join(), told);
  assert.deepEqual(await job.differing(), []);

  await job.edit('events', { rowLimit: 50, chunkSize: 50 });
  await job.source.query('INSERT INTO events SELECT unnest(ARRAY[10, 12])');
  await job.run();
  await ageGaps(job);
  await job.source.query('INSERT INTO events VALUES (9), (11); INSERT INTO events SELECT generate_series(13, 200)');
  assert.deepEqual((await job.run()).warnings, []);
  assert.deepEqual(await job.differing(), []);
  await job.source.query('INSERT INTO events VALUES (7)');
  assert.equal((await job.run()).status, 'idle', 'it was told that nobody waits for this one');
});

test('a gap that closes by its age is told once, whether or not rows came, and by whoever shows the run', async () => {
  const job = await server.job('CREATE TABLE events (id bigserial PRIMARY KEY, body text)');
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  for (const [ids, missing] of [
    ['1, 2, 3, 5', '4'],
    ['6, 9', '7–8'],
  ]) {
    await job.source.query(`INSERT INTO events SELECT unnest(ARRAY[${ids}])`);
    await job.run();
    await ageGaps(job);
    if (missing !== '4') await job.source.query('INSERT INTO events VALUES (10)');
    const run = await job.run();
    assert.equal(run.status, missing === '4' ? 'idle' : 'succeeded');
    const told =
      `events: ids missing within ${missing} did not come in 7 days and are no longer waited for – ` +
      'if such rows may still come, raise gapDays and reset the table to an id below';
    assert.deepEqual(run.warnings, [told]);
    assert.deepEqual((await done<{ warnings: string[] }>(server, 'runs.show', { jobId: job.jobId })).warnings, [told]);
    assert.deepEqual((await job.run()).warnings, [], 'once');
  }
});

test('of more than a thousand gaps the lowest are given up, and the run says how many, of small deltas and large tables', async () => {
  const job = await server.job(
    ['small', 'large']
      .map(
        (name) =>
          `CREATE TABLE ${name} (id bigserial PRIMARY KEY); INSERT INTO ${name} SELECT n * 2000 FROM generate_series(1, 1010) n;`,
      )
      .join(''),
  );
  await job.setup();
  await job.edit('small', { copyMode: 'INSERT_ONLY' });
  await job.edit('large', { copyMode: 'INSERT_ONLY', rowLimit: 600, chunkSize: 300 });
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual([run.tables.small?.gapsGivenUp, run.tables.large?.gapsGivenUp], [10, 10]);
  assert.deepEqual(await job.differing(), []);
});
