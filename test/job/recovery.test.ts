import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bench, type TestJob } from './harness.ts';
import { batchAnswered, Executions, Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';

const during = new Interruptions();
const server = bench(during.options);
const executions = new Executions(server);

const SHOP = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE events (id bigserial PRIMARY KEY, body text);
  CREATE TABLE countries (code text PRIMARY KEY, name text);
  INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 300) n;
  INSERT INTO events (body) SELECT 'event ' || n FROM generate_series(1, 200) n;
  INSERT INTO countries VALUES ('DE', 'Deutschland'), ('FR', 'France'), ('JP', '日本');
  ANALYZE;`;
const CHANGES = `
  UPDATE orders SET note = 'changed', updated_at = now() WHERE id <= 20;
  INSERT INTO orders (note) SELECT 'new ' || n FROM generate_series(1, 30) n;
  INSERT INTO events (body) SELECT 'new ' || n FROM generate_series(1, 30) n;
  UPDATE countries SET name = 'Germany' WHERE code = 'DE'`;
const SMALL = { rowLimit: 10_000, chunkSize: 5_000 };

const loaded = async (sql = SHOP, options = {}): Promise<TestJob> => {
  const job = await server.job(sql, options);
  await job.setup();
  assert.equal((await job.run()).status, 'succeeded');
  return job;
};

const settled = async (job: TestJob): Promise<void> => {
  await server.installation.cloud.idle();
  for (const [name, { value }] of (await job.read()).states) assert.equal(value.lease, undefined, `${name} is free`);
};

const becomesIdentical = async (job: TestJob): Promise<void> => {
  const run = await job.run();
  assert.ok(run.status === 'succeeded' || run.status === 'idle', JSON.stringify(run));
  assert.deepEqual(await job.differing(), []);
};

test('an execution stopped in the middle of a load gives its tables back at once, and the next run completes', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  // A reader of the administrator's keeps the load's statement running.
  await job.warehouse.query(`BEGIN; LOCK TABLE "${job.schema}".orders IN ACCESS EXCLUSIVE MODE`);
  const running = job.run();
  await runningStatement(job);
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
  await runningStatement(job);
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

const leases = async (job: TestJob): Promise<string[]> =>
  [...(await job.read()).states.values()].flatMap(({ value }) => (value.lease ? [value.sourceName] : []));

/** Waits until a statement of the loader waits for the test's lock. */
const runningStatement = async (job: TestJob): Promise<void> => {
  for (let wait = 0; wait < 100; wait++) {
    const { rows } = await job.warehouse.query('SELECT 1 FROM pg_locks WHERE NOT granted');
    if (rows.length > 0) return;
    await sleep(100);
  }
  assert.fail('no load came to wait');
};

test('a load whose function is killed while the warehouse works loads nothing twice', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  during.atCall(batchAnswered, () => server.installation.cloud.lambda.kill(functionNamed('Load')));
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n, count(DISTINCT id)::int AS keys FROM $.events'), [
    { n: 230, keys: 230 },
  ]);
  await settled(job);
});

const functionNamed = (word: string): string => {
  const found = server.installation.cloud.stack
    .of('AWS::Lambda::Function')
    .filter(({ name }) => new RegExp(`${word}(?![a-z])`, 'i').test(name));
  assert.equal(found.length, 1, `one function is called ${word}: ${found.map(({ name }) => name)}`);
  return found[0]?.name ?? '';
};

test('an answer of the warehouse that is lost is asked for again, and the statement runs once', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  let batches = 0;
  const count = (call: Parameters<typeof batchAnswered>[0]) => {
    if (batchAnswered(call)) batches++;
    return false;
  };
  during.atCall(count, () => undefined);
  during.atCall(batchAnswered, () => {
    throw new Error('the connection broke');
  });
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.ok(batches >= 2, 'it was submitted again');
  assert.deepEqual(await job.differing(), []);
});

test('a load event that is delivered twice, at once and later, loads nothing twice', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  const { lambda } = server.installation.cloud;
  const functionArn = lambda.find(functionNamed('Load'))?.arn ?? '';
  let event = {};
  const invoke = () => lambda.invoke({ functionArn, payload: JSON.stringify(event) });
  let twin: Promise<unknown> = Promise.resolve();
  during.atState('Load', async ({ executionArn }) => {
    const runId = executionArn.split(':').at(-1) ?? '';
    const { states } = await job.read();
    const tables = [...states].filter(([, { value }]) => value.lease?.owner === runId).map(([name]) => name);
    event = { jobId: job.jobId, runId, owner: runId, loadId: `load/${runId}/0/`, tables: tables.sort() };
    twin = invoke();
  });
  const run = await job.run();
  await twin;
  await invoke();
  await server.installation.cloud.idle();
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n, count(DISTINCT id)::int AS keys FROM $.events'), [
    { n: 230, keys: 230 },
  ]);
  if (run.status !== 'succeeded') await becomesIdentical(job);
  assert.deepEqual(await job.differing(), []);
  await settled(job);
});

test('a table that somebody else is loading is left to them, and the others are loaded', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  const { states } = await job.read();
  const { value, revision } = states.get('orders') ?? assert.fail();
  const until = Math.floor(Date.now() / 1000) + 600;
  await server.operator.store.saveState(job.jobId, { ...value, lease: { owner: 'other', until } }, revision);
  const run = await job.run();
  assert.deepEqual([run.status, Object.keys(run.tables).sort()], ['succeeded', ['countries', 'events']]);
  assert.deepEqual(await job.differing(), ['orders']);

  const now = await server.operator.store.readState(job.jobId, 'orders');
  assert.equal(now.value.lease?.owner, 'other');
  await server.operator.store.saveState(job.jobId, { ...value, lease: { owner: 'other', until: 1 } }, now.revision);
  await becomesIdentical(job);
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

test('two runs started at once share the work, and neither fails', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  const runs = await Promise.all([job.run(), job.run()]);
  for (const run of runs) assert.notEqual(run.status, 'failed', JSON.stringify(run));
  const moved = runs.reduce((rows, run) => rows + (run.tables.events?.rows ?? 0), 0);
  assert.equal(moved, 30, 'no row was moved twice');
  assert.deepEqual(await job.differing(), []);
  await settled(job);
});

test('a table whose load the warehouse refuses holds up none of its neighbours', async () => {
  const job = await loaded();
  await job.source.query(CHANGES);
  await job.warehouse.query(`ALTER TABLE "${job.schema}".events ADD CONSTRAINT refused CHECK (id < 210)`);
  const run = await job.run();
  assert.equal(run.status, 'failed');
  assert.match(run.tables.events?.error ?? '', /events/);
  assert.deepEqual([run.tables.orders?.error, run.tables.countries?.error], [undefined, undefined]);
  assert.deepEqual(await job.differing(), ['events']);
  await settled(job);

  await job.warehouse.query(`ALTER TABLE "${job.schema}".events DROP CONSTRAINT refused`);
  await becomesIdentical(job);
  assert.equal((await job.read()).states.get('events')?.value.lastError, undefined);
});

test('a table of more batches than an execution takes is finished by successors', async () => {
  const job = await server.job(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON orders (updated_at);
     INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 12500) n`,
    { rowLimit: 1_000, chunkSize: 1_000 },
  );
  await job.setup();
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(run.tables.orders?.rows, 12_500);
  const chain = await executions.named('LoadTableArn', run.runId);
  assert.equal(chain.length, 2);
  const owners = await Promise.all(chain.map(async (arn) => (await executions.input(arn)).owner));
  assert.deepEqual(owners, [`${run.runId}/orders`, `${run.runId}/orders`], 'the lease stays in the family');
  assert.deepEqual(await job.differing(), []);
  await settled(job);
});

const PRICES = `
  CREATE TABLE prices (code text PRIMARY KEY, price int);
  INSERT INTO prices SELECT 'c' || n, n FROM generate_series(1, 24000) n`;

const STAGES = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%' AND schemaname = '";

const savesByRelease = ({ action, caller, moment }: Parameters<typeof batchAnswered>[0]): boolean =>
  action === 'PutItem' && moment === 'before' && /release/i.test(caller.arn);

test('a full sync stopped after a batch was committed that nobody heard of completes with the next run', async () => {
  const job = await loaded(PRICES, { chunkSize: 50 });
  await job.source.query('UPDATE prices SET price = price + 1');
  during.atCall(batchAnswered, () => {
    during.atCall(batchAnswered, async () => {
      server.installation.cloud.lambda.kill(functionNamed('Load'));
      await executions.stopAll();
    });
  });
  // While the table is given back somebody else writes its state once more.
  during.atCall(savesByRelease, async () => {
    const { value, revision } = await server.operator.store.readState(job.jobId, 'prices');
    await server.operator.store.saveState(job.jobId, value, revision);
  });
  await job.run().catch(() => undefined);
  await settled(job);
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await job.rows(`${STAGES}${job.schema}'`), [], 'the abandoned stage is gone');
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

test('ids that a session took early and inserted late arrive, and rows of a partition that is attached', async () => {
  const job = await server.job(`
    CREATE SEQUENCE ids CACHE 50;
    CREATE TABLE events (id bigint PRIMARY KEY DEFAULT nextval('ids'), body text);
    ALTER SEQUENCE ids OWNED BY events.id;
    CREATE TABLE logs (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE tmp_old (LIKE logs INCLUDING ALL);
    INSERT INTO tmp_old VALUES (7)`);
  await job.setup();
  for (const name of ['events', 'logs']) await job.edit(name, { copyMode: 'INSERT_ONLY' });
  const early = new (job.source.constructor as new (config: object) => typeof job.source)({
    connectionString: job.url,
  });
  await early.connect();
  try {
    await early.query("INSERT INTO events (body) VALUES ('early 1')");
    await job.source.query("INSERT INTO events (body) VALUES ('late 51')");
    await job.run();
    assert.deepEqual(await job.rows('SELECT id::int FROM $.events ORDER BY id'), [{ id: 1 }, { id: 51 }]);
    await early.query("INSERT INTO events (body) VALUES ('early 2'), ('early 3')");
    await early.query('ALTER TABLE logs ATTACH PARTITION tmp_old FOR VALUES FROM (1) TO (10)');
  } finally {
    await early.end();
  }
  const run = await job.run();
  assert.equal(run.tables.events?.rows, 2);
  assert.deepEqual(await job.differing(), []);
  assert.equal((await job.run()).status, 'idle');
});

test('a table stays identical when its copy mode changes, and when it is made anew under its name', async () => {
  const job = await loaded(SHOP, { exclude: ['events'] });
  await job.edit('orders', { copyMode: 'FULL_DATA_SYNC' });
  await job.source.query('DELETE FROM orders WHERE id < 5');
  await becomesIdentical(job);
  await job.edit('orders', { copyMode: 'INSERT_AND_UPDATE' });
  await job.source.query(CHANGES);
  await becomesIdentical(job);

  await job.source.query(`
    BEGIN; ALTER TABLE orders RENAME TO old; ALTER SEQUENCE orders_id_seq OWNED BY NONE;
    CREATE TABLE orders (LIKE old INCLUDING ALL); INSERT INTO orders SELECT * FROM old;
    INSERT INTO orders (note, updated_at) VALUES ('from before', '2001-02-03');
    DROP TABLE old; COMMIT`);
  await becomesIdentical(job);
});

const LARGE = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 25000) n;`;

test('a load that is followed once more after its batch was committed takes the next batch for no other', async () => {
  const job = await server.job(LARGE, SMALL);
  await job.setup();
  const lost = Object.assign(new Error('the answer was lost'), { name: 'Lambda.ServiceException' });
  let lostOnce = false;
  during.atState(
    'Load on',
    () => {
      lostOnce = true;
      throw lost;
    },
    'exit',
  );
  const run = await job.run();
  assert.ok(lostOnce, 'a batch was followed');
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(run.tables.orders?.rows, 25_000);
  assert.deepEqual(await job.differing(), []);
  await settled(job);
});

test('where the batch ahead can not be extracted, the one that is being loaded still counts', async () => {
  const job = await server.job(LARGE, SMALL);
  await job.setup();
  during.atState('Load', () =>
    during.atState('Each chunk', () => {
      throw Object.assign(new Error('no more'), { name: 'TableUnreadable' });
    }),
  );
  const broken = await job.run();
  assert.equal(broken.status, 'failed');
  assert.equal(broken.tables.orders?.rows, 10_000);
  assert.match(broken.tables.orders?.error ?? '', /^TableUnreadable: no more/);
  await nothingLeft(server, job);
  const next = await job.run();
  assert.equal(next.status, 'succeeded', JSON.stringify(next));
  assert.equal(next.tables.orders?.rows, 15_000);
  assert.deepEqual(await job.differing(), []);
});
