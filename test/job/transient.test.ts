import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultyCall } from '../../local/gate.ts';
import { leaseFor, takeLease } from '../../shared/core/lease.ts';
import type { TableState } from '../../shared/model/state.ts';
import { bench, type TestJob } from './harness.ts';
import { Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';
import { waitingStatement } from './waiting.ts';

const during = new Interruptions();
const server = bench(during.options);

const ORDERS = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 300) n;
  ANALYZE;`;

async function loaded(): Promise<TestJob> {
  const job = await server.job(ORDERS);
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  return job;
}

async function changeOrders(job: TestJob, change: (state: TableState) => TableState): Promise<void> {
  const orders = (await job.read()).states.get('orders');
  if (!orders) throw new Error('orders has a state once it was looked at');
  await server.operator.store.changeState(job.jobId, orders, change);
}

/** Commits first, so that the statement which waits for it has seen what is not there any more: error 1023. */
async function standInTheWay(job: TestJob): Promise<void> {
  await waitingStatement(job);
  await job.warehouse.query('COMMIT');
}

/** Ends the session that waits, as a maintenance window does. */
async function terminate(job: TestJob): Promise<void> {
  const pid = await waitingStatement(job);
  await job.warehouse.query(`SELECT pg_terminate_backend(${pid})`);
  await job.warehouse.query('COMMIT');
}

/** Cancels what waits, as a database administrator does. */
async function cancel(job: TestJob): Promise<void> {
  const pid = await waitingStatement(job);
  await job.warehouse.query(`SELECT pg_cancel_backend(${pid})`);
  await job.warehouse.query('COMMIT');
}

/** Counts what is submitted by an action of the Data API from now on. */
function submitted(action: 'BatchExecuteStatement' | 'ExecuteStatement'): () => number {
  let count = 0;
  during.forget();
  during.atCall(
    (call) => {
      if (call.action === action && call.moment === 'after') count++;
      return false;
    },
    () => undefined,
  );
  return () => count;
}

test('a load that another transaction stood in the way of is submitted again', async () => {
  const job = await loaded();
  await job.source.query("UPDATE orders SET note = 'changed', updated_at = now() WHERE id <= 20");
  await job.warehouse.query(`BEGIN; UPDATE "${job.schema}".orders SET note = 'in the way' WHERE id = 7`);
  const loads = submitted('BatchExecuteStatement');
  const [run] = await Promise.all([job.run(), standInTheWay(job)]);
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(loads(), 2);
  assert.deepEqual(await job.differing(), []);
});

test('a load that was taken over meanwhile is not submitted again', async () => {
  const job = await loaded();
  await job.source.query("UPDATE orders SET note = 'changed', updated_at = now() WHERE id <= 20");
  await job.warehouse.query(`BEGIN; UPDATE "${job.schema}".orders SET note = 'in the way' WHERE id = 7`);
  const loads = submitted('BatchExecuteStatement');
  const takenOver = async () => {
    await waitingStatement(job);
    await changeOrders(job, (state) => takeLease(state, leaseFor('an heir', new Date())));
    await standInTheWay(job);
  };
  await Promise.all([
    assert.rejects(job.run(), /LeaseLost: orders was taken over: the next run goes on with it/),
    takenOver(),
  ]);
  assert.equal(loads(), 1);
  assert.equal((await job.read()).states.get('orders')?.value.lease?.owner, 'an heir');
});

test('a lease is kept while its table is read, and while a statement of it is waited for', async () => {
  const job = await server.job(ORDERS, { rowLimit: 100, chunkSize: 100 });
  await job.setup();
  const seconds = () => Math.floor(Date.now() / 1000);
  const left: number[] = [];
  const watch = (state: string, at: (call: FaultyCall) => boolean) =>
    during.atState(state, async () => {
      await changeOrders(job, ({ lease, ...rest }) => ({
        ...rest,
        ...(lease ? { lease: { ...lease, until: seconds() + 60 } } : {}),
      }));
      during.atCall(at, async () => {
        left.push(((await job.read()).states.get('orders')?.value.lease?.until ?? 0) - seconds());
      });
    });
  watch('Extract', ({ action, moment }) => moment === 'before' && action === 'PutObject');
  watch('Load on', ({ action, moment }) => moment === 'before' && action === 'DescribeStatement');
  assert.equal((await job.run()).status, 'succeeded');
  assert.equal(left.length, 2);
  assert.ok(
    left.every((one) => one > 600),
    `${left}`,
  );
});

test('so is a change of columns whose session is ended while it waits', async () => {
  const job = await loaded();
  await job.source.query("ALTER TABLE orders ADD COLUMN more int; INSERT INTO orders (note, more) VALUES ('new', 7)");
  await job.warehouse.query(`BEGIN; LOCK TABLE "${job.schema}".orders IN ACCESS SHARE MODE`);
  const batches = submitted('BatchExecuteStatement');
  const [run] = await Promise.all([job.run(), terminate(job)]);
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(batches(), 3, 'ALTER TABLE twice, and the load');
  assert.deepEqual(await job.differing(), []);
});

test('so are a comparison that is asked for, and what mends', async () => {
  const job = await loaded();
  await job.edit('orders', { deletes: 'remove' });
  await job.source.query('DELETE FROM orders WHERE id IN (7, 8)');
  await job.warehouse.query(`BEGIN; LOCK TABLE "${job.schema}".orders IN ACCESS EXCLUSIVE MODE`);
  const asked = submitted('ExecuteStatement');
  const [sums] = await Promise.all([
    server.operator.compare(job.jobId, { kind: 'reconcile' }),
    terminate(job).then(async () => {
      await job.warehouse.query(`BEGIN; UPDATE "${job.schema}".orders SET note = 'in the way' WHERE id = 7`);
      await standInTheWay(job);
    }),
  ]);
  const { deleted, reconcileError } = sums.get('orders') ?? assert.fail();
  assert.deepEqual([deleted, reconcileError], [2, undefined]);
  assert.equal(asked(), 4, 'the sums twice, the rows, and once more under the lease');
  assert.deepEqual(await job.differing(), []);
  await nothingLeft(server, job);
});

test('a statement that somebody cancels fails its table, says so, and the next run does it', async () => {
  const job = await loaded();
  await job.source.query("UPDATE orders SET note = 'changed', updated_at = now() WHERE id <= 20");
  const lock = `BEGIN; LOCK TABLE "${job.schema}".orders IN ACCESS SHARE MODE`;
  await job.warehouse.query(`BEGIN; UPDATE "${job.schema}".orders SET note = 'in the way' WHERE id = 7`);
  const [load] = await Promise.all([job.run(), cancel(job)]);
  const cancelled = "ERROR: Query cancelled on user's request – the next run tries again";
  assert.equal(load.tables.orders?.error, `WarehouseRefused: orders: ${cancelled}`);

  await job.source.query("ALTER TABLE orders ADD COLUMN more int; INSERT INTO orders (note, more) VALUES ('new', 7)");
  await job.warehouse.query(lock);
  const [alter] = await Promise.all([job.run(), cancel(job)]);
  assert.equal(alter.tables.orders?.error, `WarehouseRefused: orders: its columns can't be changed: ${cancelled}`);
  assert.equal((await job.run()).status, 'succeeded');

  await job.edit('orders', { deletes: 'remove' });
  await job.source.query('DELETE FROM orders WHERE id = 8');
  await job.warehouse.query(lock.replace('ACCESS SHARE', 'SHARE'));
  await Promise.all([
    assert.rejects(
      server.operator.compare(job.jobId, { kind: 'reconcile' }),
      /WarehouseRefused: orders: rows that differ were not put right: .* cancelled .* – the next comparison that is due, or asked for, tries again/,
    ),
    cancel(job),
  ]);
  await job.warehouse.query(lock.replace('ACCESS SHARE', 'ACCESS EXCLUSIVE'));
  await Promise.all([
    assert.rejects(
      server.operator.compare(job.jobId, { kind: 'reconcile' }),
      /WarehouseRefused: ERROR: Query cancelled .* – whatever asked does so again the next time/,
    ),
    cancel(job),
  ]);
  await server.operator.compare(job.jobId, { kind: 'reconcile' });
  assert.deepEqual(await job.differing(), []);
  await nothingLeft(server, job);
});
