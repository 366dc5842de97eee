import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { errors } from '../shared/model/errors.ts';
import { identityOf } from './processes.ts';

const MARKER = 'redshift-loader.json';
const LOCK = 'lock';

/** The folder that keeps everything between calls. */
export interface StateFolder {
  dir: string;
  /** Lets other processes have it. */
  release(): void;
}

/**
 * Opens the folder for one source, or makes it. A folder belongs to one source, since its warehouse is that one's replica,
 * and to one process at a time.
 * @param source what identifies the source: no password
 * @throws LoaderError BadConfiguration: not ours to empty, not usable, another source's; StateInUse
 */
export function openStateFolder(path: string, source: string, fresh: boolean): StateFolder {
  const dir = resolve(path);
  try {
    return open(dir, source, fresh);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const advice = code === 'ENOSPC' ? 'the disk is full: free some space' : 'choose a folder that can be written';
    throw errors.badConfiguration(`${dir} can't be used (${code}): ${advice}, or name another with --state`);
  }
}

function open(dir: string, source: string, fresh: boolean): StateFolder {
  const marker = join(dir, MARKER);
  if (existsSync(dir) && !existsSync(marker) && readdirSync(dir).some((name) => name !== LOCK))
    throw errors.badConfiguration(
      `${dir} holds files that are not Redshift Loader's: name another folder with --state`,
    );
  make(dir);
  const release = lock(dir);
  try {
    if (fresh) for (const name of readdirSync(dir)) if (name !== LOCK) rmSync(join(dir, name), { recursive: true });
    if (!existsSync(marker)) writeFileSync(marker, `${JSON.stringify({ source })}\n`);
    const owner = ownerIn(readFileSync(marker, 'utf8'));
    if (owner === null)
      throw errors.badConfiguration(
        `${marker} is damaged: start over with --fresh, or name another folder with --state`,
      );
    if (owner !== source)
      throw errors.badConfiguration(
        `${dir} replicates ${owner}, not ${source}: name another folder with --state, or start over with --fresh`,
      );
    return { dir, release };
  } catch (error) {
    release();
    throw error;
  }
}

function ownerIn(text: string): string | null {
  try {
    const { source } = JSON.parse(text) as { source?: unknown };
    return typeof source === 'string' ? source : null;
  } catch {
    return null;
  }
}

/** Step by step: Node's own recursion never ends where the system answers ENOENT to mkdir, as under /proc. */
function make(dir: string): void {
  if (existsSync(dir)) return;
  make(dirname(dir));
  mkdirSync(dir);
}

/** A lock whose process has ended is anybody's. */
function lock(dir: string): () => void {
  const file = join(dir, LOCK);
  const mine = `${process.pid} ${identityOf(process.pid)}`;
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readFileSync(file, 'utf8');
    const pid = Number(holder.split(' ')[0]);
    if (pid > 0 && holder === `${pid} ${identityOf(pid)}`)
      throw errors.stateInUse(`process ${pid} works in ${dir}: wait for it or stop it, or name another with --state`);
    rmSync(file, { force: true });
  }
}
