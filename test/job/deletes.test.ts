import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, type Result } from '../../cli/commands.ts';
import { bench, type TestJob } from './harness.ts';
import { Executions, Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';
import { ticking } from './ticking.ts';

const during = new Interruptions();
const server = bench(during.options);

const TABLES = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE kept (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON kept (updated_at);
  INSERT INTO orders (note, updated_at) SELECT 'o' || n, now() - interval '1 hour' FROM generate_series(1, 20) n;
  INSERT INTO kept (note) SELECT 'k' || n FROM generate_series(1, 20) n;
  ANALYZE;`;

async function loadedJob(): Promise<TestJob> {
  const job = await server.job(TABLES);
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  await job.edit('orders', { deletes: 'remove' });
  return job;
}

const tablesShow = (result: unknown): string =>
  COMMANDS['tables.show'].show(result as Result<'tables.show'>, { color: false, width: 1_000 });
const ids = async (job: TestJob, table: string) =>
  (await job.rows(`SELECT id::int FROM $.${table} ORDER BY 1`)).map(({ id }) => id);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test('rows that the source deleted are removed where that is asked, by the run that finds it due; new ones stay', async () => {
  const job = await loadedJob();
  await job.source.query(
    "DELETE FROM orders WHERE id IN (3, 7); DELETE FROM kept WHERE id = 3; INSERT INTO orders (note) VALUES ('new')",
  );
  await job.run();
  await server.operator.compared();
  assert.deepEqual(
    await ids(job, 'orders'),
    upTo(21).filter((id) => id !== 3 && id !== 7),
  );
  assert.deepEqual(await ids(job, 'kept'), upTo(20));
  const { compared, states } = await job.read();
  assert.equal(compared.get('orders')?.deleted, 2);
  assert.equal(states.get('orders')?.value.lease, undefined);
});

test('a source that lost too much deletes nothing, and says so', async () => {
  const job = await loadedJob();
  await job.source.query('DELETE FROM orders WHERE id > 10');
  await assert.rejects(
    server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['orders'] }),
    /TooManyDeletes: orders: the source lacks 10 rows, 50 % of the warehouse's 20/,
  );
  assert.deepEqual(await ids(job, 'orders'), upTo(20));
  await job.edit('orders', { maxDeletedShare: 0.5 });
  await server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['orders'] });
  assert.deepEqual(await ids(job, 'orders'), upTo(10));
});

test('a row that is inserted and loaded between the two listings of keys is not taken for a deleted one', async () => {
  const job = await loadedJob();
  const reconcile = () => server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['orders'] });
  // From now on no run finds another due.
  await reconcile();
  await job.source.query('DELETE FROM orders WHERE id = 3');
  let inserted = 20;
  const insertAndLoad = async () => {
    await job.source.query("INSERT INTO orders (note) VALUES ('in between')");
    inserted++;
    assert.equal((await job.run()).status, 'succeeded');
  };
  // Before and between the listings of sums, of rows, and of the rows once more; from then on the lease is held.
  for (const side of ['Warehouse', 'Source', 'Warehouse', 'Source', 'Warehouse'])
    during.atState(`${side} side`, insertAndLoad);
  await reconcile();
  assert.equal(inserted, 25);
  assert.deepEqual(
    await ids(job, 'orders'),
    upTo(25).filter((id) => id !== 3),
  );
});

test('nor does a repair delete more than the share', async () => {
  const job = await loadedJob();
  await server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['orders'] });
  await job.source.query('DELETE FROM orders WHERE id > 10');
  const repair = () => server.operator.verify(job.jobId, { tables: ['orders'], repair: true });
  const [refused] = (await repair()).tables;
  assert.deepEqual([refused?.status, refused?.extra], ['failed', 10]);
  assert.match(refused?.error ?? '', /^TooManyDeletes: orders: the source lacks 10 rows, 50 % of the warehouse's 20/);
  assert.deepEqual(await ids(job, 'orders'), upTo(20));
  await job.edit('orders', { maxDeletedShare: 0.5 });
  assert.equal((await repair()).tables[0]?.status, 'repaired');
  assert.deepEqual(await ids(job, 'orders'), upTo(10));
});

test('a comparison that is stopped while it holds a table gives it back, which is no failure of its loads; the next begins anew, also where it was redriven', async () => {
  const job = await loadedJob();
  await job.source.query('DELETE FROM orders WHERE id = 3');
  // Sums, keys, and under the lease keys again.
  let answers = 0;
  const third = ({ action, moment }: { action: string; moment: string }) =>
    action === 'GetStatementResult' && moment === 'after' && ++answers === 3;
  const executions = new Executions(server);
  let stoppedArns: string[] = [];
  during.atCall(third, async () => {
    stoppedArns = await executions.stopAll();
  });
  await assert.rejects(
    server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['orders'] }),
    /stopped by hand/,
  );
  await server.installation.cloud.idle();
  const stopped = await job.read();
  const { lease, lastError, behindSince } = stopped.states.get('orders')?.value ?? {};
  assert.deepEqual([lease, lastError, behindSince], [undefined, undefined, undefined]);
  assert.match(
    stopped.compared.get('orders')?.reconcileError ?? '',
    /stopped by hand – the next run for which it is due begins the comparison anew/,
  );
  assert.match(
    tablesShow(await server.operator.ask('tables.show', { jobId: job.jobId, table: 'orders' })),
    /comparing keys failed +ExecutionEnded: .* stopped by hand/,
  );
  await executions.redrive(stoppedArns);
  await server.installation.cloud.idle();
  assert.match(
    (await job.read()).compared.get('orders')?.reconcileError ?? '',
    /ended as FAILED: could not be compared/,
  );
  await job.run();
  await server.operator.compared();
  assert.equal((await job.read()).compared.get('orders')?.reconcileError, undefined);
  assert.deepEqual(
    await ids(job, 'orders'),
    upTo(20).filter((id) => id !== 3),
  );
});

test('a table that is disabled while its keys are compared is given back, and keeps its rows', async () => {
  const job = await loadedJob();
  const reconcile = () => server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['orders'] });
  await job.source.query('DELETE FROM orders WHERE id = 3');
  // Sums, keys, keys once more under the lease: what is left is to delete.
  for (let i = 0; i < 3; i++) during.atState('Warehouse side', () => undefined);
  during.atState('Warehouse side', async () => {
    assert.match((await job.read()).states.get('orders')?.value.lease?.owner ?? '', /reconcile$/);
    await job.edit('orders', { disabled: true });
  });
  await reconcile();
  await nothingLeft(server, job);
  assert.deepEqual(await ids(job, 'orders'), upTo(20));
  await job.edit('orders', { disabled: false });
  await reconcile();
  assert.equal((await ids(job, 'orders')).length, 19);
});

test('an event of a stopped comparison that comes late leaves the one alone that was begun since', async () => {
  const job = await loadedJob();
  const { comparisons } = ticking(server).at();
  const began = Date.now() - 60_000;
  const detail = {
    name: 'stopped-long-ago',
    status: 'ABORTED',
    startDate: began,
    input: JSON.stringify({ jobId: job.jobId, comparisons: [{ table: 'orders', kind: 'reconcile' }] }),
  };
  /** @param reconcileBy the execution that has begun it, maybe after the other was stopped */
  const released = async (reconcileBy: string) => {
    const reconcileBegun = new Date().toISOString();
    await comparisons.change(job.jobId, 'orders', { reconcileBegun, reconcileBy });
    const { lambda, stack } = server.installation.cloud;
    const functionArn = stack.of('AWS::Lambda::Function').find(({ name }) => /release/.test(name))?.arn ?? '';
    const { functionError } = await lambda.invoke({ functionArn, payload: JSON.stringify({ detail }) });
    assert.equal(functionError, undefined);
    return (await comparisons.read(job.jobId, 'orders')).reconcileBegun === undefined;
  };
  assert.equal(await released('another'), false);
  assert.equal(await released('stopped-long-ago'), true, 'its own function began it when it had been stopped');
});

test('of more rows than one comparison looks at, the share that may go is that of all, and the rest follows at once', async () => {
  const job = await server.job(
    `CREATE TABLE many (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now() - interval '1 hour');
     CREATE INDEX ON many (updated_at); INSERT INTO many SELECT n FROM generate_series(1, 130000) n; ANALYZE`,
  );
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  await job.edit('many', { deletes: 'remove', maxDeletedShare: 0.8 });
  await job.source.query('DELETE FROM many WHERE id % 100 < 85');
  const reconcile = () => server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['many'] });
  // Among the 100,000 that it looks at there are 85,000, which would be 65 %.
  await assert.rejects(
    reconcile(),
    /TooManyDeletes: many: the source lacks 110500 rows, 85 % of the warehouse's 130000/,
  );
  assert.equal((await job.rows('SELECT 1 FROM $.many')).length, 130_000);
  await job.edit('many', { maxDeletedShare: 1 });
  await reconcile();
  const { compared } = await job.read();
  assert.ok((compared.get('many')?.deleted ?? 0) > 80_000);
  assert.equal(compared.get('many')?.reconcileEnded, undefined, 'it is due again');
  await reconcile();
  assert.ok((await job.read()).compared.get('many')?.reconcileEnded);
  assert.deepEqual(await job.differing(), []);
});
