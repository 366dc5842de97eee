import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { paginateGetExecutionHistory, paginateListExecutions, SFNClient } from '@aws-sdk/client-sfn';
import pg from 'pg';
import { REGION } from '../../local/identity.ts';
import { Table } from '../../shared/model/table.ts';
import { bench, type TestJob } from './harness.ts';
import { metricValues } from './metrics.ts';
import { nothingLeft } from './nothing-left.ts';

const PASSWORD = 'hush-hush-4711';
const lines: string[] = [];
/** Called whenever an execution enters a state. */
let entering: (state: string) => Promise<void> = async () => undefined;

const server = bench({
  onLog: (_name, line) => void lines.push(line),
  states: {
    // Time passes at once: what may pass is tried again, and must fail the same way.
    sleep: async () => undefined,
    fault: async ({ state, moment }) => {
      if (moment === 'enter') await entering(state);
    },
  },
});

const ORDERS = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at); CREATE TABLE good (id int PRIMARY KEY); INSERT INTO good VALUES (1);
  INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 50) n;`;

/** As an earlier setup would have left it. */
const TABLE = Table.parse({
  sourceName: 'orders',
  destinationName: 'orders',
  primaryKey: ['id'],
  updatedKey: null,
  copyMode: 'FULL_DATA_SYNC',
  columns: [],
  dropped: [],
  schemaHistory: [],
  created: true,
});

async function refused(url: (url: string) => string, expected: RegExp): Promise<void> {
  const job = await server.job(ORDERS, { url });
  await assert.rejects(job.setup(), (error: Error) => {
    assert.match(error.message, expected);
    return true;
  });
  await server.operator.store.addTable(job.jobId, TABLE);
  await assert.rejects(job.run(), (error: Error) => {
    assert.match(error.message, expected);
    return true;
  });
  const [run] = await server.operator.runs.list(job.jobId, 1);
  assert.equal(run?.status, 'failed');
  assert.match(run?.error ?? '', expected);
  await nothingLeft(server, job);
}

test('a source that nobody answers at is named, with what to check', () =>
  refused(
    (url) => url.replace(/@[^/]*/, '@127.0.0.1:1'),
    /^SourceUnavailable: cannot reach 127\.0\.0\.1:1\/db_t\d+ – nobody answers there: check host, port and security group$/,
  ));

test('a wrong password is refused at once', () =>
  refused(
    (url) => url.replace(/\/\/[^@]*@/, `//postgres:${PASSWORD}@`),
    /^SourceRefused: cannot reach 127\.0\.0\.1:\d+\/db_t\d+ – the user or password is refused: correct the connection string, and check pg_hba\.conf$/,
  ));

test('a server without TLS is refused where sslmode asks for it', () =>
  refused(
    (url) => `${url}?sslmode=require`,
    /^SourceRefused: cannot reach .* – the server speaks no TLS, which sslmode asks for: set ssl = on there, or sslmode=disable here$/,
  ));

test('a server that wants TLS says so to who comes without', async () => {
  const admin = new pg.Client({ connectionString: server.source.url });
  await admin.connect();
  const { rows } = await admin.query('SHOW hba_file');
  const file: string = rows[0].hba_file;
  const before = readFileSync(file, 'utf8');
  try {
    // What `hostssl` alone amounts to, as managed servers have it that force TLS.
    writeFileSync(file, `hostnossl all wants_tls all reject\n${before}`);
    await admin.query("CREATE ROLE wants_tls LOGIN PASSWORD 'x'; SELECT pg_reload_conf()");
    await refused(
      (url) => url.replace(/\/\/[^@]*@/, '//wants_tls:x@'),
      /^SourceRefused: cannot reach .* – the server wants TLS, .*: add \?sslmode=require to the connection string$/,
    );
  } finally {
    writeFileSync(file, before);
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();
  }
});

test('a malformed connection string is refused, and never repeated', async () => {
  const malformed =
    /^BadConfiguration: the connection string is malformed: write postgres:\/\/user:password@host:5432\/database, special characters as %XX$/;
  await refused(() => `postgres://reader:${PASSWORD}@host:port/shop`, malformed);
  await refused(() => `postgres://reader:1/${PASSWORD}@host/shop`, malformed);
  await refused(() => `postgres://reader:1 ${PASSWORD}@host/shop`, malformed);
});

test('a job that does not exist fails, and says so', async () => {
  const message = /^BadConfiguration: there is no job "nobody": create it first$/;
  await assert.rejects(server.operator.run('nobody'), { message });
  await assert.rejects(server.operator.setup('nobody'), { message });
});

test('limits of a job that make no sense fail its runs by name', async () => {
  const job = await server.job(ORDERS);
  await job.setup();
  const { job: item } = await job.read();
  for (const [change, problem] of [
    [
      { rowLimit: 0, chunkSize: -5 },
      'rowLimit is 0: give a whole number above 0; chunkSize is -5: give a whole number above 0',
    ],
    [
      { rowLimit: 10, chunkSize: 20 },
      'chunkSize is larger than rowLimit: a batch is cut into chunks, so give at most rowLimit',
    ],
    [{ maxSourceConnections: 400 }, 'maxSourceConnections is too high: give at most 40'],
  ] as const) {
    await server.operator.edits.putJob({ ...item, ...change });
    await assert.rejects(job.run(), { message: `BadConfiguration: job ${job.jobId}: ${problem}` });
    const [run] = await server.operator.runs.list(job.jobId, 1);
    assert.equal(run?.error, `BadConfiguration: job ${job.jobId}: ${problem}`);
  }
  await server.operator.edits.putJob(item);
  assert.equal((await job.run()).status, 'succeeded');
});

const LARGE = `${ORDERS} INSERT INTO orders (note) SELECT 'more ' || n FROM generate_series(1, 12000) n`;

/** Does something to the source as soon as an execution enters a state. */
async function onceAt(state: string, job: TestJob, sql: string): Promise<void> {
  entering = async (entered) => {
    if (entered !== state) return;
    entering = async () => undefined;
    await job.source.query(sql);
  };
}

for (const state of ['Split', 'Extract'])
  test(`a large table dropped before ${state} fails alone, and leaves nothing behind`, async () => {
    const job = await server.job(LARGE, { rowLimit: 5000, chunkSize: 1000, maxSourceConnections: 1 });
    await job.setup();
    await onceAt(state, job, 'DROP TABLE orders');
    const run = await job.run();
    const expected =
      'TableUnreadable: public.orders does not exist at the source: correct its sourceName, restore it, or disable the table';
    assert.equal(run.status, 'failed');
    assert.equal(run.error, undefined, 'it is the table that failed');
    assert.equal(run.tables.orders?.error, expected);
    assert.equal((await job.read()).states.get('orders')?.value.lastError, expected);
    assert.equal(run.tables.good?.error, undefined);
    assert.deepEqual(await job.rows('SELECT * FROM $.good'), [{ id: 1 }]);
    await nothingLeft(server, job);
  });

test('a chunk that fails after others were staged leaves none of them behind', async () => {
  const job = await server.job(
    LARGE.replace('id bigserial', 'id text'.padEnd(7))
      .replaceAll("(note) SELECT '", "(id, note) SELECT 'k' || lpad(n::text, 6, '0'), '")
      .replace('generate_series(1, 50)', 'generate_series(20001, 20050)'),
    {
      rowLimit: 20_000,
      chunkSize: 1000,
      maxSourceConnections: 1,
    },
  );
  await job.source.query("INSERT INTO orders (id) VALUES ('z ')");
  await job.setup();
  const run = await job.run();
  assert.match(
    run.tables.orders?.error ?? '',
    /^KeyEndsInBlank: orders: a value of the key column "id" ends in a blank/,
  );
  await nothingLeft(server, job);
});

test('a connection that is cut while tables are looked at is opened again', async () => {
  const job = await server.job(ORDERS);
  await job.setup();
  const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'redshift-loader' AND datname = current_database()`;
  await job.source.query('BEGIN; LOCK TABLE orders');
  const running = job.run();
  for (let cuts = 0, tries = 0; cuts === 0 && tries < 500; tries++) {
    // Inside a transaction the statistics stand still unless they are asked for anew.
    await job.source.query('SELECT pg_stat_clear_snapshot()');
    cuts = (await job.source.query(cut)).rowCount ?? 0;
    await sleep(10);
  }
  await job.source.query('ROLLBACK');
  assert.equal((await running).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('an error that is over is no longer told, though nothing new came; while it lasts its table counts as behind', async () => {
  const job = await server.job(ORDERS, { maxLagSeconds: 86_400 });
  await job.setup();
  await job.run();
  await job.source.query('ALTER TABLE good RENAME TO away');
  assert.equal((await job.run()).status, 'failed');
  const failed = await server.operator.store.readState(job.jobId, 'good');
  const before = metricValues(server, 'TablesBehind').length;
  for (const days of [0.9, 1.1]) {
    const behindSince = new Date(Date.now() - days * 86_400_000).toISOString();
    await server.operator.store.changeState(job.jobId, failed, (one) => ({ ...one, behindSince }));
    if (days < 1) await job.run();
  }
  await job.source.query('ALTER TABLE away RENAME TO good');
  await job.run();
  await job.run();
  assert.deepEqual(metricValues(server, 'TablesBehind').slice(before), [0, 1, 0]);
  const state = (await job.read()).states.get('good')?.value;
  assert.deepEqual([state?.lastError, state?.behindSince], [undefined, undefined]);
});

test('no password was written anywhere but to the secrets', async () => {
  assert.ok(lines.length > 0);
  assert.deepEqual(
    lines.filter((line) => line.includes(PASSWORD)),
    [],
  );
  for (const file of filesBelow(join(server.state, 'aws')))
    if (!file.endsWith('secrets.json')) assert.ok(!readFileSync(file).includes(PASSWORD), `${file} holds the password`);
  let events = 0;
  for await (const event of history()) {
    events += 1;
    assert.ok(!JSON.stringify(event).includes(PASSWORD), `an execution's history holds the password: ${event.type}`);
  }
  assert.ok(events > 0);
});

/** Everything that the state machines wrote down. */
async function* history() {
  const { endpoint, credentials, outputs } = server.installation.cloud;
  const client = new SFNClient({ endpoint, credentials, region: REGION });
  for (const machine of ['SetupJobArn', 'LoadJobArn', 'LoadTableArn'])
    for await (const { executions = [] } of paginateListExecutions({ client }, { stateMachineArn: outputs[machine] }))
      for (const { executionArn } of executions)
        for await (const { events = [] } of paginateGetExecutionHistory({ client }, { executionArn })) yield* events;
}

const filesBelow = (dir: string): string[] =>
  readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });

test('a table that exceeds a limit of the source says which, and the others go on', async () => {
  const job = await server.job(ORDERS.replace('CREATE INDEX ON orders (updated_at);', '').replace('50) n', '30000) n'));
  await job.setup();
  await job.run();
  await job.source.query(`UPDATE orders SET updated_at = now(); INSERT INTO good VALUES (2);
    ALTER ROLE postgres SET work_mem = '64kB'; ALTER ROLE postgres SET temp_file_limit = '64kB'`);
  try {
    const { tables } = await job.run();
    assert.match(
      tables.orders?.error ?? '',
      /^TableUnreadable: public.orders: .*temp_file_limit.* – index the table's updatedKey/,
    );
    assert.equal(tables.good?.error, undefined);
  } finally {
    await job.source.query('ALTER ROLE postgres RESET work_mem; ALTER ROLE postgres RESET temp_file_limit');
  }
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});
