import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { REGION } from '../../local/identity.ts';
import { allItems, done, refusal } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';

const server = bench();
let made: Promise<TestJob> | undefined;

/** The one job that all of these tests leave as it was, or edit. */
async function theJob(): Promise<TestJob> {
  made ??= (async () => {
    const job = await server.job(`CREATE TABLE orders (id bigserial PRIMARY KEY, code text NOT NULL, note text,
        updated_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON orders (updated_at);
      CREATE TABLE documents (id int PRIMARY KEY, body jsonb);
      CREATE TABLE prices (sku text PRIMARY KEY, price numeric(10,2)); INSERT INTO orders (code) VALUES ('a')`);
    await job.setup();
    return job;
  })();
  return made;
}

async function secret(name: string, text: string, tagged: boolean): Promise<string> {
  const { endpoint, credentials } = server.installation.cloud;
  const secrets = new SecretsManagerClient({ endpoint, region: REGION, credentials });
  const Tags = tagged ? [{ Key: 'redshift-loader', Value: 'mine' }] : [];
  const { ARN = '' } = await secrets.send(new CreateSecretCommand({ Name: name, SecretString: text, Tags }));
  return ARN;
}

/** Columns of the longest names that are to be left out. */
const excluding = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`.padEnd(63, '_'), 'exclude']));

/** Asks for what must be refused, and that nothing has changed by it. */
async function refused(operation: string, input: object): Promise<{ name: string; message: string; fields: string[] }> {
  const before = await allItems(server);
  const found = await refusal(server, operation, input);
  assert.deepEqual(await allItems(server), before, `${operation} ${JSON.stringify(input)} changed something`);
  return found;
}

test('an operation, a job, a table, a run, a setup that does not exist is not found', async () => {
  const job = await theJob();
  const { jobId } = job;
  for (const operation of ['', 'jobs', 'jobs.explode', 'constructor', '__proto__'])
    assert.equal((await refused(operation, {})).name, 'NotFound', operation);
  const nobody = { jobId: 'nobody' };
  for (const [operation, input] of [
    ['jobs.show', nobody],
    ['jobs.edit', { ...nobody, rowLimit: 10 }],
    ['jobs.pause', nobody],
    ['jobs.run', nobody],
    ['jobs.setup', nobody],
    ['jobs.test-connection', nobody],
    ['jobs.delete', { ...nobody, confirm: 'nobody' }],
    ['tables.list', nobody],
    ['tables.edit', { jobId, table: 'nosuch', disabled: true }],
    ['tables.show', { jobId, table: 'nosuch' }],
    ['schedules.list', nobody],
    ['schedules.create', { ...nobody, frequency: 60 }],
    ['schedules.edit', { jobId, schedule: 'nosuch', frequency: 60 }],
    ['runs.list', nobody],
    ['runs.show', { jobId, runId: 'nosuch' }],
    ['jobs.setup-status', { setupId: 'nosuch' }],
  ] as const)
    assert.equal((await refused(operation, input)).name, 'NotFound', operation);
});

test('fields that are unknown, missing or of another type are named, each with what is wrong', async () => {
  const job = await theJob();
  const { jobId } = job;
  const cases: [string, object, string[]][] = [
    ['jobs.show', {}, ['jobId']],
    ['jobs.show', { jobId: 5 }, ['jobId']],
    ['jobs.show', { jobId: 'No Such Id' }, ['jobId']],
    ['jobs.list', { colour: 'red', size: 1 }, ['colour', 'size']],
    ['jobs.create', { jobId: 'new', destination: job.schema }, ['connectionString']],
    ['jobs.create', { jobId: 'new', destination: 'nowhere', connectionString: job.url }, ['destination']],
    ['jobs.create', { jobId: 'new', destination: job.schema, connectionString: 'mysql://x' }, ['connectionString']],
    ['jobs.create', { jobId: 'new', destination: job.schema, secretArn: 'mine' }, ['secretArn']],
    ['jobs.edit', { jobId }, ['']],
    ['jobs.edit', { jobId, rowLimit: 0, gapDays: 'soon' }, ['rowLimit', 'gapDays']],
    ['jobs.edit', { jobId, rowLimit: 10, chunkSize: 20 }, ['chunkSize']],
    ['jobs.edit', { jobId, revision: 9 }, ['revision']],
    ['jobs.edit', { jobId, ownsSecret: false }, ['ownsSecret']],
    ['tables.edit', { jobId, table: 'orders', copyMode: 'SOMETIMES' }, ['copyMode']],
    ['tables.edit', { jobId, table: 'orders', disabled: 'yes' }, ['disabled']],
    ['tables.edit', { jobId, table: 'orders', columns: [] }, ['columns']],
    ['tables.edit', { jobId, table: 'orders', primaryKey: ['nope'] }, ['primaryKey']],
    ['tables.edit', { jobId, table: 'orders', primaryKey: [] }, ['primaryKey']],
    ['tables.edit', { jobId, table: 'orders', updatedKey: 'note' }, ['updatedKey']],
    ['tables.edit', { jobId, table: 'orders', updatedKey: null }, ['updatedKey']],
    ['tables.edit', { jobId, table: 'prices', copyMode: 'INSERT_ONLY' }, ['copyMode']],
    ['tables.edit', { jobId, table: 'orders', timezone: 'Mars/Olympus' }, ['timezone']],
    ['tables.edit', { jobId, table: 'orders', rowLimit: 5, chunkSize: 6 }, ['chunkSize']],
    ['tables.edit', { jobId, table: 'orders', destinationName: 'other' }, ['destinationName']],
    ['tables.edit', { jobId, table: 'orders', sortKey: ['nope', 'id', 'id'] }, ['sortKey', 'sortKey']],
    ['tables.edit', { jobId, table: 'orders', sortKey: 'id' }, ['sortKey']],
    ['tables.edit', { jobId, table: 'documents', sortKey: ['body'], distKey: 'body' }, ['sortKey', 'distKey']],
    ['tables.edit', { jobId, table: 'orders', distKey: 'id', distStyle: 'ALL' }, ['distStyle']],
    ['tables.edit', { jobId, table: 'orders', distStyle: 'SIDEWAYS' }, ['distStyle']],
    ['tables.edit', { jobId, table: 'orders', treat: { id: 'sha256' } }, ['treat']],
    ['tables.edit', { jobId, table: 'orders', treat: { note: 'hide' } }, ['treat.note']],
    // The item would still hold these, but no longer once a run has noted what it left out.
    ['tables.edit', { jobId, table: 'orders', treat: excluding(3_500) }, ['treat']],
    // From nowhere on: it would have loaded all of the table again.
    ['tables.reset', { jobId, table: 'orders', replace: true }, ['to']],
    ['schedules.create', { jobId }, ['frequency']],
    ['schedules.create', { jobId, frequency: 'soon' }, ['frequency']],
    ['schedules.create', { jobId, frequency: 1.5, at: '09:**,' }, ['frequency', 'at']],
    ['schedules.create', { jobId, frequency: 60, at: 'Someday 10:00', timezone: 'Mars' }, ['at', 'timezone']],
    ['schedules.preview', { frequency: 59 }, ['frequency']],
    ['runs.list', { jobId, limit: 1000 }, ['limit']],
  ];
  for (const [operation, input, fields] of cases) {
    const found = await refused(operation, input);
    assert.deepEqual([found.name, found.fields], ['InvalidInput', fields], `${operation} ${JSON.stringify(input)}`);
  }
  const large = await refused('jobs.edit', { jobId, tables: { orders: { treat: excluding(6_500) } } });
  assert.equal(large.name, 'BadConfiguration');
  assert.match(large.message, /takes more than the 400 KB that DynamoDB has for an item: name fewer/);
});

test('a job without tables is not run by hand, and what a schedule runs of it says so', async () => {
  const job = await server.job('SELECT 1');
  const { name, message } = await refused('jobs.run', { jobId: job.jobId });
  assert.deepEqual(
    [name, message],
    ['Refused', `job ${job.jobId} has no tables: set it up first, by jobs setup ${job.jobId}`],
  );
  const { status, warnings } = await job.run();
  assert.deepEqual([status, warnings], ['idle', ['the job has no tables: run setup']]);
});

test('a run of a job whose tables are all disabled says why nothing is done', async () => {
  const job = await server.job('CREATE TABLE one (id int PRIMARY KEY)');
  await job.setup();
  await job.edit('one', { disabled: true });
  const { status, warnings } = await job.run();
  assert.deepEqual(
    [status, warnings],
    ['idle', ['all tables of the job are disabled: enable those that are to be copied']],
  );
});

test('an edit of an outdated version is refused, whoever made the newer one; setup makes none', async () => {
  const job = await theJob();
  const { jobId } = job;
  const versionOf = async () =>
    (await done<{ version: number }>(server, 'tables.show', { jobId, table: 'orders' })).version;
  const seen = await versionOf();
  await done(server, 'tables.edit', { jobId, table: 'orders', rowLimit: 500_000, ifVersion: seen });
  const late = await refused('tables.edit', { jobId, table: 'orders', disabled: true, ifVersion: seen });
  assert.equal(late.name, 'VersionConflict');
  assert.match(late.message, /is at version 1, not 0: look at it again/);

  await job.source.query('ALTER TABLE orders ADD COLUMN extra text');
  await job.setup();
  assert.equal(await versionOf(), seen + 1);
  await done(server, 'tables.edit', { jobId, table: 'orders', chunkSize: 50_000, ifVersion: seen + 1 });
  const { table } = await done<{ table: Record<string, unknown> & { columns: { source: string }[] } }>(
    server,
    'tables.show',
    { jobId, table: 'orders' },
  );
  assert.deepEqual([table.rowLimit, table.chunkSize, table.created], [500_000, 50_000, true]);
  assert.ok(table.columns.some(({ source }) => source === 'extra'));
  await done(server, 'tables.edit', { jobId, table: 'orders', rowLimit: null });
  const cleared = await done<{ table: object }>(server, 'tables.show', { jobId, table: 'orders' });
  assert.equal('rowLimit' in cleared.table, false);

  const { version } = await done<{ version: number }>(server, 'jobs.pause', { jobId });
  assert.equal((await refused('jobs.edit', { jobId, rowLimit: 9, ifVersion: version - 1 })).name, 'VersionConflict');
  await done(server, 'jobs.edit', { jobId, verifyEvery: 86_400 });
  await done(server, 'jobs.edit', { jobId, verifyEvery: null });
  assert.equal('verifyEvery' in (await done<{ job: object }>(server, 'jobs.show', { jobId })).job, false);
  const made = await done<{ version: number }>(server, 'schedules.create', { jobId, frequency: 60, enabled: false });
  await done(server, 'schedules.disable', { jobId, schedule: 'main', ifVersion: made.version });
  for (const operation of ['schedules.enable', 'schedules.delete'])
    assert.equal(
      (await refused(operation, { jobId, schedule: 'main', ifVersion: made.version })).name,
      'VersionConflict',
    );
  await done(server, 'jobs.resume', { jobId });
});

test('two schedules of one name are refused, whatever the case of their letters', async () => {
  const job = await theJob();
  const { jobId } = job;
  await done(server, 'schedules.create', { jobId, name: 'Every night', frequency: 86_400, at: '2:30' });
  const same = await refused('schedules.create', { jobId, name: 'every NIGHT', schedule: 'other', frequency: 60 });
  assert.deepEqual([same.name, same.fields], ['InvalidInput', ['name']]);
  const again = await refused('schedules.create', {
    jobId,
    name: 'Every  night!',
    schedule: 'every-night',
    frequency: 60,
  });
  assert.equal(again.name, 'AlreadyExists');
  const shown = await done<{ description: string; next: string[] }>(server, 'schedules.show', {
    jobId,
    schedule: 'every-night',
  });
  assert.equal(shown.description, 'every day at 02:30, UTC');
  assert.equal(shown.next.length, 10);
  await done(server, 'schedules.edit', { jobId, schedule: 'every-night', at: null, frequency: 120 });
  const edited = await done<{ description: string }>(server, 'schedules.show', { jobId, schedule: 'every-night' });
  assert.equal(edited.description, 'every 2 minutes');
});

test("a secret of somebody's own needs the tag, and outlives the job", async () => {
  const job = await theJob();
  const untagged = await secret('somebody/untagged', job.url, false);
  const input = { jobId: 'by-secret', destination: job.schema };
  const without = await refused('jobs.create', { ...input, secretArn: untagged });
  assert.equal(without.name, 'BadConfiguration');
  assert.match(without.message, /give it the tag redshift-loader/);
  const mine = await secret('somebody/tagged', job.url, true);
  await done(server, 'jobs.create', { ...input, secretArn: mine });
  await done(server, 'jobs.test-connection', { jobId: 'by-secret' });
  await done(server, 'jobs.delete', { jobId: 'by-secret', confirm: 'by-secret' });
  await done(server, 'jobs.create', { ...input, secretArn: mine });
  await done(server, 'jobs.edit', { jobId: 'by-secret', connectionString: job.url });
  await done(server, 'jobs.edit', { jobId: 'by-secret', connectionString: job.url });
  await done(server, 'jobs.delete', { jobId: 'by-secret', confirm: 'by-secret' });
  const kept = JSON.parse(readFileSync(join(server.state, 'aws/secrets.json'), 'utf8')) as { Name: string }[];
  const names = kept.map(({ Name }) => Name);
  assert.ok(names.includes('somebody/tagged'));
  assert.deepEqual(
    names.filter((name) => name.includes('by-secret')),
    [],
  );
});

test('a job that a person broke by hand is shown with what is wrong, can be mended, and deleted', async () => {
  const job = await theJob();
  await done(server, 'jobs.create', { jobId: 'broken', destination: job.schema, connectionString: job.url });
  await server.operator.edits.edit('broken', 'JOB', { rowLimit: 'many' }, 1);
  const shown = await done<{ error: string; version: number }>(server, 'jobs.show', { jobId: 'broken' });
  assert.match(shown.error, /rowLimit is "many": give a whole number above 0/);
  const { jobs } = await done<{ jobs: { jobId: string; error: string | null }[] }>(server, 'jobs.list');
  assert.match(jobs.find(({ jobId }) => jobId === 'broken')?.error ?? '', /rowLimit/);
  await done(server, 'jobs.edit', { jobId: 'broken', rowLimit: 200_000, ifVersion: shown.version });
  assert.equal((await done<{ error: null }>(server, 'jobs.show', { jobId: 'broken' })).error, null);
  await server.operator.edits.edit('broken', 'JOB', { rowLimit: 'many' }, 3);
  await done(server, 'jobs.delete', { jobId: 'broken', confirm: 'broken' });
});

test('a job that was set up keeps its destination, by whatever name the deployment has it: another would lack its rows', async () => {
  const { jobId: other, schema, url } = await theJob();
  await done(server, 'jobs.create', { jobId: 'moving', destination: 'warehouse', connectionString: url });
  await done(server, 'jobs.edit', { jobId: 'moving', destination: schema });
  const { fields, message } = await refused('jobs.edit', { jobId: other, destination: 'warehouse' });
  assert.deepEqual(fields, ['destination']);
  assert.match(message, new RegExp(`setup has made the job's tables in ${schema} – create another job for warehouse`));
  await done(server, 'jobs.edit', { jobId: other, destination: schema, gapDays: 7 });
  const { version } = await done<{ version: number }>(server, 'jobs.show', { jobId: other });
  await server.operator.edits.edit(other, 'JOB', { destination: 'its-former-name' }, version);
  await done(server, 'jobs.edit', { jobId: other, destination: schema });
  await done(server, 'jobs.delete', { jobId: 'moving', confirm: 'moving' });
});
