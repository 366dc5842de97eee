import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keysBelow, removeObjects } from './bucket.ts';
import { bench } from './harness.ts';
import { batchAnswered, Executions, Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';
import { CHANGES, SHOP, shopOn } from './shop.ts';

const during = new Interruptions();
const server = bench(during.options);
const executions = new Executions(server);
const { loaded, settled, becomesIdentical, functionNamed } = shopOn(server);

const SMALL = { rowLimit: 10_000, chunkSize: 5_000 };

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

test('a staged object that somebody removed is not passed over: its load fails by its name, and the next run brings the rows', async () => {
  const job = await server.job(LARGE, SMALL);
  await job.setup();
  let removed = '';
  during.atState('Load', async () => {
    const chunks = await keysBelow(server, `stage/${job.jobId}/`);
    assert.equal(chunks.length, 2);
    removed = chunks.at(-1) ?? '';
    await removeObjects(server, [removed]);
  });
  const broken = await job.run();
  assert.equal(broken.status, 'failed');
  assert.ok(broken.tables.orders?.error?.includes(removed), broken.tables.orders?.error);
  await becomesIdentical(job);
  await settled(job);
});

test('a full sync whose rows are gone by the time it reads them has an object, too: without it nothing is replaced', async () => {
  const job = await server.job(
    `CREATE TABLE codes (code int PRIMARY KEY, name text);
    INSERT INTO codes SELECT generate_series(1, 40)`,
    { chunkSize: 10, minShare: 0 },
  );
  await job.setup();
  await job.edit('codes', { copyMode: 'FULL_DATA_SYNC' });
  await job.run();
  await job.source.query("UPDATE codes SET name = 'changed'");
  during.atState('Each chunk', async () => void (await job.source.query('DELETE FROM codes')));
  during.atState('Load', async () => removeObjects(server, await keysBelow(server, `stage/${job.jobId}/`)));
  assert.equal((await job.run()).status, 'failed');
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n FROM $.codes'), [{ n: 40 }]);
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.rows('SELECT count(*)::int AS n FROM $.codes'), [{ n: 0 }]);
  await nothingLeft(server, job);
});

type Call = Parameters<Parameters<Interruptions['atCall']>[0]>[0];
const isProof = ({ service, action, moment, permissions: [to] }: Call) =>
  service === 's3' && action === 'PutObject' && moment === 'after' && /stage\/proof/.test(to?.resource ?? '');

test('a setup that another one overtakes, and a run, takes nothing back of what that run has loaded', async () => {
  const job = await server.job(LARGE, SMALL);
  await job.setup();
  await job.run();
  await job.warehouse.query(`DROP TABLE "${job.schema}".orders`);
  // It has seen by then that the table is not there.
  during.atCall(isProof, async () => {
    await job.setup();
    await becomesIdentical(job);
  });
  await job.setup();
  const { value } = await server.operator.store.readState(job.jobId, 'orders');
  assert.ok(value.watermark);
  assert.equal((await job.run()).status, 'idle');
  assert.deepEqual(await job.differing(), []);
});

test('but it takes back what was loaded into the table before, whoever wrote meanwhile that it is gone', async () => {
  const job = await server.job(LARGE, SMALL);
  await job.setup();
  await job.run();
  await job.warehouse.query(`DROP TABLE "${job.schema}".orders`);
  await job.source.query('UPDATE orders SET updated_at = now() WHERE id = 1');
  during.atCall(isProof, async () => void (await job.run()));
  await job.setup();
  assert.equal((await job.run()).tables.orders?.rows, 25_000);
  assert.deepEqual(await job.differing(), []);
});
