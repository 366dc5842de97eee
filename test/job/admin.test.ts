import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeExecutionCommand,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  SFNClient,
} from '@aws-sdk/client-sfn';
import { COMMANDS, type Result } from '../../cli/commands.ts';
import type { AdminPorts } from '../../functions/admin/operation.ts';
import { stopRun } from '../../functions/admin/runs/stop.ts';
import { REGION } from '../../local/identity.ts';
import { allItems, done, refusal } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';

const server = bench();
const SHOP = `CREATE TABLE customers (id bigserial PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON customers (updated_at); CREATE TABLE log (id bigserial PRIMARY KEY, line text);
  INSERT INTO customers (name) SELECT 'c' || n FROM generate_series(1, 20) n; INSERT INTO log (line) VALUES ('one')`;

/** A source of its own, whose user has a password that is nowhere else. */
async function source(name: string, password: string): Promise<TestJob & { connection: string }> {
  const job = await server.job(SHOP);
  await job.source.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  const { host, pathname } = new URL(job.url);
  return { ...job, connection: `postgres://${name}:${password}@${host}${pathname}` };
}

/** Waits for a setup, as whoever started it would. */
async function setUp(jobId: string): Promise<Result<'jobs.setup-status'>> {
  const { setupId } = await done<{ setupId: string }>(server, 'jobs.setup', { jobId });
  for (;;) {
    const found = await done<Result<'jobs.setup-status'>>(server, 'jobs.setup-status', { setupId });
    if (found.status !== 'running') return found;
    await sleep(50);
  }
}

async function run(jobId: string): Promise<Result<'runs.show'>> {
  const { runId } = await done<{ runId: string }>(server, 'jobs.run', { jobId });
  for (;;) {
    const found = await done<Result<'runs.show'>>(server, 'runs.show', { jobId, runId });
    if (found.status !== 'running') return found;
    await sleep(50);
  }
}

test('a job lives its whole life by operations alone', async () => {
  const { connection, source: db, schema } = await source('whole_life', 'pw-whole-life');
  await done(server, 'jobs.create', { jobId: 'whole', destination: schema, connectionString: connection });
  const seen = await done<{ grants: string[]; user: string; checks: string[] }>(server, 'jobs.test-connection', {
    jobId: 'whole',
  });
  assert.equal(seen.user, 'whole_life');
  assert.deepEqual(seen.grants, ['GRANT SELECT ON ALL TABLES IN SCHEMA "public" TO "whole_life";']);
  assert.match(seen.checks.join(), /GRANT pg_read_all_stats TO "whole_life";/);
  for (const grant of [...seen.grants, 'GRANT pg_read_all_stats TO whole_life']) await db.query(grant);
  const again = await done<{ grants: string[]; checks: string[] }>(server, 'jobs.test-connection', { jobId: 'whole' });
  assert.deepEqual([again.grants, again.checks], [[], []]);

  assert.equal((await setUp('whole')).status, 'succeeded');
  await done(server, 'tables.edit', { jobId: 'whole', table: 'log', disabled: true });
  const first = await run('whole');
  assert.deepEqual(
    first.tables.map(({ table, rows }) => [table, rows]),
    [['customers', 20]],
  );
  await done(server, 'tables.edit', { jobId: 'whole', table: 'log', disabled: false });
  const second = await run('whole');
  assert.deepEqual(
    [second.tables.map(({ table, rows }) => [table, rows]), second.nothingNew],
    [[['log', 1]], 1],
    'customers are counted alone',
  );
  const { jobs } = await done<{ jobs: { jobId: string; lastRun: { status: string } }[] }>(server, 'jobs.list');
  assert.equal(jobs.find(({ jobId }) => jobId === 'whole')?.lastRun.status, 'succeeded');

  assert.deepEqual((await refusal(server, 'jobs.delete', { jobId: 'whole', confirm: 'other' })).fields, ['confirm']);
  // A run's record is complete some moments before its execution.
  await server.installation.cloud.idle();
  const { store } = server.operator;
  await store.changeState('whole', await store.readState('whole', 'log'), (state) => ({ ...state, staged: true }));
  const deleted = await done<Result<'jobs.delete'>>(server, 'jobs.delete', { jobId: 'whole', confirm: 'whole' });
  assert.match(
    COMMANDS['jobs.delete'].show(deleted, { color: false, width: 1_000 }),
    /keeps its rows, and what loads that broke off have left, .*: run DROP TABLE IF EXISTS "\w+"\."loader_[0-9a-f]{16}";\n$/,
  );
  assert.equal((await refusal(server, 'jobs.show', { jobId: 'whole' })).name, 'NotFound');
  const left = (await allItems(server)).filter((item) => JSON.stringify(item).includes('whole'));
  assert.deepEqual(left, []);
  assert.doesNotMatch(readFileSync(join(server.state, 'aws/secrets.json'), 'utf8'), /pw-whole-life/);
});

test('setup names a schema that the source lacks, and tells what its user may not read and what to check', async () => {
  const { connection, source: db, schema } = await source('sees_little', 'pw-sees-little');
  await db.query('CREATE SCHEMA sales');
  const job = { jobId: 'lacking' };
  const input = { ...job, destination: schema, connectionString: connection, sourceSchema: 'slaes' };
  await done(server, 'jobs.create', input);
  const missing =
    "BadConfiguration: the source has no schema slaes: set the job's sourceSchema to one of public, sales";
  const { status, error } = await setUp('lacking');
  assert.deepEqual([status, error], ['failed', missing]);
  const { name, message } = await refusal(server, 'jobs.test-connection', job);
  assert.equal(`${name}: ${message}`, missing);

  await done(server, 'jobs.edit', { ...job, sourceSchema: 'sales' });
  assert.match((await setUp('lacking')).output?.checks.join() ?? '', /schema sales has no tables to copy: set/);
  await done(server, 'jobs.edit', { ...job, sourceSchema: 'public' });
  await db.query('GRANT SELECT ON customers TO sees_little');
  const { output, tables } = await setUp('lacking');
  assert.deepEqual(output?.grants, ['GRANT SELECT ON "public"."log" TO "sees_little";']);
  assert.match(tables.find(({ table }) => table === 'log')?.checks.join() ?? '', /^may not be read: GRANT SELECT/);
  // What is left out of runs is nobody's business.
  await done(server, 'tables.edit', { ...job, table: 'log', disabled: true });
  const without = await setUp('lacking');
  assert.deepEqual([without.output?.grants, without.tables.map(({ table }) => table)], [[], ['customers']]);
});

test('a run is stopped by hand, with its large tables; the next one goes on', async () => {
  const { jobId, source: db, warehouse, schema, setup, read, differing, run: runOn } = await server.job(SHOP);
  await setup();
  await runOn();
  await db.query("INSERT INTO log (line) SELECT 'row ' || n FROM generate_series(1, 20000) n");
  await db.query("INSERT INTO customers (name) VALUES ('new')");
  await warehouse.query(`BEGIN; LOCK TABLE "${schema}".log, "${schema}".customers IN ACCESS EXCLUSIVE MODE`);
  const { runId } = await done<{ runId: string }>(server, 'jobs.run', { jobId });
  const leases = async () => [...(await read()).states.values()].filter(({ value }) => value.lease).length;
  for (let wait = 0; wait < 400 && (await leases()) < 2; wait++) await sleep(50);
  const { stopped } = await done<{ stopped: { machine: string }[] }>(server, 'runs.stop', { jobId, runId });
  assert.deepEqual(
    stopped.map(({ machine }) => machine),
    ['loadJob', 'loadTable'],
  );
  await warehouse.query('COMMIT');
  await server.installation.cloud.idle();
  assert.equal(await leases(), 0, 'the tables are free again');
  const shown = await done<{ status: string; error: string }>(server, 'runs.show', { jobId, runId });
  assert.equal(shown.status, 'failed');
  assert.match(shown.error, /ended as ABORTED: stopped by hand – the next run goes on/);
  assert.match((await refusal(server, 'runs.stop', { jobId, runId })).message, /is not at work: .* as failed/);
  assert.equal((await refusal(server, 'runs.stop', { jobId, runId: 'nosuch' })).name, 'NotFound');
  assert.equal((await run(jobId)).status, 'succeeded');
  await server.installation.cloud.idle();
  assert.deepEqual(await differing(), []);
});

test("executions that begin just as a run is stopped are stopped as well, its own first, and nobody else's", async () => {
  const working = [
    { machine: 'loadTable', name: 'other-0' },
    { machine: 'loadTable', name: 'mine-0' },
    { machine: 'loadJob', name: 'mine' },
    { machine: 'verifyJob', name: 'mine' },
  ];
  const stopped: string[] = [];
  const machines = {
    runningFor: async () => [...working],
    stop: async ({ machine, name }: { machine: string; name: string }) => {
      working.splice(
        working.findIndex((one) => one.machine === machine && one.name === name),
        1,
      );
      stopped.push(`${machine} ${name}`);
      if (name === 'mine-0') working.push({ machine, name: 'mine-0-1' });
    },
  };
  const edits = { read: async () => ({ revision: 1 }) };
  await stopRun.run({ jobId: 'any', runId: 'mine' }, { edits, machines } as unknown as AdminPorts);
  assert.deepEqual(stopped, ['loadJob mine', 'loadTable mine-0', 'loadTable mine-0-1']);
  assert.deepEqual(
    working.map(({ name }) => name),
    ['other-0', 'mine'],
  );
});

test('a password appears in no answer, log, item, message or execution, only in Secrets Manager', async () => {
  const { connection, schema } = await source('secretive', 'pw-that-nobody-sees');
  const answers: unknown[] = [
    await done(server, 'jobs.create', { jobId: 'secretive', destination: schema, connectionString: connection }),
    await refusal(server, 'jobs.create', { jobId: 'secretive', destination: schema, connectionString: connection }),
    await refusal(server, 'jobs.create', { jobId: 'other', destination: connection, connectionString: connection }),
    await refusal(server, 'jobs.create', { jobId: connection, destination: schema, connectionString: connection }),
    await refusal(server, 'jobs.create', { jobId: 'other', destination: schema, connectionString: [connection] }),
    await refusal(server, 'jobs.create', { jobId: 'other', destination: schema, secretArn: connection }),
    await refusal(server, 'jobs.create', { jobId: 'other', destination: schema, connectionString: `x${connection}` }),
    await refusal(server, connection, {}),
    await refusal(server, 'tables.show', { jobId: 'secretive', table: connection }),
    await done(server, 'jobs.show', { jobId: 'secretive' }),
    await done(server, 'jobs.list'),
    await done(server, 'jobs.test-connection', { jobId: 'secretive' }),
    await setUp('secretive'),
    await run('secretive'),
    await done(server, 'jobs.edit', { jobId: 'secretive', connectionString: connection.replace('nobody', 'noone') }),
    await refusal(server, 'jobs.test-connection', { jobId: 'secretive' }),
    await setUp('secretive'),
  ];
  assert.doesNotMatch(JSON.stringify(answers), /pw-that/);
  const { cloud } = server.installation;
  const states = new SFNClient({ endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials });
  for (const stateMachineArn of [cloud.outputs.SetupJobArn, cloud.outputs.LoadJobArn]) {
    const { executions = [] } = await states.send(new ListExecutionsCommand({ stateMachineArn }));
    assert.ok(executions.length > 0);
    for (const { executionArn } of executions) {
      const { $metadata: _, ...execution } = await states.send(new DescribeExecutionCommand({ executionArn }));
      assert.doesNotMatch(JSON.stringify(execution), /pw-that/);
      for await (const { events } of paginateGetExecutionHistory({ client: states }, { executionArn }))
        assert.doesNotMatch(JSON.stringify(events), /pw-that/);
    }
  }
  assert.doesNotMatch(JSON.stringify(await allItems(server)), /pw-that/);
  const holders = filesBelow(server.state).filter((file) => readFileSync(file).includes('pw-that'));
  assert.deepEqual(
    holders.map((file) => file.slice(server.state.length + 1)),
    ['aws/secrets.json'],
  );
});

const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
