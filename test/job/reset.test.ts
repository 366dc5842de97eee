import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectSource } from '../../shared/source/connect.ts';
import { Ticks } from '../torture/ticks.ts';
import { done, refusal } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';
import { Interruptions } from './interruptions.ts';

const during = new Interruptions();
const server = bench(during.options);

const TABLES = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL);
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE local (id bigserial PRIMARY KEY, note text, updated_at timestamp NOT NULL);
  CREATE INDEX ON local (updated_at);
  CREATE TABLE events (id bigserial PRIMARY KEY, body text);
  CREATE TABLE codes (code text PRIMARY KEY, name text);
  INSERT INTO orders (note, updated_at) SELECT 'o' || n, timestamptz '2026-03-01 00:00Z' + n * interval '1 day' FROM generate_series(1, 9) n;
  INSERT INTO local (note, updated_at) SELECT 'l' || n, timestamp '2026-03-01 01:00' + n * interval '1 day' FROM generate_series(1, 9) n;
  INSERT INTO events (body) SELECT 'e' || n FROM generate_series(1, 9) n;
  INSERT INTO codes SELECT 'c' || n, 'code ' || n FROM generate_series(1, 9) n;
  ANALYZE;`;

type Reset = { to?: string; replace?: boolean };
const reset = (job: TestJob, table: string, how: Reset = {}) =>
  done(server, 'tables.reset', { jobId: job.jobId, table, ...how });

async function loadedJob(more = {}): Promise<TestJob> {
  const job = await server.job(TABLES, more);
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  await job.edit('local', { timezone: 'Europe/Berlin' });
  assert.equal((await job.run()).status, 'succeeded');
  return job;
}

const notes = async (job: TestJob, table: string, column = 'note') =>
  (await job.rows(`SELECT ${column} AS note FROM $.${table} ORDER BY 1`)).map(({ note }) => note);

test('a rewind to a time reads again from there on: what was damaged there comes back, what lies before stays', async () => {
  const job = await loadedJob({ scanBack: 0 });
  await job.warehouse.query(`UPDATE "${job.schema}".orders SET note = 'damaged' WHERE id IN (3, 7);
    DELETE FROM "${job.schema}".orders WHERE id IN (2, 8); INSERT INTO "${job.schema}".orders VALUES (80, 'extra', '2026-03-08')`);
  // Row n is of midnight n days after the first of March.
  await reset(job, 'orders', { to: '2026-03-06T00:00:00Z', replace: false });
  const run = await job.run();
  assert.equal(run.tables.orders?.rows, 5, 'rows 5 to 9');
  assert.deepEqual(await notes(job, 'orders'), ['damaged', 'extra', 'o1', 'o4', 'o5', 'o6', 'o7', 'o8', 'o9']);
  assert.equal((await job.run()).tables.orders, undefined, 'and only once');
});

test('with replace, rows from that time on that the source does not have go; also by a local clock', async () => {
  const job = await loadedJob({ scanBack: 0 });
  await job.warehouse.query(`INSERT INTO "${job.schema}".orders VALUES (80, 'kept', '2026-03-05 23:59:59'), (81, 'gone', '2026-03-06');
    INSERT INTO "${job.schema}".local VALUES (80, 'kept', '2026-03-06 00:59:59'), (81, 'gone', '2026-03-06 01:00');
    UPDATE "${job.schema}".local SET note = 'damaged' WHERE id IN (4, 5)`);
  for (const table of ['orders', 'local']) await reset(job, table, { to: '2026-03-06T00:00:00Z', replace: true });
  const run = await job.run();
  assert.deepEqual([run.tables.orders?.rows, run.tables.local?.rows], [5, 5]);
  assert.deepEqual(await notes(job, 'orders'), ['kept', ...Array.from({ length: 9 }, (_, i) => `o${i + 1}`)]);
  assert.deepEqual(await notes(job, 'local'), ['damaged', 'kept', 'l1', 'l2', 'l3', 'l5', 'l6', 'l7', 'l8', 'l9']);
});

test('with replace, rows that change while the pass reads are there for readers all the same', async () => {
  const job = await server.job(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz);
     CREATE INDEX ON orders (updated_at);
     INSERT INTO orders (note, updated_at) SELECT 'o' || n, now() - interval '1 h' FROM generate_series(1, 100) n;
     INSERT INTO orders (note) VALUES ('never stamped')`,
    { chunkSize: 30, rowLimit: 1_000 },
  );
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  await reset(job, 'orders', { to: new Date(Date.now() - 7_200_000).toISOString(), replace: true });
  await job.warehouse.query(`INSERT INTO "${job.schema}".orders VALUES (1000, 'extra', now())`);
  during.atState('Extract', async () => {
    await job.source.query("UPDATE orders SET note = 'busy', updated_at = now() WHERE id BETWEEN 5 AND 14");
  });
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('with replace, a row that loses its time between two batches is there for readers all the same', async () => {
  const job = await server.job(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz);
     CREATE INDEX ON orders (updated_at);
     INSERT INTO orders (note, updated_at) SELECT 'o' || n, now() - (500 - n) * interval '1 s' FROM generate_series(1, 450) n;
     INSERT INTO orders (note) VALUES ('never stamped')`,
  );
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  await reset(job, 'orders', { to: new Date(Date.now() - 7_200_000).toISOString(), replace: true });
  // As many objects as one call may list don't reach the end of the table.
  await job.edit('orders', { chunkSize: 1 });
  during.atState('Load', async () => {
    await job.source.query('UPDATE orders SET updated_at = NULL WHERE id = 450');
  });
  const run = await job.run();
  assert.deepEqual([run.status, run.tables.orders?.snapshots], ['succeeded', 2]);
  assert.deepEqual(await job.differing(), []);
});

test('with replace, a rewind ends though each call has no time for more than one step', {
  timeout: 120_000,
}, async () => {
  const job = await server.job(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz);
     CREATE INDEX ON orders (updated_at);
     INSERT INTO orders (note, updated_at) SELECT 'o' || n, now() - interval '1 h' FROM generate_series(1, 9) n;
     INSERT INTO orders (note) VALUES ('never stamped')`,
    { chunkSize: 5 },
  );
  let remaining = 300_000;
  const connect = () => connectSource(job.url);
  const ticks = new Ticks(server.installation, job.jobId, {
    between: async () => undefined,
    connect,
    remaining: () => remaining,
  });
  await ticks.setup((await job.read()).job, {});
  await ticks.tick();
  await job.warehouse.query(`INSERT INTO "${job.schema}".orders VALUES (1000, 'extra', now())`);
  await reset(job, 'orders', { to: new Date(Date.now() - 7_200_000).toISOString(), replace: true });
  // A millisecond more than extract keeps back: after its first step there is never time for as long a one.
  remaining = 60_001;
  await ticks.tick();
  assert.deepEqual(await job.differing(), []);
});

test('while a reset waits nothing is verified, for nobody knows which rows are loaded; it is done though there is nothing to read again', async () => {
  const job = await loadedJob();
  const { jobId } = job;
  await job.warehouse.query(`DELETE FROM "${job.schema}".orders; DELETE FROM "${job.schema}".codes`);
  await reset(job, 'orders', { to: '2020-01-01T00:00:00Z' });
  await reset(job, 'codes');
  await job.source.query('DELETE FROM events WHERE id > 5');
  await reset(job, 'events', { to: '6' });
  const refused = async (more = {}) => (await refusal(server, 'jobs.verify', { jobId, ...more })).message;
  assert.match(await refused(), /^codes, events, orders: a reset waits for the next run – run the job first/);
  assert.match(await refused({ tables: ['local', 'orders'] }), /^orders: a reset waits/);
  assert.match(
    (await server.operator.compare(jobId, { tables: ['orders'] }).catch((error) => error)).message,
    /orders: it was reset, or .* since its last load: run the job, then verify/,
  );
  await job.edit('orders', { verifyEvery: 60 });
  assert.equal((await job.run()).status, 'succeeded');
  const { tables } = await server.operator.verify(jobId);
  assert.deepEqual(
    tables.map((one) => [one.table, one.status, one.rows]),
    [
      ['codes', 'identical', 9],
      ['events', 'identical', 5],
      ['local', 'identical', 9],
      ['orders', 'identical', 9],
    ],
  );
  await job.source.query("INSERT INTO events (id, body) VALUES (7, 'came after all'), (20, 'new')");
  await job.run();
  assert.deepEqual(await notes(job, 'events WHERE id > 9', 'body'), ['new']);
});

test('a rewind to an id brings the missing rows above it; with replace the others there go, in any number of batches', async () => {
  const job = await loadedJob();
  const damage = `DELETE FROM "${job.schema}".events WHERE id IN (2, 8); UPDATE "${job.schema}".events SET body = 'damaged' WHERE id IN (3, 9);
    INSERT INTO "${job.schema}".events VALUES (50, 'extra')`;
  await job.warehouse.query(damage);
  await reset(job, 'events', { to: '6', replace: false });
  assert.equal((await job.run()).tables.events?.rows, 3);
  assert.deepEqual(await notes(job, 'events', 'body'), [
    'damaged',
    'damaged',
    'e1',
    'e4',
    'e5',
    'e6',
    'e7',
    'e8',
    'extra',
  ]);

  await job.source.query("INSERT INTO events (body) SELECT 'more' FROM generate_series(1, 10500)");
  await job.edit('events', { rowLimit: 3_000, chunkSize: 1_000 });
  await reset(job, 'events', { to: '6', replace: true });
  const run = await job.run();
  assert.equal(run.tables.events?.rows, 10_503, JSON.stringify(run.tables));
  assert.deepEqual(await notes(job, "events WHERE id < 60 AND body <> 'more'", 'body'), [
    'damaged',
    'e1',
    'e4',
    'e5',
    'e6',
    'e7',
    'e8',
    'e9',
  ]);
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n FROM $.events'), [{ n: 10_508 }]);
});

test('a re-load brings exactly what the source has, in every mode, small or of many batches; readers never see it empty or partial', async () => {
  const job = await loadedJob({ rowLimit: 3_000, chunkSize: 1_000 });
  await job.source.query(`
    INSERT INTO orders (note, updated_at) SELECT 'more', now() FROM generate_series(1, 10500);
    INSERT INTO codes SELECT 'd' || n, 'more' FROM generate_series(1, 10500) n`);
  assert.equal((await job.run()).status, 'succeeded');
  const tables = ['orders', 'events', 'codes', 'local'];
  for (const table of tables) {
    await job.source.query(`DELETE FROM ${table} WHERE ctid IN (SELECT ctid FROM ${table} LIMIT 2)`);
    await job.warehouse.query(
      `UPDATE "${job.schema}".${table} SET ${table === 'codes' ? 'name' : table === 'events' ? 'body' : 'note'} = 'damaged'`,
    );
    await reset(job, table);
  }
  const least = new Map(tables.map((table) => [table, Number.POSITIVE_INFINITY]));
  let polling = true;
  let polls = 0;
  const reader = (async () => {
    for (; polling; polls++) {
      for (const table of tables) {
        const [row] = await job.rows(`SELECT count(*)::int AS n FROM $.${table}`);
        least.set(table, Math.min(least.get(table) ?? 0, Number(row?.n)));
      }
      await sleep(5);
    }
  })();
  const run = await job.run();
  polling = false;
  await reader;
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual(Object.fromEntries(least), { orders: 10_507, events: 7, codes: 10_507, local: 7 }, `${polls} polls`);
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(
    await job.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%'"),
    [],
    'no stage is left',
  );
  const { states } = await job.read();
  for (const [name, { value }] of states) assert.deepEqual([value.replaces, value.lease], [undefined, undefined], name);
});

test('a re-load of a table that the source has emptied empties it', async () => {
  const job = await loadedJob();
  await job.source.query('DELETE FROM orders; DELETE FROM events');
  await reset(job, 'orders');
  await reset(job, 'events');
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.rows('SELECT id FROM $.orders UNION ALL SELECT id FROM $.events'), []);
  await job.source.query("INSERT INTO events (body) VALUES ('again')");
  await job.run();
  assert.deepEqual(await notes(job, 'events', 'body'), ['again']);
});

test('a whole job is reset behind its name: all rows come again, and those that the source lacks go; never while a run works', async () => {
  const job = await loadedJob();
  const { jobId, schema } = job;
  await job.warehouse.query(`
    UPDATE "${schema}".orders SET note = 'damaged' WHERE id = 1; DELETE FROM "${schema}".events WHERE id = 2;
    INSERT INTO "${schema}".local VALUES (80, 'extra', '2026-03-05'); DELETE FROM "${schema}".codes`);
  await job.source.query('DELETE FROM events WHERE id = 9');
  assert.deepEqual((await refusal(server, 'jobs.reset', { jobId, confirm: 'another' })).fields, ['confirm']);
  const resetAll = () => done<{ tables: string[] }>(server, 'jobs.reset', { jobId, confirm: jobId });
  assert.deepEqual((await resetAll()).tables.sort(), ['codes', 'events', 'local', 'orders']);
  // A table that is being loaded: nothing of the job is reset.
  during.atState('Load', async () => {
    assert.equal((await refusal(server, 'jobs.reset', { jobId, confirm: jobId })).name, 'TableBusy');
    assert.equal((await refusal(server, 'tables.reset', { jobId, table: 'orders' })).name, 'TableBusy');
  });
  const run = await job.run();
  assert.deepEqual(
    Object.fromEntries(Object.entries(run.tables).map(([name, { rows, error }]) => [name, error ?? rows])),
    { codes: 9, events: 8, local: 9, orders: 9 },
  );
  const upTo = (letter: string, n: number) => Array.from({ length: n }, (_, i) => `${letter}${i + 1}`);
  assert.deepEqual(await notes(job, 'orders'), upTo('o', 9));
  assert.deepEqual(await notes(job, 'events', 'body'), upTo('e', 8));
  assert.deepEqual(await notes(job, 'local'), upTo('l', 9));
  assert.deepEqual(await notes(job, 'codes', 'code'), upTo('c', 9));
  assert.equal((await job.run()).status, 'idle', 'once');
});
