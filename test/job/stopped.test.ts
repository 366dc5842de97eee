import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Result } from '../../cli/commands.ts';
import type { Run } from '../../shared/model/run.ts';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';
import { batchAnswered, Executions, Interruptions } from './interruptions.ts';
import { CHANGES, SHOP, shopOn } from './shop.ts';
import { waitingStatement } from './waiting.ts';

const during = new Interruptions();
const SECOND_MS = 1_000;
/** Whether executions begin at whole seconds, which are written without milliseconds. */
let atWholeSeconds = false;
const now = () => new Date(atWholeSeconds ? Math.floor(Date.now() / SECOND_MS) * SECOND_MS : Date.now());
const server = bench({ ...during.options, states: { ...during.options.states, now } });
const executions = new Executions(server);
const { loaded, settled, becomesIdentical, functionNamed } = shopOn(server);

const leases = async (job: TestJob): Promise<string[]> =>
  [...(await job.read()).states.values()].flatMap(({ value }) => (value.lease ? [value.sourceName] : []));

test('an execution stopped in the middle of a load gives its tables back at once, and the next run completes', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  // A reader of the administrator's keeps the load's statement running.
  await job.warehouse.query(`BEGIN; LOCK TABLE "${job.schema}".orders IN ACCESS EXCLUSIVE MODE`);
  const running = job.run();
  await waitingStatement(job);
  await executions.stopAll();
  await running.catch(() => undefined);
  for (let wait = 0; wait < 50 && (await leases(job)).length > 0; wait++) await sleep(100);
  assert.deepEqual(await leases(job), [], 'released while the statement still runs');
  const orders = (await job.read()).states.get('orders')?.value;
  assert.match(orders?.orphan ?? '', /^load\//, 'the statement that was left is remembered');
  assert.match(orders?.lastError ?? '', /^ExecutionEnded: .*the next run goes on/);

  const cancelled = cancelling();
  const next = job.run();
  assert.ok(await cancelled(), 'the statement that was left is ended before another is submitted');
  await job.warehouse.query('COMMIT');
  assert.equal((await next).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
  await settled(job);
});

test('a statement that was left is remembered though nothing is left to load, and ended before the next', async () => {
  const job = await server.job(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON orders (updated_at);
     INSERT INTO orders (note, updated_at) SELECT 'note ' || n, now() - interval '1 day' FROM generate_series(1, 30) n`,
    { rowLimit: 20, chunkSize: 10 },
  );
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  await job.source.query("UPDATE orders SET note = 'changed', updated_at = now()");
  // The second batch waits for a row of its own.
  await job.warehouse.query(`BEGIN; SELECT FROM "${job.schema}".orders WHERE id = 21 FOR UPDATE`);
  const running = job.run();
  await waitingStatement(job);
  await executions.stopAll();
  await running.catch(() => undefined);
  for (let wait = 0; wait < 50 && (await leases(job)).length > 0; wait++) await sleep(100);
  await job.source.query('DELETE FROM orders WHERE id > 20');
  const between = await job.run();
  assert.deepEqual([between.status, between.tables.orders?.rows], ['succeeded', 0]);
  const state = (await job.read()).states.get('orders')?.value;
  assert.deepEqual([state?.pass, state?.orphan?.startsWith('load/')], [undefined, true]);

  await job.source.query("INSERT INTO orders (id, note) VALUES (21, 'newer')");
  const cancelled = cancelling();
  const next = job.run();
  assert.ok(await cancelled());
  await job.warehouse.query('COMMIT');
  assert.equal((await next).status, 'succeeded');
  assert.deepEqual(await job.rows('SELECT note FROM $.orders WHERE id = 21'), [{ note: 'newer' }]);
  await settled(job);
});

test('what waited in a lane goes on where the next of it was begun before its predecessor was stopped', async () => {
  const job = await lane();
  let stopped = '';
  during.atState(
    'Start next in lane',
    async ({ executionArn }) => {
      const begun = async () => (await job.read()).states.get('b')?.value.run !== undefined;
      for (let wait = 0; wait < 100 && !(await begun()); wait++) await sleep(50);
      stopped = executionArn;
      await executions.stop(executionArn);
      await sleep(500);
    },
    'exit',
  );
  const { runId } = await job.run();
  await settled(job);
  const run = (await server.operator.runs.list(job.jobId, 5)).find((one) => one.runId === runId);
  assert.equal(run?.status, 'succeeded', JSON.stringify(run));
  await job.source.query("INSERT INTO a (note) VALUES ('more'); INSERT INTO b (note) VALUES ('more')");
  await job.run();
  // What says so comes once more.
  const payload = JSON.stringify(await executions.statusChange(stopped));
  await server.installation.cloud.lambda.invoke({ functionArn: functionNamed('Release'), payload });
  const records = await server.operator.runs.list(job.jobId, 5);
  assert.deepEqual(
    records.find((one) => one.runId === runId),
    run,
  );
  assert.deepEqual(await job.differing(), []);
});

test('a run ends though the execution is stopped that was to begin what waits in its lane', async () => {
  const job = await lane();
  during.atState('Extract', async () => void (await executions.stopAll(['LoadTableArn'])));
  await failsToldOfEach(job);
  await becomesIdentical(job);
});

test('so does it though what tells of it dies half-way, and is invoked again, or comes when others have long gone on', async () => {
  const job = await lane();
  const tells = ({ service, action, moment, caller }: Parameters<typeof batchAnswered>[0]): boolean =>
    service === 'dynamodb' && action === 'UpdateItem' && moment === 'before' && /release/i.test(caller.arn);
  let stopped: string[] = [];
  during.atState('Extract', async () => {
    stopped = await executions.stopAll(['LoadTableArn']);
  });
  // The first to be told is the table whose execution it was, then those that waited behind it.
  during.atCall(tells, () =>
    during.atCall(tells, () => {
      server.installation.cloud.lambda.kill(functionNamed('Release'));
      throw new Error('it died before it could tell');
    }),
  );
  const run = await failsToldOfEach(job);
  await becomesIdentical(job);
  const { cloud } = server.installation;
  const payload = JSON.stringify(await executions.statusChange(stopped[0] ?? ''));
  await cloud.lambda.invoke({ functionArn: functionNamed('Release'), payload });
  const records = await server.operator.runs.list(job.jobId, 5);
  assert.deepEqual(
    records.find(({ runId }) => runId === run.runId),
    run,
  );
  for (const [name, { value }] of (await job.read()).states) assert.equal(value.lastError, undefined, name);
});

/** The run of such a job has ended, and names all that it did not come to. */
async function failsToldOfEach(job: TestJob): Promise<Run> {
  await job.run();
  await settled(job);
  const [run] = await server.operator.runs.list(job.jobId, 1);
  assert.equal(run?.status, 'failed');
  for (const name of ['a', 'b', 'c'])
    assert.match(run.tables[name]?.error ?? '', /^ExecutionEnded: .* the next run/, name);
  return run;
}

/** A job whose three tables take turns. */
async function lane(): Promise<TestJob> {
  const large = (name: string) =>
    `CREATE TABLE ${name} (id bigserial PRIMARY KEY, note text); INSERT INTO ${name} (note) SELECT 'note ' || n FROM generate_series(1, 100) n;`;
  const job = await server.job(`${large('a')} ${large('b')} ${large('c')}`, { chunkSize: 30, maxSourceConnections: 1 });
  await job.setup();
  return job;
}

/** Waits, from now on, until a statement has been cancelled. */
function cancelling(): () => Promise<boolean> {
  let cancelled = false;
  const cancels = ({ action, moment }: Parameters<typeof batchAnswered>[0]) =>
    action === 'CancelStatement' && moment === 'after';
  during.atCall(cancels, () => {
    cancelled = true;
  });
  return async () => {
    for (let wait = 0; wait < 100 && !cancelled; wait++) await sleep(100);
    return cancelled;
  };
}

test('a comparison that takes a table ends what a stopped load left in the warehouse, before it reads the rows to be changed', async () => {
  const job = await loaded();
  await job.edit('orders', { deletes: 'remove' });
  await job.source.query(`DELETE FROM orders WHERE id = 3; ${CHANGES}`);
  // Lets read, but not write.
  await job.warehouse.query(`BEGIN; LOCK TABLE "${job.schema}".orders IN SHARE MODE`);
  const running = job.run();
  await waitingStatement(job);
  await executions.stopAll();
  await running.catch(() => undefined);
  for (let wait = 0; wait < 50 && (await leases(job)).length > 0; wait++) await sleep(100);
  assert.match((await job.read()).states.get('orders')?.value.orphan ?? '', /^load\//);

  const cancelled = cancelling();
  const comparing = server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['orders'] });
  assert.ok(await cancelled());
  await job.warehouse.query('COMMIT');
  const { deleted, reconcileError } = (await comparing).get('orders') ?? assert.fail();
  assert.deepEqual([deleted, reconcileError], [1, undefined]);
  assert.equal((await job.read()).states.get('orders')?.value.orphan, undefined);
  await becomesIdentical(job);
  await settled(job);
});

test('a table that an execution took when its end had been told already, and left, is taken over at once', async () => {
  const job = await server.job(SHOP);
  await job.setup();
  const { runId } = await job.run();
  await server.operator.compare(job.jobId, { kind: 'verify' });
  await job.source.query(CHANGES);
  const comparison = 'some-verify';
  await server.operator.comparisons.change(job.jobId, 'events', { stopped: comparison });
  for (const [name, owner] of [
    ['orders', runId],
    ['countries', 'other'],
    ['events', `${comparison}/verify`],
  ] as const) {
    const { value, revision } = await server.operator.store.readState(job.jobId, name);
    const lease = { owner, until: Math.floor(Date.now() / 1000) + 600, load: 'load/left/' };
    await server.operator.store.saveState(job.jobId, { ...value, lease }, revision);
  }
  const run = await job.run();
  assert.deepEqual([run.status, Object.keys(run.tables).sort()], ['succeeded', ['events', 'orders']]);
  assert.match(run.warnings.join(), /^countries is being loaded or compared by other/);
  assert.deepEqual(await job.differing(), ['countries']);
});

const PRICES = `
  CREATE TABLE prices (code text PRIMARY KEY, price int);
  INSERT INTO prices SELECT 'c' || n, n FROM generate_series(1, 24000) n`;

const STAGES = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%' AND schemaname = '";

const savesByRelease = ({ action, caller, moment }: Parameters<typeof batchAnswered>[0]): boolean =>
  action === 'PutItem' && moment === 'before' && /release/i.test(caller.arn);

for (const [nth, batch] of ['first', 'last'].entries())
  test(`a full sync stopped after its ${batch} batch was committed, of which nobody heard, completes with the next run`, async () => {
    const job = await loaded(PRICES, { chunkSize: 50 });
    await job.source.query('UPDATE prices SET price = price + 1');
    const stop = async () => {
      server.installation.cloud.lambda.kill(functionNamed('Load'));
      await executions.stopAll();
    };
    during.atCall(batchAnswered, () => (nth === 0 ? stop() : during.atCall(batchAnswered, stop)));
    // While the table is given back somebody else writes its state once more.
    during.atCall(savesByRelease, async () => {
      const { value, revision } = await server.operator.store.readState(job.jobId, 'prices');
      await server.operator.store.saveState(job.jobId, value, revision);
    });
    await job.run().catch(() => undefined);
    await settled(job);
    const stages = () => job.rows(`${STAGES}${job.schema}'`);
    const left = (await stages()).map(({ tablename }) => `"${job.schema}"."${tablename}"`);
    assert.equal(left.length, nth === 0 ? 1 : 0);
    const edit = async (disabled: boolean) =>
      (await done<Result<'tables.edit'>>(server, 'tables.edit', { jobId: job.jobId, table: 'prices', disabled })).notes;
    // Of the last nobody knows that it took the stage away.
    assert.match(
      (await edit(true)).join(),
      /: where there is to be none, run DROP TABLE IF EXISTS "\w+"."loader_\w+";$/,
    );
    for (const stage of left) assert.ok((await edit(true)).join().includes(stage));
    assert.deepEqual(await edit(false), []);
    const run = await job.run();
    assert.equal(run.status, 'succeeded', JSON.stringify(run));
    assert.deepEqual(await job.differing(), []);
    assert.deepEqual(await stages(), [], 'the abandoned stage is gone');
  });

/** The last that it does. */
const sweptByRelease = ({ service, moment, caller }: Parameters<typeof batchAnswered>[0]): boolean =>
  service === 's3' && moment === 'after' && /release/i.test(caller.arn);

test('a large table that is taken by a function of a stopped execution, which dies at that, is loaded by the next run', async () => {
  const job = await server.job(PRICES, { chunkSize: 5_000 });
  await job.setup();
  const savesBySplit = ({ action, caller, moment }: Parameters<typeof batchAnswered>[0]): boolean =>
    action === 'PutItem' && moment === 'before' && /split/i.test(caller.arn);
  during.atCall(savesBySplit, async () => {
    let released = 0;
    for (const _ of ['load-job', 'load-table'])
      during.atCall(sweptByRelease, () => {
        released++;
      });
    await executions.stopAll();
    for (let wait = 0; wait < 100 && released < 2; wait++) await sleep(100);
    during.atCall(savesBySplit, () => {
      server.installation.cloud.lambda.kill(functionNamed('Split'));
      throw new Error('it died before it could give the table back');
    });
  });
  await job.run().catch(() => undefined);
  await server.installation.cloud.idle();
  for (let wait = 0; wait < 50 && (await leases(job)).length === 0; wait++) await sleep(100);
  assert.deepEqual(await leases(job), ['prices'], 'nobody is left to give it back');
  await becomesIdentical(job);
  await settled(job);
});

test('a run that began at a whole second is told to have ended when it is stopped', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  const told: Run[] = [];
  server.operator.watchRuns((_job, run) => told.push(run));
  atWholeSeconds = true;
  during.atState('Load', async () => void (await executions.stopAll()));
  await job.run().catch(() => undefined);
  await server.installation.cloud.idle();
  atWholeSeconds = false;
  const runs = await server.operator.runs.list(job.jobId, 10);
  const stopped = runs.filter(({ startedAt }) => /:\d\d(\.000)?Z$/.test(startedAt));
  assert.deepEqual(
    stopped.map(({ status }) => status),
    ['failed'],
    JSON.stringify(runs),
  );
  for (let wait = 0; wait < 50 && told.length === 0; wait++) await sleep(100);
  assert.deepEqual(told, stopped, 'who watches runs is told, once');
  await becomesIdentical(job);
  await settled(job);
});
