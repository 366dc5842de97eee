import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import * as z from 'zod';
import { type Postgres, type PostgresOptions, startPostgres } from '../../local/postgres.ts';
import { identityOf } from '../../local/processes.ts';

const scratch = mkdtempSync(join(tmpdir(), 'redshift-loader-postgres-'));
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));

async function withPostgres<T>(
  options: Partial<PostgresOptions>,
  work: (postgres: Postgres) => Promise<T>,
): Promise<T> {
  const postgres = await startPostgres({ dir: join(scratch, 'shared'), name: 'source', ...options });
  try {
    return await work(postgres);
  } finally {
    await postgres.stop();
  }
}

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/** Another process that starts Postgres on `dir` and then stays until it is killed. */
async function startElsewhere(dir: string): Promise<{ pid: number; postmaster: number; ended: Promise<unknown> }> {
  const module = join(import.meta.dirname, '../../local/postgres.ts');
  const code = `import { startPostgres } from ${JSON.stringify(module)};
    await startPostgres({ dir: ${JSON.stringify(dir)}, name: 'source' }); console.log('up'); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  return { pid: child.pid ?? 0, postmaster: postmasterOf(dir), ended };
}

function postmasterOf(dir: string): number {
  const elsewhere = join(dir, 'elsewhere');
  const data = existsSync(elsewhere) ? readFileSync(elsewhere, 'utf8').trim() : dir;
  return Number(readFileSync(join(data, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
}

async function untilEnded(pid: number): Promise<void> {
  for (let i = 0; identityOf(pid) !== undefined; i++) {
    assert.ok(i < 200, `process ${pid} is still alive`);
    await sleep(25);
  }
}

test('whatever npm has to run of what it installs is allowed on every system: newer ones run nothing else', () => {
  const read = (file: string) => JSON.parse(readFileSync(join(import.meta.dirname, '../..', file), 'utf8'));
  const Names = z.array(z.string()).optional();
  const Lock = z.object({
    packages: z.record(z.string(), z.object({ hasInstallScript: z.boolean().default(false), os: Names, cpu: Names })),
  });
  const { allowScripts } = z
    .object({ allowScripts: z.record(z.string(), z.literal(true)) })
    .parse(read('package.json'));
  const needed = Object.entries(Lock.parse(read('package-lock.json')).packages).flatMap(
    ([path, { hasInstallScript, os = ['linux'], cpu = ['x64'] }]) => {
      const supported = os.some((one) => /^(linux|darwin)$/.test(one)) && cpu.some((one) => /^(x64|arm64)$/.test(one));
      return hasInstallScript && supported ? [path.replace(/^.*node_modules\//, '')] : [];
    },
  );
  assert.deepEqual(Object.keys(allowScripts).sort(), needed.sort());
});

test('data written before a stop are there after the next start', async () => {
  await withPostgres({}, async (postgres) => {
    const url = await postgres.createDatabase('orders');
    await query(url, 'CREATE TABLE t AS SELECT 42 AS answer');
  });
  const rows = await withPostgres({}, async (postgres) => query(await postgres.createDatabase('orders'), 'TABLE t'));
  assert.deepEqual(rows, [[42]]);
});

test('a server speaks UTF-8 and UTC, by password only, and takes the settings it is given', async () => {
  await withPostgres({ settings: { wal_level: 'logical', max_prepared_transactions: '7' } }, async ({ url, port }) => {
    const names = ['server_encoding', 'TimeZone', 'wal_level', 'max_prepared_transactions'];
    const values = await query(url, `SELECT ${names.map((name) => `current_setting('${name}')`).join(', ')}`);
    assert.deepEqual(values, [['UTF8', 'UTC', 'logical', '7']]);
    await assert.rejects(query(`postgres://postgres:wrong@127.0.0.1:${port}/postgres`, 'SELECT 1'), /password/);
  });
});

test('the server that a killed process has left behind is ended by the next start', async () => {
  const dir = join(scratch, 'orphan');
  const { pid, postmaster, ended } = await startElsewhere(dir);
  process.kill(pid, 'SIGKILL');
  await ended;
  assert.notEqual(identityOf(postmaster), undefined, 'the server outlives its parent');
  await withPostgres({ dir }, async () => {
    assert.equal(identityOf(postmaster), undefined, 'the orphan has been ended');
    assert.notEqual(postmasterOf(dir), postmaster);
  });
});

test('a stale postmaster.pid that names a stranger does not keep the server from starting, and the stranger lives', async () => {
  const dir = join(scratch, 'stale');
  await withPostgres({ dir }, async () => undefined);
  const stranger = spawn('sleep', ['60']);
  const data = existsSync(join(dir, 'elsewhere')) ? readFileSync(join(dir, 'elsewhere'), 'utf8').trim() : dir;
  writeFileSync(join(data, 'data/postmaster.pid'), `${stranger.pid}\n${data}/data\n`);
  await withPostgres({ dir }, async ({ url }) => assert.deepEqual(await query(url, 'SELECT 1'), [[1]]));
  assert.notEqual(identityOf(stranger.pid ?? 0), undefined);
  stranger.kill();
});

test('a signal to the process ends its server, too', async () => {
  const dir = join(scratch, 'signal');
  const { pid, postmaster, ended } = await startElsewhere(dir);
  process.kill(pid, 'SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT'], 'the parent sees the true cause');
  await untilEnded(postmaster);
});

test('data in use by a process that is alive are refused, and its server lives on', async () => {
  const dir = join(scratch, 'in-use');
  const { pid, postmaster, ended } = await startElsewhere(dir);
  await assert.rejects(startPostgres({ dir, name: 'source' }), /DirectoryInUse: .*process \d+ – stop it first/);
  assert.notEqual(identityOf(postmaster), undefined);
  process.kill(pid, 'SIGTERM');
  await ended;
});

test('the same folder can not be started twice in one process', async () => {
  await withPostgres({}, async () => {
    await assert.rejects(startPostgres({ dir: join(scratch, 'shared'), name: 'source' }), /DirectoryInUse/);
  });
});

test('a port that somebody listens on is named', async () => {
  const squatter = createServer();
  await new Promise<void>((done) => squatter.listen(0, '127.0.0.1', done));
  const { port } = squatter.address() as { port: number };
  const expected = new RegExp(`PortTaken: port ${port} for source is in use`);
  await assert.rejects(startPostgres({ dir: join(scratch, 'shared'), name: 'source', port }), expected);
  squatter.close();
});

test('a folder that can not be made is named', async () => {
  writeFileSync(join(scratch, 'file'), '');
  await assert.rejects(
    startPostgres({ dir: join(scratch, 'file/below'), name: 'source' }),
    /DirectoryUnusable: .*file\/below/,
  );
});

test('a full disk is named', { skip: !existsSync('/dev/full') }, async () => {
  const dir = join(scratch, 'full');
  mkdirSync(dir);
  // A write to this device fails as a write to a full disk does.

  symlinkSync('/dev/full', join(dir, 'password'));
  await assert.rejects(startPostgres({ dir, name: 'source' }), /DiskFull: no space left for source/);
});

test('a folder that only root may enter works for root', { skip: process.getuid?.() !== 0 }, async () => {
  const secret = mkdtempSync(join(homedir(), '.redshift-loader-test-'));
  try {
    const dir = join(secret, 'state');
    await withPostgres({ dir }, async (postgres) => void (await postgres.createDatabase('kept')));
    const known = await withPostgres({ dir }, ({ url }) =>
      query(url, "SELECT 1 FROM pg_database WHERE datname = 'kept'"),
    );
    assert.deepEqual(known, [[1]]);
    rmSync(readFileSync(join(dir, 'elsewhere'), 'utf8').trim(), { recursive: true, force: true });
  } finally {
    rmSync(secret, { recursive: true, force: true });
  }
});
