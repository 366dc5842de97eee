import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Home, homeFor } from './postgres-home.ts';
import { commandOf, endProcess, identityOf, onExit } from './processes.ts';

export interface PostgresOptions {
  /** Holds the data, the password and the log; created if absent, kept between calls. */
  dir: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** Used in messages, e.g. `warehouse`. */
  name: string;
  /** Server settings, e.g. `{ wal_level: 'logical', max_prepared_transactions: '10' }`. */
  settings?: Record<string, string>;
}

export interface Postgres {
  /** Superuser's connection string, to the database `postgres`. */
  url: string;
  port: number;
  /** Creates the database unless it exists, and returns its connection string. */
  createDatabase(name: string): Promise<string>;
  /** Ends the server at once (open connections are cut). The data stay. */
  stop(): Promise<void>;
}

const START_WITHIN_MS = 60_000;
/** Fast shutdown, then immediate shutdown, then the end: see "Shutting Down the Server" in the manual of Postgres 17. */
const SHUTDOWN: [NodeJS.Signals, number][] = [
  ['SIGINT', 5_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 2_000],
];
const settings = {
  listen_addresses: '127.0.0.1',
  // A socket's path may have 107 bytes at most; a state folder deep in a project is longer than that.
  unix_socket_directories: '',
  // A crash of the machine (not of the server) may ruin the data: they are throw-away, so we take the speed.
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/**
 * Starts a Postgres server on 127.0.0.1 whose data lie in `dir`. A server that a killed earlier run has left behind
 * is ended first.
 *
 * @throws `PortTaken`, `DirectoryInUse` (by a run that is still alive), `DirectoryUnusable`, `DiskFull`, `PostgresFailed`
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const dir = resolve(options.dir);
  const home = prepare(dir, options.name);
  claim(dir, options.name);
  try {
    await endOrphan(home.data, options.name);
    const password = await initialise(dir, home, options.name);
    for (let attempt = 1; ; attempt++) {
      const port = options.port || (await freePort());
      try {
        return await run({ ...options, dir, port }, home, password);
      } catch (error) {
        // Somebody else may have taken the free port in between.
        if (options.port || attempt === 5 || !String(error).includes('PortTaken')) throw error;
      }
    }
  } catch (error) {
    release(dir);
    throw error;
  }
}

function prepare(dir: string, name: string): Home {
  try {
    mkdirSync(dir, { recursive: true });
    const home = homeFor(dir);
    mkdirSync(home.data, { recursive: true, mode: 0o700 });
    if (home.user.uid !== undefined) chownSync(home.data, home.user.uid, home.user.gid ?? home.user.uid);
    writeFileSync(join(dir, 'log'), '', { flag: 'a' });
    return home;
  } catch (error) {
    throw failure(name, dir, String(error));
  }
}

/** Folders that this process has a server on. */
const running = new Set<string>();

/** Two live runs on the same data would each take the other's server for an orphan. */
function claim(dir: string, name: string): void {
  const file = join(dir, 'owner');
  if (existsSync(file)) {
    const [pid, identity] = readFileSync(file, 'utf8').trim().split(' ');
    const owner = Number(pid);
    const other = owner !== process.pid || running.has(dir);
    if (other && owner > 0 && identity === identityOf(owner)?.replaceAll(' ', '-')) {
      throw new Error(`DirectoryInUse: ${name}'s data in ${dir} are in use by process ${pid} – stop it first`);
    }
  }
  running.add(dir);
  writeFileSync(file, `${process.pid} ${identityOf(process.pid)?.replaceAll(' ', '-')}\n`);
}

function release(dir: string): void {
  running.delete(dir);
  rmSync(join(dir, 'owner'), { force: true });
}

async function endOrphan(data: string, name: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  // The id may belong to another process by now: only a server on this very folder is ours to end.
  if (pid > 1 && identityOf(pid) !== undefined && commandOf(pid).includes(` -D ${data} `)) {
    if (!(await endProcess(pid, SHUTDOWN))) {
      throw new Error(`PostgresFailed: ${name}'s server from an earlier run (process ${pid}) doesn't end – kill it`);
    }
  }
  // Postgres refuses to start on this file if its process id is in use, be it by a zombie or by a stranger.
  rmSync(file, { force: true });
}

async function initialise(dir: string, home: Home, name: string): Promise<string> {
  const passwordFile = join(dir, 'password');
  if (existsSync(join(home.data, 'global/pg_control')) && existsSync(passwordFile)) {
    return readFileSync(passwordFile, 'utf8').trim();
  }
  rmSync(home.data, { recursive: true, force: true });
  prepare(dir, name);
  const password = randomBytes(18).toString('base64url');
  // The built-in provider's C.UTF-8 needs no locale of the operating system: macOS and slim images lack it.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  // Beside the data, because initdb wants an empty folder and /dev/stdin can't be opened when it is Node's socket.
  const pwfile = `${home.data}.password`;
  writeFileSync(pwfile, `${password}\n`, { mode: 0o600 });
  if (home.user.uid !== undefined) chownSync(pwfile, home.user.uid, home.user.gid ?? home.user.uid);
  const args = ['-D', home.data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', pwfile, '--no-sync', ...locale];
  const child = spawn(join(home.bin, 'initdb'), args, { ...home.user, env: {}, cwd: '/' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => {
      output += bytes;
    });
  }
  const code = await new Promise((done) => {
    child.on('error', (error) => done(error));
    child.on('close', done);
  });
  rmSync(pwfile, { force: true });
  if (code !== 0) {
    rmSync(home.data, { recursive: true, force: true });
    throw failure(name, dir, `${output}\n${code instanceof Error ? code.message : ''}`);
  }
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
  } catch (error) {
    throw failure(name, dir, String(error));
  }
  return password;
}

async function run(options: PostgresOptions & { port: number }, home: Home, password: string): Promise<Postgres> {
  const { dir, port, name } = options;
  const logFile = join(dir, 'log');
  const flags = Object.entries({ ...settings, ...options.settings }).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ]);
  // Truncated at each start. A file, not a pipe: the server must not die of a broken pipe when we are killed.
  const log = openSync(logFile, 'w');
  const child = spawn(join(home.bin, 'postgres'), ['-D', home.data, '-p', String(port), ...flags], {
    ...home.user,
    env: {},
    cwd: '/',
    // A session of its own: Ctrl-C in the terminal reaches us alone, and we stop things in order.
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const takeBack = onExit(() => child.kill('SIGINT'));
  const ended = new Promise<void>((done) => {
    child.on('error', () => done());
    child.on('exit', () => done());
  }).then(takeBack);

  const urlOf = (database: string) =>
    `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  const end = async () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      await endProcess(child.pid, SHUTDOWN);
    }
    await ended;
  };
  try {
    await untilReady(child, ended, urlOf('postgres'));
  } catch (error) {
    await end();
    throw failure(name, dir, `${readFileSync(logFile, 'utf8')}\n${error}`, port);
  }
  return {
    url: urlOf('postgres'),
    port,
    async stop() {
      await end();
      release(dir);
    },
    async createDatabase(database) {
      await withClient(urlOf('postgres'), async (client) => {
        const known = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
        if (known.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
      });
      return urlOf(database);
    },
  };
}

async function untilReady(child: ChildProcess, ended: Promise<void>, url: string): Promise<void> {
  let last: unknown;
  for (const until = performance.now() + START_WITHIN_MS; performance.now() < until; await sleep(20)) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the server ended: ${child.exitCode ?? child.signalCode ?? 'not started'}`);
    }
    try {
      // Connects by password, so a stranger's server on the same port can't be taken for ours.
      const asked = withClient(url, async (client) => void (await client.query('SELECT 1')));
      // A stranger on our port may take the connection and say nothing, while our server ends for want of the port.
      await Promise.race([asked, ended.then(() => Promise.reject(new Error('the server ended')))]);
      return;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`the server does not answer: ${last}`);
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer().on('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? done(address.port) : failed()));
    });
  });
}

/** Names what went wrong by the messages of initdb, postgres or Node. */
function failure(name: string, dir: string, output: string, port?: number): Error {
  if (/PostgresMissing/.test(output)) return new Error(output);
  if (/Address already in use/.test(output)) {
    return new Error(`PortTaken: port ${port} for ${name} is in use – stop what listens there, or choose another port`);
  }
  if (/No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/.test(output)) {
    return new Error(`DiskFull: no space left for ${name} in ${dir} – free some, or choose another folder`);
  }
  if (/Permission denied|EACCES|EPERM|EROFS|Read-only file system|ENOTDIR|EEXIST/.test(output)) {
    return new Error(
      `DirectoryUnusable: ${name} can't be written to ${dir} – choose another folder (${firstLine(output)})`,
    );
  }
  return new Error(
    `PostgresFailed: ${name} in ${dir} does not start – start over with --fresh, or name another folder with --state: ${output.trim().slice(-2_000)}`,
  );
}

const firstLine = (text: string) => /.*(denied|EACCES|EPERM|EROFS|Read-only|ENOTDIR|EEXIST).*/.exec(text)?.[0].trim();
