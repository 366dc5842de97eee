import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../../local/postgres.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-cli-'));
const script = fileURLToPath(new URL('../../local/start.ts', import.meta.url));
after(() => rmSync(dir, { recursive: true, force: true }));

const PASSWORD = 'hush-hush-4711';
const state = (name: string) => ['--state', join(dir, name)];
const shop = (name: string) => [...state(name), '--rows', '5000'];

/** Runs to its end: exit code 2, one message without a stack trace or a password. */
async function refuses(args: string[], expected: string | RegExp, env: NodeJS.ProcessEnv = {}): Promise<void> {
  const child = spawn(process.execPath, [script, ...args], { env: { ...process.env, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  const [code] = await once(child, 'close');
  assert.equal(code, 2, out + err);
  if (typeof expected === 'string') assert.equal(err.trim(), expected);
  else assert.match(err, expected);
  assert.doesNotMatch(out + err, /\n\s+at /, 'no stack trace');
  assert.ok(!(out + err).includes(PASSWORD), 'no password');
}

const HINT = '(npm start -- --help lists the options)';

test('what was mistyped is said, without the password in it', async () => {
  await refuses(
    ['--rows', '0'],
    `error: option '--rows <n>' argument '0' is invalid. Give a whole number above 0.\n${HINT}`,
  );
  await refuses(
    ['--port', '70000'],
    `error: option '--port <n>' argument '70000' is invalid. Give a port from 1 to 65535.\n${HINT}`,
  );
  await refuses([`--sorce=postgres://u:${PASSWORD}@h/db`], /^error: unknown option '--sorce=postgres:\/\/…@h\/db'/);
  await refuses([`postgres://u:${PASSWORD}@h/db`], /too many arguments/);
});

test('options that npm has taken for its own, or that have no part in it, are refused', async () => {
  const asNpm = { npm_lifecycle_event: 'start', npm_config_source: 'true', npm_config_fresh: 'true' };
  await refuses(
    ['postgres://h/db'],
    'BadConfiguration: npm has kept --source <url> --fresh for itself: write npm start -- --source <url> --fresh',
    asNpm,
  );
  await refuses(
    ['--source', 'postgres://u:p@127.0.0.1:1/db', ...shop('unreachable')],
    'BadConfiguration: --rows is for the demo shop, which a --source takes the place of: leave one of them out',
  );
});

test('a source that cannot be used is named at once, and binds no folder', async () => {
  await refuses(
    ['--source', `postgres://u:${PASSWORD}@127.0.0.1:1/db`, ...state('unreachable')],
    'SourceUnavailable: cannot reach 127.0.0.1:1/db – nobody answers there: check host, port and security group',
  );
  await refuses(
    ['--source', `postgres://u:${PASSWORD}@h:x/db`, ...state('unreachable')],
    'BadConfiguration: the connection string is malformed: write postgres://user:password@host:5432/database, special characters as %XX',
  );
  for (const url of [`mysql://u:${PASSWORD}@h/db`, `jdbc:postgresql://h/db?user=u&password=${PASSWORD}`])
    await refuses(
      ['--source', url, ...state('unreachable')],
      'BadConfiguration: the connection string is no Postgres URL: write postgres://user:password@host:5432/database',
    );
  await refuses(
    ['--source', '', ...state('unreachable')],
    'BadConfiguration: --source is empty: write postgres://user:password@host:5432/database',
  );
  const example = 'write postgres://user:password@host:5432/database';
  await refuses(state('unreachable'), `BadConfiguration: LOADER_SOURCE is empty: ${example}`, { LOADER_SOURCE: '' });
  assert.equal(existsSync(join(dir, 'unreachable')), false);
});

test('a schema that is mistyped is named, and binds no folder', async () => {
  await refuses(
    ['--schema', 'nope', ...shop('mistyped')],
    'BadConfiguration: --schema needs a --source: the demo shop has the schema public alone',
  );
  const server = await startPostgres({ dir: join(dir, 'source'), name: 'source' });
  try {
    const url = await server.createDatabase('app');
    const refusesIt = (args: string[], env = {}) =>
      refuses(
        [...args, '--schema', 'nope', ...state('mistyped')],
        'BadConfiguration: the source has no schema nope: name with --schema one of public',
        env,
      );
    await refusesIt(['--source', url]);
    // Where no other process sees it; what stands on the command line comes first.
    await refusesIt([], { LOADER_SOURCE: url });
    await refusesIt(['--source', url], { LOADER_SOURCE: 'mysql://h/db' });
    assert.equal(existsSync(join(dir, 'mistyped')), false);
  } finally {
    await server.stop();
  }
});

test('a report that cannot be written is refused before the run', async () => {
  const file = join(dir, 'nowhere', 'report.json');
  await refuses(
    ['--report', file, ...shop('report')],
    `BadConfiguration: --report ${file} can't be written: ${join(dir, 'nowhere')} does not exist: create it, or name another file`,
  );
  await refuses(['--report', dir], `BadConfiguration: --report ${dir} can't be written: it is no file: name another`);
});

test('a state folder that is no folder, not ours, damaged or another source’s is refused and left alone', async () => {
  const advice = 'choose a folder that can be written, or name another with --state';
  await refuses(['--state', '/proc/redshift'], `BadConfiguration: /proc/redshift can't be used (ENOENT): ${advice}`);
  await refuses(['--state', script], `BadConfiguration: ${script} can't be used (ENOTDIR): ${advice}`);

  const strange = join(dir, 'strange');
  mkdirSync(strange);
  writeFileSync(join(strange, 'thesis.txt'), 'years of work');
  const notOurs = `BadConfiguration: ${strange} holds files that are not Redshift Loader's: name another folder with --state`;
  await refuses(['--state', strange], notOurs);
  await refuses(['--state', strange, '--fresh'], notOurs);
  assert.deepEqual(readdirSync(strange), ['thesis.txt']);

  const other = join(dir, 'other');
  mkdirSync(other);
  const marker = join(other, 'redshift-loader.json');
  writeFileSync(marker, '{"source": "db.example:5432/shop"}');
  await refuses(
    ['--state', other],
    `BadConfiguration: ${other} replicates db.example:5432/shop, not the demo shop: name another folder with --state, or start over with --fresh`,
  );
  writeFileSync(marker, 'half a');
  await refuses(
    ['--state', other],
    `BadConfiguration: ${marker} is damaged: start over with --fresh, or name another folder with --state`,
  );
  assert.deepEqual(readdirSync(other), ['redshift-loader.json']);
});

test('a port that is taken is named at once, and binds no folder', async () => {
  const stranger = createServer().listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const address = stranger.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  try {
    await refuses(
      ['--port', String(port), ...shop('port')],
      `PortTaken: port ${port} for the local cloud is in use – stop what listens there, or give another with --port; without it any free one is taken`,
    );
    assert.equal(existsSync(join(dir, 'port')), false);
  } finally {
    stranger.close();
  }
});

test('of two starts on one folder the second is refused, --fresh too, and the first goes on', async () => {
  const first = spawn(process.execPath, [script, ...shop('shared')], { stdio: 'ignore' });
  const ended = once(first, 'exit');
  while (!existsSync(join(dir, 'shared', 'lock'))) await sleep(20);
  const expected = `StateInUse: process ${first.pid} works in ${join(dir, 'shared')}: wait for it or stop it, or name another with --state`;
  await refuses(shop('shared'), expected);
  await refuses([...shop('shared'), '--fresh'], expected);
  assert.equal((await ended)[0], 0);
});

/** Starts in a file system of so many MB. */
async function onSmallDisk(t: TestContext, size: number, rows: number, expected: RegExp): Promise<void> {
  const small = join(dir, `small-${size}`);
  mkdirSync(small);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}m,mode=755`, 'none', small]).status !== 0)
    return t.skip('mounting a small file system needs root');
  try {
    await refuses(['--state', join(small, 'state'), '--rows', String(rows)], expected);
  } finally {
    spawnSync('umount', ['-l', small]);
  }
}

test('a disk without space is named', (t) =>
  onSmallDisk(t, 8, 5_000, /^\s*DiskFull: no space left for \w+ in \S+ – free some/));

test('a disk that is full only later is named', (t) =>
  onSmallDisk(t, 110, 300_000, /^\s*DiskFull: no space left in \S+ – free some, or name another folder with --state/));
