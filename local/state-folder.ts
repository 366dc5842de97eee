import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { errors } from '../shared/model/errors.ts';

const MARKER = 'redshift-loader.json';

/** The folder that keeps everything between calls. */
export interface StateFolder {
  dir: string;
}

/**
 * Opens the folder for one source, or makes it. A folder belongs to one source, since its warehouse is that one's replica.
 * @param source what identifies the source: no password
 * @throws LoaderError BadConfiguration: not ours to empty, not writable, another source's
 */
export function openStateFolder(path: string, source: string, fresh: boolean): StateFolder {
  const dir = resolve(path);
  const marker = join(dir, MARKER);
  const strange = existsSync(dir) && !existsSync(marker) && readdirSync(dir).length > 0;
  if (strange)
    throw errors.badConfiguration(
      `${dir} holds files that are not Redshift Loader's: name another folder with --state`,
    );
  try {
    if (fresh) rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK);
    if (!existsSync(marker)) writeFileSync(marker, `${JSON.stringify({ source })}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const advice = code === 'ENOSPC' ? 'the disk is full: free some space' : 'choose a folder that can be written';
    throw errors.badConfiguration(`${dir} can't be used (${code}): ${advice}, or name another with --state`);
  }
  const { source: owner } = JSON.parse(readFileSync(marker, 'utf8')) as { source: string };
  if (owner !== source)
    throw errors.badConfiguration(
      `${dir} replicates ${owner}, not ${source}: name another folder with --state, or start over with --fresh`,
    );
  return { dir };
}
