import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { COPY_MODES, type CopyMode } from '../../shared/model/table.ts';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';
import { Interruptions } from './interruptions.ts';

const during = new Interruptions();
const server = bench(during.options);

/** A table for every change from one mode to another. */
const CHANGES = COPY_MODES.flatMap((from) => COPY_MODES.flatMap((to) => (from === to ? [] : [{ from, to }]))).map(
  ({ from, to }, i) => ({ name: `t${i}`, from, to }),
);
const TABLES = CHANGES.map(
  ({ name }) => `
  CREATE TABLE ${name} (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON ${name} (updated_at);
  INSERT INTO ${name} (note, updated_at) SELECT 'first ' || n, now() - interval '1 day' FROM generate_series(1, 8) n;`,
).join('');

type Rows = Map<string, string>;

/**
 * What a pass makes of the warehouse's rows: what its mode promises, and no more.
 * @param first whether it is the mode's first, which brings what changed before, too
 */
function promised(mode: CopyMode, first: boolean, warehouse: Rows, source: Rows): Rows {
  switch (mode) {
    case 'INSERT_ONLY':
      return first ? new Map([...warehouse, ...source]) : new Map([...source, ...warehouse]);
    case 'INSERT_AND_UPDATE':
      return new Map([...warehouse, ...source]);
    case 'FULL_DATA_SYNC':
      return source;
  }
}

/** What an administrator is told who changes the mode of a table that is loaded. */
const SAID: Record<CopyMode, RegExp> = {
  INSERT_ONLY: /^the next run reads all its rows once more, and brings what changed until then/,
  INSERT_AND_UPDATE: /^the next run reads all its rows once more$/,
  FULL_DATA_SYNC: /^$/,
};

const inOrder = (rows: Rows): string[] => [...rows].map(([id, note]) => `${id} ${note}`).sort();
const rowsIn = async (query: (sql: string) => Promise<Record<string, unknown>[]>, name: string): Promise<Rows> =>
  new Map((await query(`SELECT id, note FROM ${name}`)).map(({ id, note }) => [String(id), String(note)]));

/** Inserts, updates and deletes, in every table. */
const change = (what: string, id: number): string =>
  CHANGES.map(
    ({ name }) => `INSERT INTO ${name} (note) VALUES ('${what}');
      UPDATE ${name} SET note = '${what}', updated_at = now() WHERE id = ${id}; DELETE FROM ${name} WHERE id = ${id + 1};`,
  ).join('');

test('every change of the copy mode brings what the new mode promises of all rows, whenever they changed', async () => {
  const job = await server.job(TABLES, { minShare: 0 });
  await job.setup();
  const modes = new Map<string, CopyMode>();
  const told = new Map<string, string>();
  let first = true;
  const setModes = async (mode: (one: (typeof CHANGES)[number]) => CopyMode) => {
    for (const one of CHANGES) {
      modes.set(one.name, mode(one));
      const edit = { copyMode: mode(one), updatedKey: 'updated_at' };
      const edited = { jobId: job.jobId, table: one.name, ...edit };
      const { notes } = await done<{ notes: string[] }>(server, 'tables.edit', edited);
      told.set(one.name, notes.join());
    }
    first = true;
  };
  const expected = new Map<string, Rows>(CHANGES.map(({ name }) => [name, new Map()]));
  const becomesAsPromised = async (when: string) => {
    const source = new Map<string, Rows>();
    for (const { name } of CHANGES) source.set(name, await rowsIn(sourceOf(job), name));
    const run = await job.run();
    assert.ok(run.status === 'succeeded' || run.status === 'idle', JSON.stringify(run));
    for (const { name, from, to } of CHANGES) {
      const mode = modes.get(name) ?? assert.fail();
      const rows = promised(mode, first, expected.get(name) ?? assert.fail(), source.get(name) ?? assert.fail());
      expected.set(name, rows);
      assert.deepEqual(inOrder(await rowsIn(job.rows, `$.${name}`)), inOrder(rows), `${when}: ${from} → ${to}`);
    }
    first = false;
  };

  await setModes(({ from }) => from);
  await becomesAsPromised('first load');
  await job.source.query(change('before', 1));
  await becomesAsPromised('before the change');

  const late = new pg.Client({ connectionString: job.url });
  await late.connect();
  try {
    await late.query(`BEGIN; ${change('open all the while', 3)}`);
    await job.source.query(change('between the last run of the old mode and the first of the new', 5));
    await setModes(({ to }) => to);
    for (const { name, from, to } of CHANGES) assert.match(told.get(name) ?? '', SAID[to], `${from} → ${to}`);
    await becomesAsPromised('during the change');
    await late.query('COMMIT');
  } finally {
    await late.end();
  }
  await becomesAsPromised('committed after it');
  await job.source.query(change('after', 7));
  await becomesAsPromised('after the change');

  await job.source.query(change('on the way back', 9));
  await setModes(({ from }) => from);
  await becomesAsPromised('and back');
});

const ORDERS = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, code text NOT NULL UNIQUE, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  INSERT INTO orders (code, updated_at) SELECT 'c' || n, now() - interval '1 h' FROM generate_series(1, 300) n`;

test('rows that came by another primary key are replaced: by the new one they would not be known again', async () => {
  const job = await server.job(ORDERS);
  await job.setup();
  await job.run();
  await job.source.query("UPDATE orders SET code = 'changed', updated_at = now() WHERE id = 1");
  const edit = { jobId: job.jobId, table: 'orders', primaryKey: ['code'] };
  const { notes } = await done<{ notes: string[] }>(server, 'tables.edit', edit);
  assert.deepEqual(notes, ['the next run loads all its rows again']);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('rows that a wrong zone hid below the watermark arrive once it is put right', async () => {
  const job = await server.job(ORDERS.replace('timestamptz NOT NULL', 'timestamp NOT NULL'));
  await job.setup();
  await job.run();
  await job.source.query("SET timezone = 'America/New_York'; INSERT INTO orders (code) VALUES ('by another clock')");
  assert.equal((await job.run()).status, 'idle', 'read as UTC it is hours old');
  const edit = { jobId: job.jobId, table: 'orders', timezone: 'America/New_York' };
  const { notes } = await done<{ notes: string[] }>(server, 'tables.edit', edit);
  assert.deepEqual(notes, ['the next run reads all its rows once more']);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('a batch is loaded by no other mode than the one that it was cut by', async () => {
  const job = await server.job(ORDERS, { rowLimit: 100, chunkSize: 100 });
  await job.setup();
  await job.run();
  await job.source.query("UPDATE orders SET code = code || '+', updated_at = clock_timestamp()");
  during.atState('Load', () => job.edit('orders', { copyMode: 'INSERT_ONLY' }));
  during.atState('Load', () => job.edit('orders', { copyMode: 'INSERT_AND_UPDATE' }), 'exit');
  const run = await job.run();
  assert.match(
    run.tables.orders?.error ?? '',
    /^LeaseLost: .*copy mode, keys or zone were edited meanwhile: the next run goes on/,
  );
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('what a full sync copies while its policies are others for a while is not taken for what they make of it', async () => {
  const job = await server.job(
    `CREATE TABLE moments (id int PRIMARY KEY, at timestamptz);
    INSERT INTO moments SELECT n, 'infinity' FROM generate_series(1, 40) n`,
    { chunkSize: 10 },
  );
  await job.setup();
  const clamp = { outOfRangeTime: 'clamp' } as const;
  await job.edit('moments', { copyMode: 'FULL_DATA_SYNC', policies: clamp });
  during.atState('Each chunk', () => job.edit('moments', { policies: { outOfRangeTime: 'null' } }));
  during.atState('Each chunk', () => job.edit('moments', { policies: clamp }), 'exit');
  await job.run();
  during.forget();
  await job.edit('moments', { policies: clamp });
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.rows('SELECT count(at)::int AS n FROM $.moments'), [{ n: 40 }]);
  assert.deepEqual(await job.differing(), []);
});

const sourceOf = (job: TestJob) => async (sql: string) => (await job.source.query(sql)).rows;
