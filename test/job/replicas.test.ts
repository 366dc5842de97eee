import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Postgres, startPostgres } from '../../local/postgres.ts';
import { connectSource } from '../../shared/source/connect.ts';
import { openSnapshot } from '../../shared/source/session.ts';
import { copyAsStandby } from '../source/standby.ts';
import { openSourceProxy, type SourceProxy } from '../torture/faults/source-proxy.ts';
import { bench } from './harness.ts';
import { Interruptions } from './interruptions.ts';

const during = new Interruptions();
const server = bench(during.options);
const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-replicas-'));
/** The first checkpoint after a failover takes as long as this lets it. */
const SETTINGS = { wal_level: 'replica', checkpoint_timeout: '30min', max_wal_size: '4GB', autovacuum: 'off' };
const started: Postgres[] = [];
const clients: pg.Client[] = [];
let primary: pg.Client;
let replica: pg.Client;
const urls = { primary: '', replica: '' };
/** One address for both: who answers the next connection. */
let answering: keyof typeof urls = 'primary';
let address: SourceProxy;

const start = async (name: string): Promise<Postgres> => {
  const one = await startPostgres({ dir: join(dir, name), name, settings: SETTINGS });
  started.push(one);
  return one;
};
const connect = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
};
const shopOf = ({ url }: Postgres): string => url.replace(/\/[^/]*$/, '/shop');

before(async () => {
  chmodSync(dir, 0o755);
  const first = await start('primary');
  await first.createDatabase('shop');
  await first.stop();
  copyAsStandby(join(dir, 'primary'), join(dir, 'replica'));
  const [one, other] = [await start('primary'), await start('replica')];
  [urls.primary, urls.replica] = [shopOf(one), shopOf(other)];
  [primary, replica] = [await connect(urls.primary), await connect(urls.replica)];
  const { password } = new URL(one.url);
  await replica.query(
    `ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=${one.port} user=postgres password=${password}'`,
  );
  await replica.query('SELECT pg_reload_conf()');
  address = await openSourceProxy(
    () => Number(new URL(urls[answering]).port),
    () => 'pass',
  );
});
after(async () => {
  await address?.stop();
  for (const client of clients) await client.end();
  for (const one of started.toReversed()) await one.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** The replica falls behind what the primary does from now on, and goes on in a while. */
async function lagging(): Promise<void> {
  const { rows } = await primary.query('SELECT pg_current_wal_lsn() AS lsn');
  for (let tries = 0; ; tries++) {
    const { rows: found } = await replica.query(`SELECT pg_last_wal_replay_lsn() >= '${rows[0].lsn}' AS yes`);
    if (found[0].yes) break;
    if (tries === 300) assert.fail('the replica does not follow');
    await sleep(100);
  }
  await replica.query('SELECT pg_wal_replay_pause()');
}
const goesOn = (): unknown => replica.query('SELECT pg_wal_replay_resume()');
/** From now on the replica answers, which goes on before long. */
function replicaAnswers(pausedMs = 1_500): void {
  answering = 'replica';
  setTimeout(goesOn, pausedMs);
}

/** A job that has loaded a table of this name from the primary, by an address that stands for both. */
async function loaded(name: string, more = {}) {
  answering = 'primary';
  await primary.query(`
    CREATE TABLE ${name} (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON ${name} (updated_at);
    INSERT INTO ${name} (note, updated_at) SELECT 'row ' || n, now() - interval '1 h' FROM generate_series(1, 100) n`);
  const job = await server.job('SELECT', { url: () => address.through(urls.primary), ...more });
  await job.setup();
  for (const { sourceName } of (await job.read()).tables)
    if (sourceName !== name) await job.edit(sourceName, { disabled: true });
  assert.equal((await job.run()).status, 'succeeded');
  const ids = async () => (await job.rows(`SELECT id::int FROM $.${name} ORDER BY 1`)).map(({ id }) => id);
  return { ...job, ids };
}
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const insert = (name: string, rows: number) =>
  primary.query(`INSERT INTO ${name} (note) SELECT 'new ' || n FROM generate_series(1, ${rows}) n`);

test('a chunk that is read from a replica waits until it has what the cut has seen', async () => {
  const job = await loaded('chunks', { rowLimit: 1_000, chunkSize: 100 });
  await lagging();
  await insert('chunks', 200);
  during.atState('Each chunk', () => replicaAnswers());
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual(await job.ids(), upTo(300));
});

test('so does a cut that goes on with a pass: what the replica lacks is not the end', async () => {
  const job = await loaded('batches', { rowLimit: 100, chunkSize: 100 });
  await lagging();
  await insert('batches', 200);
  during.atState('Split', () => during.atState('Split', () => replicaAnswers()));
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(answering, 'replica');
  assert.deepEqual(await job.ids(), upTo(300));
});

/** A pass of several batches: what its second is to bring comes when the first has been cut, and the replica lacks it. */
async function inBatches(name: string, afterwards: () => void) {
  const job = await loaded(name, { rowLimit: 100, chunkSize: 100 });
  await job.edit(name, { copyMode: 'INSERT_ONLY', deletes: 'remove' });
  await job.run();
  await insert(name, 150);
  during.atState('Split', () =>
    during.atState('Split', async () => {
      await lagging();
      await insert(name, 50);
      afterwards();
    }),
  );
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.deepEqual(await job.ids(), upTo(300));
  return job;
}

test('so does a chunk of a later batch: what counts is its own cut, not the first of the pass', async () => {
  await inBatches('later', () => during.atState('Each chunk', () => replicaAnswers()));
  assert.equal(answering, 'replica');
});

test('so does a comparison of keys for the last cut of a pass', async () => {
  const job = await inBatches('cuts', () => undefined);
  // Long enough for the rows to be looked at twice, and removed.
  replicaAnswers(10_000);
  const compared = await server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['cuts'] });
  const { deleted = 0, reconcileError } = compared.get('cuts') ?? assert.fail();
  assert.deepEqual([deleted, reconcileError], [0, undefined]);
  assert.deepEqual(await job.ids(), upTo(300));
});

test('so does a run: a replica that lags is no server that was restored', async () => {
  const job = await loaded('looks');
  await lagging();
  await insert('looks', 10);
  assert.equal((await job.run()).tables.looks?.rows, 10);
  replicaAnswers();
  const run = await job.run();
  assert.equal(run.status, 'idle', JSON.stringify(run));
  assert.deepEqual(await job.ids(), upTo(110));
});

test('a comparison of keys removes no row that the replica which answers has not got yet', async () => {
  const job = await loaded('payments');
  await job.edit('payments', { deletes: 'remove' });
  await lagging();
  await insert('payments', 10);
  await job.run();
  replicaAnswers();
  const compared = await server.operator.compare(job.jobId, { kind: 'reconcile', tables: ['payments'] });
  const { deleted = 0, reconcileError } = compared.get('payments') ?? assert.fail();
  assert.deepEqual([deleted, reconcileError], [0, undefined]);
  assert.deepEqual(await job.ids(), upTo(110));
});

test('a run between two looks waits for what the first has seen: what the replica lacks is no difference', async () => {
  const job = await loaded('looked');
  await lagging();
  await primary.query("UPDATE looked SET note = 'changed', updated_at = now() WHERE id = 7");
  const first = await server.operator.compare(job.jobId, { tables: ['looked'] });
  assert.equal(first.get('looked')?.suspects?.rows, 1);
  replicaAnswers();
  const run = await job.run();
  assert.equal(run.tables.looked?.rows, 1, JSON.stringify(run));
  answering = 'primary';
  assert.equal((await job.run()).status, 'idle');
  await server.operator.compared();
  const { found, suspects } = (await job.read()).compared.get('looked') ?? assert.fail();
  assert.deepEqual([found?.different, found?.missing, found?.extra, suspects], [0, 0, 0, undefined]);
});

test('a replica that goes on lagging is told of, with what to do', async () => {
  const job = await loaded('lags');
  await lagging();
  await insert('lags', 1);
  const [ahead, behind] = [await connectSource(urls.primary), await connectSource(urls.replica)];
  try {
    const { job: settings } = await job.read();
    const { snapshot } = await openSnapshot(ahead, settings, ['lags']);
    assert.ok(snapshot.lsn);
    await ahead.query('COMMIT');
    for (const seen of [[snapshot], [{ ...snapshot, lsn: '0/1' }, snapshot]])
      await assert.rejects(openSnapshot(behind, settings, ['lags'], seen), {
        name: 'SourceUnavailable',
        message: /the replica that answered lags behind .* connect to the primary, or to one replica/,
      });
    const { lsn: _untold, ...rest } = snapshot;
    await assert.rejects(openSnapshot(behind, settings, ['lags'], [rest]), /lags behind/);
    await behind.query('ROLLBACK');
    const elsewhere = { ...snapshot, system: '7' };
    const again = await openSnapshot(behind, settings, ['lags'], [elsewhere]);
    await behind.query('COMMIT');
    await openSnapshot(behind, settings, ['lags'], [again.snapshot]);
  } finally {
    for (const client of [ahead, behind]) await client.end();
    await goesOn();
  }
});

test('a failover counts from its first transaction on, though the control file tells of it after the first checkpoint', async () => {
  const job = await loaded('failing', { scanBack: 0 });
  // Much that a checkpoint has to write, and so takes its time for.
  await primary.query("CREATE TABLE tmp_junk AS SELECT n, repeat('x', 4000) FROM generate_series(1, 12000) n");
  await lagging();
  await goesOn();
  await replica.query('ALTER SYSTEM RESET primary_conninfo');
  await replica.query('SELECT pg_reload_conf()');
  await sleep(500);
  for (let i = 0; i < 10; i++) await primary.query("INSERT INTO failing (note) VALUES ('lost')");
  await job.run();
  for (const one of started) if (shopOf(one) === urls.primary) await one.stop();
  await replica.query('SELECT pg_promote()');
  for (let i = 0; i < 5; i++) await replica.query("INSERT INTO failing (note) VALUES ('after the failover')");
  for (let i = 0; i < 20; i++) await replica.query('SELECT pg_current_xact_id()');
  const { rows } = await replica.query('SELECT timeline_id FROM pg_control_checkpoint()');
  assert.deepEqual(rows, [{ timeline_id: 1 }], 'the checkpoint is under way');
  answering = 'replica';
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.rows("SELECT count(*)::int AS n FROM $.failing WHERE note = 'after the failover'"), [
    { n: 5 },
  ]);
});
