import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import pg from 'pg';
import { NAMES } from '../../infra/names.ts';
import { readAddress } from '../../local/admin-address.ts';
import { type Postgres, startPostgres } from '../../local/postgres.ts';
import { Report } from '../../local/ui/report-schema.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-admin-'));
const state = join(dir, 'state');
const report = join(dir, 'report.json');
const script = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
let postgres: Postgres;
let serving: ReturnType<typeof spawn> | undefined;
let orders: string;
let source: pg.Client;
/** Runs a statement in the warehouse that is served. */
let warehouse: (sql: string) => Promise<void>;

before(async () => {
  postgres = await startPostgres({ dir: join(dir, 'source'), name: 'source' });
  const served = await postgres.createDatabase('served');
  await run(
    served,
    `CREATE TABLE served (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON served (updated_at); INSERT INTO served VALUES (1)`,
  );
  orders = await postgres.createDatabase('orders');
  await run(
    orders,
    `CREATE TABLE people (id bigserial PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON people (updated_at); CREATE TABLE lines (id bigserial PRIMARY KEY, line text);
     INSERT INTO people (name) VALUES ('a'), ('b'); INSERT INTO lines (line) VALUES ('one')`,
  );
  source = new pg.Client({ connectionString: orders });
  await source.connect();
  const options = ['--serve', '--source', served, '--state', state, '--report', report];
  const child = spawn(process.execPath, [
    '--import',
    script('test/cli/jumping-clock.mjs'),
    script('local/start.ts'),
    ...options,
  ]);
  serving = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  while (!output.includes('Ctrl-C stops') && child.exitCode === null) await sleep(100);
  assert.match(output, /Commands {3}npm run admin -- --state .*state --help/);
  const [, url = ''] = /Warehouse\s+(postgres:\S+)/.exec(output) ?? [];
  warehouse = (sql) => run(url, sql);
});

after(async () => {
  await source?.end();
  if (serving?.exitCode === null) {
    serving.kill('SIGINT');
    await once(serving, 'exit');
  }
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** One command, as somebody types it. */
async function admin(
  args: string[],
  { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [script('cli/admin.ts'), '--state', state, ...args], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code, out, err };
}

/** @returns what a command printed that went well */
async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await admin(args);
  assert.equal(code, 0, `${args.join(' ')}: ${out}${err}`);
  return out;
}

const rowsOf = (out: string): Record<string, number> =>
  Object.fromEntries(
    (JSON.parse(out) as { tables: { table: string; rows: number }[] }).tables.map(({ table, rows }) => [table, rows]),
  );

/** The runs that the schedules of a job have started and that have ended: how many, and the rows of each table together. */
async function ticked(job: string): Promise<{ runs: number; rows: Record<string, number> }> {
  const { runs } = JSON.parse(await done('runs', 'list', job, '--json')) as {
    runs: { runId: string; trigger: string; status: string; rows: number }[];
  };
  const ended = runs.filter(({ trigger, status }) => trigger === 'schedule' && status !== 'running');
  const rows: Record<string, number> = {};
  for (const { runId } of ended.filter((one) => one.rows > 0))
    for (const [table, count] of Object.entries(rowsOf(await done('runs', 'show', job, runId, '--json'))))
      rows[table] = (rows[table] ?? 0) + count;
  return { runs: ended.length, rows };
}

/** Lets a minute pass, and waits until one more tick has run. */
async function nextTick(job: string): Promise<Record<string, number>> {
  const before = await ticked(job);
  serving?.kill('SIGUSR2');
  for (let look = 0; look < 30; look++) {
    const now = await ticked(job);
    if (now.runs > before.runs) return now.rows;
    await sleep(500);
  }
  throw new Error(`no tick of ${job} has run`);
}

/** What EventBridge Scheduler holds for a job. */
async function held(job: string): Promise<string[]> {
  const scheduler = new SchedulerClient(readAddress(state));
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ NamePrefix: `${job}.` }));
  return Schedules.map(({ Name = '' }) => Name);
}

async function heldIs(job: string, names: string[]): Promise<void> {
  for (let look = 0; look < 50 && (await held(job)).join() !== names.join(); look++) await sleep(100);
  assert.deepEqual(await held(job), names);
}

const secrets = () => readFileSync(join(state, 'aws', 'secrets.json'), 'utf8');

test('a job lives its whole life on the command line alone, beside the one that is served', async () => {
  const created = await admin(['jobs', 'create', 'orders', '--destination', 'warehouse', '--connection-string-stdin'], {
    input: `${orders}\n`,
  });
  assert.deepEqual([created.code, created.err], [0, '']);
  assert.match(secrets(), /\/orders"/);
  assert.match(await done('jobs', 'test-connection', 'orders'), /server\s+Postgres 17.*\n\s+tables\s+2\n/);
  assert.match(await done('jobs', 'setup', 'orders'), /setup\s+succeeded\n\s+tables\s+2\n/);
  assert.match(await done('tables', 'list', 'orders'), /lines\s+FULL_DATA_SYNC\s+not loaded yet/);
  await done('tables', 'edit', 'orders', 'lines', '--copy-mode', 'INSERT_ONLY', '--if-version', '0');
  assert.match(await done('tables', 'show', 'orders', 'lines'), /copyMode\s+INSERT_ONLY\n/);

  const first = JSON.parse(await done('jobs', 'run', 'orders', '--wait', '--json'));
  assert.equal(first.status, 'succeeded');
  assert.deepEqual(rowsOf(await done('runs', 'show', 'orders', '--json')), { lines: 1, people: 2 });
  assert.match(await done('tables', 'list', 'orders'), /lines\s+INSERT_ONLY\s+well/);

  const hour = new Date().getUTCHours();
  const hours = [hour, (hour + 1) % 24].map((one) => `${String(one).padStart(2, '0')}:**`);
  const scheduled = await done('schedules', 'create', 'orders', '--every', '60', '--at', hours.join());
  assert.match(scheduled, /runs\s+every minute between \d\d:00 and/);
  assert.match(await done('schedules', 'list', 'orders'), /main\s+main\s+every minute/);
  await heldIs('orders', ['orders.main']);

  await done('tables', 'edit', 'orders', 'people', '--disabled');
  await source.query(`INSERT INTO people (name) VALUES ('c'); INSERT INTO lines (line) VALUES ('two'), ('three')`);
  assert.deepEqual(await nextTick('orders'), { lines: 2 }, 'people are left out');
  assert.match(await done('tables', 'reset', 'orders', 'lines'), /next run loads all of lines again/);
  await done('tables', 'edit', 'orders', 'people', '--no-disabled');
  assert.deepEqual(await nextTick('orders'), { lines: 2 + 3, people: 1 }, 'lines are loaded again, people are back');

  assert.match(await done('jobs', 'pause', 'orders'), /rests until/);
  assert.match(await done('schedules', 'show', 'orders', 'main'), /next \(UTC\)\s+none: the job is paused/);
  assert.match(await done('jobs', 'verify', 'orders'), /lines +3 +0 +0 +0 +identical ✓\n/);
  await warehouse("UPDATE lines SET line = 'wrong' WHERE id = 2");
  const differs = await admin(['jobs', 'verify', 'orders', '--tables', 'lines']);
  assert.deepEqual([differs.code, differs.err], [1, '']);
  assert.match(
    differs.out,
    /lines +3 +0 +0 +1 +DIFFERENT ✗\n(?:.*\n)+ +✗ lines\n +the rows are named in\s+compare\/orders\//,
  );
  const repaired = await admin(['jobs', 'verify', 'orders', '--repair']);
  assert.match(repaired.out, /lines +3 +0 +0 +1 +repaired !/);
  assert.equal(repaired.code, 1, 'somebody should ask why they differed');
  await done('jobs', 'verify', 'orders', '--tables', 'lines');

  await done('jobs', 'delete', 'orders', '--confirm', 'orders');
  const { jobs } = JSON.parse(await done('jobs', 'list', '--json')) as { jobs: { jobId: string }[] };
  assert.deepEqual(
    jobs.map(({ jobId }) => jobId),
    ['source'],
  );
  await heldIs('orders', []);
  assert.doesNotMatch(secrets(), /\/orders"/);
});

/** Asks the admin function itself: a command would begin when a run that finds nothing has long ended. */
async function testConnection(): Promise<void> {
  const Payload = JSON.stringify({ operation: 'jobs.test-connection', jobId: 'source' });
  await new LambdaClient(readAddress(state)).send(new InvokeCommand({ FunctionName: NAMES.admin, Payload }));
}

async function testUntil(ended: Promise<unknown>): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  ended.then(end, end);
  while (!over) await testConnection();
}

test("a run's report counts the run's own calls, whatever else is done meanwhile", async () => {
  const { control } = Report.parse(JSON.parse(readFileSync(report, 'utf8')));
  const again = async () => Report.parse(await (await fetch(`${control}/run`, { method: 'POST' })).json());
  // Nothing has changed: one function that asks the source, and neither S3 nor Redshift.
  for (const meanwhile of [async () => undefined, testUntil]) {
    // So that its functions have started, and answer while the run goes on.
    await testConnection();
    const report = again();
    const [{ run, tables, calls }] = await Promise.all([report, meanwhile(report)]);
    assert.deepEqual(
      [run, tables.map(({ name, mode, rows }) => [name, mode, rows])],
      ['incremental', [['served', 'INSERT_AND_UPDATE', 0]]],
    );
    assert.deepEqual([calls.lambda, calls.redshiftData, calls.s3], [1, 0, 0]);
    assert.ok(calls.transitions <= 8);
  }
});

test('what is refused ends with 1 and says which option is wrong; what is not understood ends with 2', async () => {
  const refused = await admin(['schedules', 'create', 'source', '--every', '59', '--at', '25:00']);
  assert.deepEqual([refused.code, refused.out], [1, '']);
  assert.match(refused.err, /^InvalidInput\n {2}--every is 59: .*give 60 or more\n {2}--at "25:00" has the hour 25/);
  for (const [args, expected] of [
    ['jobs show Orders', '<job> takes 1 to 40 of a-z, 0-9 and -'],
    [
      'tables edit source served --sort-key x',
      '--sort-key names "x", which is none of its copied columns: correct the name',
    ],
    [
      'tables edit source served --copy-mode INSERT_ONLY --primary-key x',
      '--primary-key: the key column "x" does not exist at the source: correct the table\'s keys',
    ],
    ['jobs edit source --min-share 2', '--min-share is 2: give a number from 0 to 1'],
    ['runs list source --limit 101', '--limit is 101: give a whole number from 1 to 100'],
    [
      'jobs edit source --row-limit 10 --chunk-size 20',
      '--chunk-size is larger than --row-limit: a batch is cut into chunks, so give at most --row-limit',
    ],
    ['tables edit source served', 'nothing to change: give at least one field (tables edit --help lists the options)'],
    ['tables edit source served --treat id=hide', '--treat: id is "hide": choose exclude, sha256, null'],
  ] as const)
    assert.equal((await admin(args.split(' '))).err, `InvalidInput\n  ${expected}\n`);
  const broken = await admin(['jobs', 'edit', 'source', '--tables', '{"a":']);
  assert.deepEqual([broken.code, broken.out], [2, '']);
  assert.match(broken.err, /^error: option '--tables <json>' .* Write JSON, such as /);
  const unknown = await admin(['jobs', 'show', 'nobody', '--json']);
  assert.equal(unknown.code, 1);
  assert.equal(JSON.parse(unknown.err).error.name, 'NotFound');
  assert.equal((await admin(['jobs', 'shw'])).code, 2);
  assert.equal((await admin(['tables', 'edit', 'source'])).code, 2);
  assert.equal((await admin(['schedules', 'create', 'source'])).code, 2);
  const without = await admin(['jobs', 'create', 'x', '--destination', 'warehouse']);
  assert.match(without.err, /^InvalidInput\n {2}--connection-string-stdin give either a connection string or/);
  const mistyped = await admin(['jobs', 'create', 'x', '--destinaton', 'postgres://user:secret@host/db']);
  assert.equal(mistyped.code, 2);
  assert.doesNotMatch(mistyped.err, /secret@/);
});

test("a connection string comes from the environment as well, and its password isn't shown when it is refused", async () => {
  const env = { LOADER_CONNECTION_STRING: `${new URL(orders).href.replace(/:[^:@/]*@/, ':not-the-password@')}` };
  assert.equal((await admin(['jobs', 'create', 'guess', '--destination', 'warehouse'], { env })).code, 0);
  const tested = await admin(['jobs', 'test-connection', 'guess']);
  assert.equal(tested.code, 1);
  assert.match(tested.err, /^SourceRefused\n.*password is refused/);
  assert.doesNotMatch(tested.err, /not-the-password/);
  const twice = await admin(['jobs', 'create', 'guess', '--destination', 'warehouse'], { env });
  assert.match(twice.err, /^AlreadyExists\n/);
});

test('the address of a served folder is for its user alone, and goes when serving ends', async () => {
  assert.equal(statSync(join(state, 'admin.json')).mode & 0o777, 0o600);
  serving?.kill('SIGINT');
  if (serving) await once(serving, 'exit');
  assert.equal(existsSync(join(state, 'admin.json')), false);
  const { code, err } = await admin(['jobs', 'list']);
  assert.equal(code, 1);
  assert.match(err, /NotServed: nothing serves .*state: start it with npm start -- --serve --state/);
});
