import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TableState } from '../../shared/model/state.ts';
import { openSourceProxy, type SourceMoment, type SourceProxy } from '../torture/faults/source-proxy.ts';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';

const server = bench();
/** What becomes of statements on their way to the source. */
let meet: (statement: string) => SourceMoment = () => 'pass';
let slow: SourceProxy;

before(async () => {
  slow = await openSourceProxy(
    () => server.source.port,
    (statement, moment) => (moment === 'before' ? meet(statement) : 'pass'),
  );
});
after(() => slow?.stop());

const SHOP = `
  CREATE TABLE events (id bigserial PRIMARY KEY, body text);
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 30) n;
  INSERT INTO events (body) SELECT 'event ' || n FROM generate_series(1, 30) n;
  DELETE FROM events WHERE id = 10;
  ANALYZE`;

/** Changes what the loader remembers of a table, as if time had passed, or clocks been other ones. */
async function remember(job: TestJob, table: string, change: (state: TableState) => TableState): Promise<void> {
  const state = (await job.read()).states.get(table);
  assert.ok(state);
  await server.operator.store.changeState(job.jobId, state, change);
}

const notes = async (job: TestJob) =>
  (await job.rows("SELECT note FROM $.orders WHERE note NOT LIKE 'note %' ORDER BY id")).map(({ note }) => note);

test('a table that can no longer be read holds no other up, though its gaps are to be looked into once more', async () => {
  const job = await server.job(
    `${SHOP}; CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT pg_read_all_data, pg_read_all_stats TO reader`,
    { url: (url) => Object.assign(new URL(url), { username: 'reader', password: 'reader' }).href },
  );
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  assert.equal((await job.run()).status, 'succeeded');
  await remember(job, 'events', (state) => {
    const gaps = state.watermark?.gaps?.map((gap) => ({ ...gap, seen: '2020-01-01T00:00:00.000000Z' })) ?? [];
    assert.equal(gaps.length, 1);
    return state.watermark ? { ...state, watermark: { ...state.watermark, gaps } } : state;
  });
  await job.source.query(
    "ALTER TABLE events ENABLE ROW LEVEL SECURITY; INSERT INTO orders (note) VALUES ('after its neighbour')",
  );
  const run = await job.run();
  assert.match(run.tables.events?.error ?? '', /row security would hide rows/);
  assert.equal(run.tables.orders?.error, undefined);
  assert.deepEqual(await notes(job), ['after its neighbour']);
});

test('a table of which it takes long to find what is new is loaded by its own execution, and is told of', async () => {
  const job = await server.job(SHOP, { url: (url) => slow.through(url) });
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  assert.equal((await job.run()).status, 'succeeded');
  await job.source.query("INSERT INTO orders (note) VALUES ('found late')");
  // What counts new rows, of each of both tables: it has a savepoint to itself.
  let met = 0;
  let before = '';
  meet = (statement) => {
    const asked = before === 'SAVEPOINT one_table;' && met++ < 2;
    before = statement;
    return asked ? { sqlstate: '57014' } : 'pass';
  };
  const run = await job.run();
  assert.ok(met >= 2);
  assert.deepEqual([run.status, run.tables.orders?.rows], ['succeeded', 1]);
  assert.match(run.warnings.join(), /orders: after 30 s .* – is there an index on "updated_at"\?/);
  assert.deepEqual(await notes(job), ['found late']);
});

test('rows arrive though the clock of the source was an hour ahead at the run before', async () => {
  const job = await server.job(
    `${SHOP}; CREATE TABLE quiet (id bigserial PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON quiet (updated_at); INSERT INTO quiet DEFAULT VALUES`,
  );
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  const anHourOn = (time: string) => new Date(Date.parse(time) + 3_600_000).toISOString().replace('Z', '000Z');
  for (const table of ['orders', 'quiet'])
    await remember(job, table, ({ watermark, ...state }) => {
      assert.ok(watermark);
      const { fence, taken } = watermark;
      return { ...state, watermark: { ...watermark, fence: anHourOn(fence), taken: anHourOn(taken) } };
    });
  await job.source.query("INSERT INTO orders (note) VALUES ('after the step')");
  const run = await job.run();
  assert.deepEqual([run.status, run.tables.orders?.rows], ['succeeded', 1]);
  assert.deepEqual(
    run.warnings.map((warning) => /^the source's clock was set back by about 3\d{3} s/.test(warning)),
    [true],
  );
  await job.source.query("INSERT INTO orders (note) VALUES ('and on'); INSERT INTO quiet DEFAULT VALUES");
  assert.deepEqual((await job.run()).warnings, [], 'it is told once, whether or not rows had come');
  assert.deepEqual(await notes(job), ['after the step', 'and on']);
  assert.deepEqual(await job.differing(), []);
});

test('a table that is copied whole, of which it takes too long to prove that it has not changed, is copied', async () => {
  const job = await server.job(SHOP, { url: (url) => slow.through(url), chunkSize: 10 });
  await job.setup();
  await job.edit('events', { copyMode: 'FULL_DATA_SYNC' });
  assert.equal((await job.run()).status, 'succeeded');
  // What counts the rows that were written since follows the question whether its columns were described anew.
  let met = 0;
  let before = '';
  meet = (statement) => {
    const asked = statement === 'SELECT "public"."events"' && before === 'SELECT pg_attribute';
    before = statement;
    return asked && ++met ? { sqlstate: '57014' } : 'pass';
  };
  const run = await job.run();
  meet = () => 'pass';
  assert.equal(met, 2, 'once beside the others, once more at leisure');
  assert.deepEqual([run.status, run.tables.events?.rows], ['succeeded', 29]);
  assert.equal((await job.run()).tables.events?.unchanged, true);
});

test('rows without a time that take what is left of a call get all of the next, and fail the table where that is too short', async () => {
  const job = await server.job(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz);
     CREATE INDEX ON orders (updated_at);
     INSERT INTO orders (note, updated_at) SELECT 'note ' || n, now() - interval '1 h' FROM generate_series(1, 30) n;
     INSERT INTO orders (note) VALUES ('never stamped')`,
    { url: (url) => slow.through(url), chunkSize: 10 },
  );
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  const rewind = { jobId: job.jobId, table: 'orders', to: '2026-01-01T00:00:00Z', replace: true };
  /** Cancels a few of the reads that follow. */
  const cancelling = (isTooSlow: (nth: number) => boolean) => {
    let nth = 0;
    meet = (statement) => (statement === 'COPY "public"."orders"' && isTooSlow(++nth) ? { sqlstate: '57014' } : 'pass');
    return () => nth;
  };
  await done(server, 'tables.reset', rewind);
  // Three chunks, then the rows without a time; what is next after the last chunk, which is nothing, and those once more.
  const read = cancelling((nth) => nth === 4);
  const run = await job.run();
  assert.deepEqual([run.status, read()], ['succeeded', 6], JSON.stringify(run.tables));
  assert.deepEqual(await job.differing(), []);

  await done(server, 'tables.reset', rewind);
  cancelling((nth) => nth >= 4 && nth !== 5);
  const failed = await job.run();
  meet = () => 'pass';
  assert.match(failed.tables.orders?.error ?? '', /^ExtractTooSlow: orders: /);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('whoever begins a pass reads the clock, then who is at work, then what is prepared, and only then takes a snapshot', async () => {
  const job = await server.job(SHOP, { url: (url) => slow.through(url), chunkSize: 20 });
  await job.setup();
  await job.edit('events', { disabled: true });
  const met: string[] = [];
  meet = (statement) => {
    met.push(statement);
    return 'pass';
  };
  assert.equal((await job.run()).tables.orders?.rows, 30);
  meet = () => 'pass';
  const sessions = met.join('\n').split('connect\n');
  const passes = sessions.filter((one) => one.includes('pg_stat_activity'));
  assert.ok(passes.length >= 2, 'plan, and split');
  for (const asked of passes)
    assert.match(
      asked,
      // The clock comes from no table.
      /^(SET [^\n]*\n)*SELECT SELECT\nSELECT pg_stat_activity\nSELECT pg_prepared_xacts\n(SELECT \S+\n)*BEGIN ISOLATION\n/,
    );
});
