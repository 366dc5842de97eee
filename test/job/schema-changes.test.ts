import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../local/service.ts';
import { connectSource } from '../../shared/source/connect.ts';
import { Ticks } from '../torture/ticks.ts';
import { columnsOf, each, loadedShop, runs, TABLES } from './changing-shop.ts';
import { bench } from './harness.ts';
import { batchAnswered, Interruptions } from './interruptions.ts';
import { metricSum } from './metrics.ts';

const during = new Interruptions();
const server = bench(during.options);

test('columns that come, go, grow and change their names are followed in every mode, by small deltas', async () => {
  const job = await loadedShop(server);
  await job.source.query(
    each(`ALTER TABLE $t ADD COLUMN plain int, ADD COLUMN tier text NOT NULL DEFAULT 'gold', DROP COLUMN gone,
    ALTER COLUMN note TYPE varchar(30), ALTER COLUMN flag DROP NOT NULL; ALTER TABLE $t RENAME COLUMN old_name TO new_name`),
  );
  await job.source.query("ALTER TYPE mood ADD VALUE 'glad' BEFORE 'sad'");
  const first = await runs(job);
  assert.deepEqual(
    Object.keys(first.tables),
    ['prices'],
    'changes alone move no rows, but for a full sync, which always does',
  );

  await job.source.query(`UPDATE orders SET note = 'a note of 25 characters..', updated_at = now() WHERE id = 3;
    ${each(`INSERT INTO $t (id, note, new_name, feeling, plain, tier) VALUES (100, 'a note that needs the width', 'new', 'glad', 7, 'silver')`)}`);
  const run = await runs(job);
  const changes = run.tables.orders?.schemaChanges?.join('\n') ?? '';
  for (const expected of [
    /"note" was .*\(10\) and is .*\(30\)/,
    /no longer has "gone"/,
    /"old_name" is called "new_name" now/,
    /new column "tier" text: rows/,
  ])
    assert.match(changes, expected);
  assert.deepEqual(await job.differing(), []);
  for (const table of TABLES) {
    const columns = await columnsOf(job, table);
    assert.equal(columns.note, 'character varying(120)', table);
    assert.deepEqual([columns.plain, columns.tier, columns.new_name].map(Boolean), [true, true, true], table);
    assert.equal(columns.gone, 'character varying(65535)', 'what the source dropped stays');
  }
  const orders = await job.rows('SELECT id::int, gone, tier, plain FROM $.orders WHERE id IN (2, 3, 100) ORDER BY id');
  assert.deepEqual(orders, [
    { id: 2, gone: 'gone 2', tier: null, plain: null },
    { id: 3, gone: null, tier: 'gold', plain: null },
    { id: 100, gone: null, tier: 'silver', plain: 7 },
  ]);
  assert.deepEqual(await job.rows('SELECT DISTINCT tier FROM $.prices ORDER BY 1'), [
    { tier: 'gold' },
    { tier: 'silver' },
  ]);
  const { tables } = await job.read();
  for (const table of tables) {
    assert.ok(table.schemaHistory.length >= 5, table.sourceName);
    for (const { at } of table.schemaHistory) assert.ok(Date.parse(at) > 0, at);
  }
  assert.deepEqual(
    tables.find(({ sourceName }) => sourceName === 'orders')?.schemaHistory.map(({ change }) => change),
    run.tables.orders?.schemaChanges,
    'the run and the table tell the same',
  );

  await job.source.query(`UPDATE orders SET updated_at = now(); ${each('ALTER TABLE $t ADD COLUMN gone text')}`);
  await runs(job);
  assert.deepEqual(await job.differing(), [], 'a column that comes back is the one that was kept');
  assert.equal((await job.run()).tables.orders, undefined);

  const widened = Object.keys(await columnsOf(job, 'orders')).length;
  const fillers = Array.from({ length: 1_600 - widened }, (_, i) => `ADD COLUMN filler_${i} int`);
  await job.warehouse.query(`ALTER TABLE "${job.schema}".orders ${fillers.join(', ')}`);
  await job.source.query('ALTER TABLE orders ADD COLUMN one_more int; UPDATE orders SET updated_at = now()');
  assert.match(
    (await job.run()).tables.orders?.error ?? '',
    /at most 1,?600 columns – the warehouse keeps 1 that the source no longer has: drop one that nobody needs, ALTER TABLE "\w+"\."orders" DROP COLUMN "old_name";$/,
  );
});

test('rows of older batches and large full syncs follow, too, also where the change comes in the middle of a pass', async () => {
  const job = await server.job(
    `CREATE TABLE big (id bigserial PRIMARY KEY, note varchar(10), updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON big (updated_at);
     CREATE TABLE whole (code text PRIMARY KEY, note varchar(10), gone int);
     INSERT INTO big (note) SELECT 'row ' || n FROM generate_series(1, 12000) n;
     INSERT INTO whole SELECT 'c' || n, 'row ' || n, n FROM generate_series(1, 12000) n;`,
    { rowLimit: 5_000, chunkSize: 5_000 },
  );
  await job.setup();
  const change = `ALTER TABLE big ADD COLUMN extra text DEFAULT 'old', ALTER COLUMN note TYPE text;
    ALTER TABLE whole ADD COLUMN extra text DEFAULT 'old', ALTER COLUMN note TYPE text, DROP COLUMN gone;`;
  let seen = 0;
  during.atCall(
    (call) => batchAnswered(call) && ++seen === 3,
    async () => void (await job.source.query(change)),
  );
  // What was extracted, or staged, under the former columns may end its table's run; the next begins anew.
  await job.run();
  await runs(job);
  await job.source.query(
    `UPDATE big SET note = repeat('x', 60), updated_at = now(); UPDATE whole SET note = repeat('x', 60)`,
  );
  await runs(job);
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows('SELECT DISTINCT extra, note FROM $.big'), [{ extra: 'old', note: 'x'.repeat(60) }]);
  assert.deepEqual(await job.rows('SELECT DISTINCT extra, gone FROM $.whole'), [{ extra: 'old', gone: null }]);
  assert.equal((await columnsOf(job, 'big')).note, 'character varying(65535)');
});

test('what was extracted by columns that were agreed anew before its load is refused, and the next run brings it', async () => {
  const job = await loadedShop(server);
  await job.source.query(each("INSERT INTO $t (id, note) VALUES (100, 'late')"));
  during.atState('Load', async () => {
    await job.source.query(each('ALTER TABLE $t ADD COLUMN extra int, DROP COLUMN gone'));
    await job.setup();
  });
  const run = await job.run();
  for (const table of TABLES)
    assert.match(
      run.tables[table]?.error ?? '',
      /^ColumnsDiffer: \w+: its columns were agreed anew.* – the next run goes on$/,
    );
  await runs(job);
  assert.deepEqual(await job.differing(), []);
});

test('a large table whose columns change after its chunks were cut stops before it is read, and the next run goes on', async () => {
  const job = await server.job(
    `CREATE TABLE big (id serial PRIMARY KEY, note varchar(10), gone int);
     INSERT INTO big (note) SELECT 'row ' || n FROM generate_series(1, 12000) n`,
    { rowLimit: 20_000, chunkSize: 5_000 },
  );
  await job.setup();
  during.atState(
    'Extract',
    async () => void (await job.source.query('ALTER TABLE big DROP COLUMN gone, ALTER COLUMN note TYPE varchar(50)')),
  );
  assert.match(
    (await job.run()).tables.big?.error ?? '',
    /^ColumnsDiffer: big changed while it was read: "note" was .*; the source no longer has "gone".* – the next run goes on$/,
  );
  assert.deepEqual(await job.rows('SELECT * FROM $.big'), []);
  await runs(job);
  assert.deepEqual(await job.differing(), []);
  assert.equal((await columnsOf(job, 'big')).note, 'character varying(200)');
});

test('order and nullability have no effect', async () => {
  const job = await loadedShop(server);
  const before = await columnsOf(job, 'orders');
  await job.source.query(`ALTER TABLE orders ALTER COLUMN flag DROP NOT NULL, ALTER COLUMN note SET NOT NULL;
    CREATE TABLE reordered (nth int, updated_at timestamptz NOT NULL DEFAULT now(), flag boolean, feeling mood, old_name text, gone text, note varchar(10), id bigint PRIMARY KEY);
    CREATE INDEX ON reordered (updated_at);
    INSERT INTO reordered SELECT NULL, now(), NULL, feeling, old_name, gone, note, id FROM orders;
    DROP TABLE orders CASCADE; ALTER TABLE reordered RENAME TO orders`);
  const run = await runs(job);
  assert.equal(run.tables.orders?.schemaChanges, undefined);
  assert.deepEqual(await columnsOf(job, 'orders'), before);
  assert.deepEqual(await job.rows('SELECT DISTINCT flag FROM $.orders'), [{ flag: null }]);
  assert.deepEqual(await job.differing(), []);
});

test('with newColumns on reload older rows get the new values, and readers never see the table empty', async () => {
  const job = await loadedShop(server, { newColumns: 'reload' });
  await job.edit('events', { newColumns: 'forward' });
  await job.source.query(each("ALTER TABLE $t ADD COLUMN tier text DEFAULT 'gold'"));
  const counts: unknown[] = [];
  during.atCall(
    batchAnswered,
    async () => void counts.push((await job.rows('SELECT count(*)::int AS n FROM $.orders'))[0]?.n),
  );
  const run = await runs(job);
  assert.equal(run.tables.orders?.rows, 20);
  assert.match(run.tables.orders?.schemaChanges?.join() ?? '', /loaded again/);
  assert.equal(run.tables.events, undefined, 'the table may choose otherwise');
  assert.deepEqual(await job.rows('SELECT DISTINCT tier FROM $.orders'), [{ tier: 'gold' }]);
  const { tables } = await job.read();
  assert.ok(
    tables.every(({ sourceName, columns }) => sourceName === 'events' || columns.every(({ partial }) => !partial)),
  );
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(counts, [20]);
});

test('a table that is loaded again for a new column is not emptied by a source that suddenly is', async () => {
  const job = await loadedShop(server, { newColumns: 'reload' });
  await job.source.query("DELETE FROM orders; ALTER TABLE orders ADD COLUMN tier text DEFAULT 'gold'");
  for (const again of [false, true]) {
    const { tables } = await job.run();
    assert.match(
      tables.orders?.error ?? '',
      /^SourceShrank: orders: the source has 0 rows and the warehouse 20/,
      `${again}`,
    );
  }
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n FROM $.orders'), [{ n: 20 }]);
  await job.reset('orders', { kind: 'reload' });
  await runs(job);
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n FROM $.orders'), [{ n: 0 }], 'a person said so');
});

test('under pause changes wait for a person: setup takes them over', async () => {
  const job = await loadedShop(server, { schemaChanges: 'pause' });
  await job.source.query(
    'ALTER TABLE orders ADD COLUMN extra int, DROP COLUMN gone; UPDATE orders SET updated_at = now()',
  );
  const before = metricSum(server, 'TablesFailed');
  const paused = await job.run();
  assert.equal(metricSum(server, 'TablesFailed') - before, 1, 'which an alarm watches');
  assert.match(
    paused.tables.orders?.error ?? '',
    /^SchemaChangePaused: orders: the source no longer has "gone".*; new column "extra" integer – run setup to take this over, or set the job's schemaChanges to apply$/,
  );
  assert.equal(paused.tables.prices?.error, undefined);
  await job.setup();
  assert.ok('extra' in (await columnsOf(job, 'orders')));
  await runs(job);
  assert.deepEqual(await job.differing(), []);
});

test('what was altered before a crash is not altered again', async () => {
  const job = await loadedShop(server);
  await job.source.query(`ALTER TABLE orders ADD COLUMN extra int DEFAULT 7, ALTER COLUMN note TYPE text;
    UPDATE orders SET updated_at = now()`);
  // The process dies between the statements that alter the table: the first asks for its columns, the second widens one.
  let submits = 0;
  during.atCall(
    ({ service, action, moment }) =>
      service === 'redshift-data' && action === 'ExecuteStatement' && moment === 'before' && ++submits === 2,
    () => {
      throw new ServiceError('AccessDeniedException', 'the process died');
    },
  );
  assert.equal((await job.run()).status, 'failed');
  assert.equal((await columnsOf(job, 'orders')).extra, 'integer');
  await runs(job);
  assert.deepEqual(await job.differing(), []);
});

test('a table that is dropped or renamed stops, named, and the others go on', async () => {
  const job = await loadedShop(server);
  await job.source.query('ALTER TABLE orders RENAME TO purchases; DROP TABLE events; UPDATE prices SET note = note');
  const before = metricSum(server, 'TablesFailed');
  const run = await job.run();
  assert.equal(metricSum(server, 'TablesFailed') - before, 2, 'which an alarm watches');
  assert.match(
    run.tables.orders?.error ?? '',
    /^TableUnreadable: orders is called purchases at the source now: rename it back; or run setup/,
  );
  assert.match(run.tables.events?.error ?? '', /^TableUnreadable: public.events does not exist at the source/);
  assert.equal(run.tables.prices?.rows, 20);
  assert.match(run.warnings.join(), /new at the source: purchases – run setup to copy them/);
  await job.setup();
  for (const name of ['orders', 'events']) await job.edit(name, { disabled: true });
  await runs(job);
  assert.equal((await job.rows('SELECT count(*)::int AS n FROM $.purchases'))[0]?.n, 20);
});

test('new tables are told, and set up where the job wants that; an idle run stays idle', async () => {
  const job = await server.job('CREATE TABLE first (id bigserial PRIMARY KEY)', { exclude: ['tmp_*'] });
  await job.setup();
  await job.run();
  await job.source.query(
    'CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1); CREATE TABLE tmp_1 (id int); CREATE TABLE hollow ()',
  );
  const told = await job.run();
  assert.equal(told.status, 'idle');
  assert.deepEqual(told.warnings, [
    "new at the source: later – run setup to copy them, set the job's autoAddTables, or name them in its exclude",
  ]);
  const { job: settings } = await job.read();
  await server.operator.edits.putJob({ ...settings, autoAddTables: true });
  const adding = await job.run();
  assert.match(adding.warnings.join(), /set up now: later/);
  while (!(await job.read()).tables.some(({ sourceName, created }) => sourceName === 'later' && created))
    await sleep(100);
  const run = await runs(job);
  assert.deepEqual([run.warnings, run.tables.later?.rows], [[], 1]);
  assert.deepEqual(await job.differing(), []);
});

test('a column that readers hold up holds up no other table, and what waits for it arrives', async () => {
  const job = await server.job(
    `CREATE TABLE first (id bigserial PRIMARY KEY, note text); CREATE TABLE second (id bigserial PRIMARY KEY, note text);
     INSERT INTO first (note) VALUES ('one'); INSERT INTO second (note) VALUES ('one')`,
  );
  let remaining = 300_000;
  const ticks = new Ticks(server.installation, job.jobId, {
    between: async () => undefined,
    connect: () => connectSource(job.url),
    remaining: () => remaining,
    wait: 1,
  });
  const mode = { copyMode: 'INSERT_ONLY' } as const;
  await ticks.setup((await job.read()).job, { first: mode, second: mode });
  await ticks.tick();
  await job.source.query(
    "ALTER TABLE second ADD COLUMN kind text; INSERT INTO first (note) VALUES ('two'); INSERT INTO second (note) VALUES ('two')",
  );
  // A call of load that has no time to wait for longer than one call's.
  await job.warehouse.query(`BEGIN; SELECT FROM "${job.schema}".second`);
  remaining = 1_000;
  const ticking = ticks.tick();
  const arrived = async () => (await job.rows('SELECT note FROM $.first')).length === 2;
  for (let wait = 0; wait < 300 && !(await arrived()); wait++) await sleep(100);
  assert.ok(await arrived(), 'while its neighbour waits');
  await sleep(2_000);
  remaining = 300_000;
  await job.warehouse.query('COMMIT');
  await ticking;
  assert.deepEqual(await job.differing(), []);
});
