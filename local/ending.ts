import { statfsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../shared/model/errors.ts';

/** What has to be ended, in reverse order, however this process ends. */
const undo: (() => Promise<unknown>)[] = [];
/** Where everything is written, once that is known. */
let stateDir: string | null = null;
let stopping = false;

/** Has a step done when the process ends. */
export const atEnd = (step: () => Promise<unknown>): void => void undo.push(step);

/** Says where everything is written: a disk that is full is named by it. */
export const writesTo = (dir: string): void => {
  stateDir = dir;
};

/** Whether a signal has come: what breaks from then on breaks thereby. */
export const isStopping = (): boolean => stopping;

const stopAll = async (): Promise<void> => {
  for (let step = undo.pop(); step; step = undo.pop()) await step();
};

/** Postgres writes its log in segments of this size, and ends where there is no room for the next: all that is heard then is a broken connection. */
const WAL_SEGMENT_BYTES = 16 * 1024 * 1024;

/** ENOSPC of Node, 53100 of Postgres, wherever it was met, or whatever else happens while nothing is free. */
function isDiskFull(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (/^DiskFull: /.test(message)) return false; // is told already
  if (/^(ENOSPC|53100)$/.test(code) || /No space left on device/.test(String(error))) return true;
  if (stateDir === null) return false;
  const { bavail, bsize } = statfsSync(stateDir);
  return bavail * bsize < WAL_SEGMENT_BYTES;
}

const diskFull = (error: unknown): string =>
  `DiskFull: no space left${stateDir === null ? '' : ` in ${stateDir}`} – free some, or name another folder with --state (${describeError(error)})`;

/** How long a start that failed may take to end all in order. */
const STOP_WITHIN_MS = 15_000;

/** One line, and no stack trace: what a person can do stands in the message. */
function fail(error: unknown): void {
  if (stopping) return;
  process.stderr.write(`\n${isDiskFull(error) ? diskFull(error) : describeError(error)}\n`);
  process.exitCode = 2;
  // What waits for a server that is gone ends with this process.
  setTimeout(() => process.exit(), STOP_WITHIN_MS).unref();
}

/** An error that reaches nobody is a fault of our own, and its trace is wanted, unless the disk is full. */
async function onUncaught(error: Error): Promise<void> {
  if (stopping) return;
  // What breaks after it, while all is being ended, has the same cause.
  process.removeAllListeners('uncaughtException').on('uncaughtException', () => undefined);
  process.stderr.write(`\n${isDiskFull(error) ? diskFull(error) : error.stack}\n`);
  await Promise.race([stopAll(), sleep(STOP_WITHIN_MS)]).catch(() => undefined);
  process.exit(2);
}

/** Ends things in order; whoever can't wait presses Ctrl-C again. */
function onSignal(signal: 'SIGINT' | 'SIGTERM', code: number): void {
  process.on(signal, async () => {
    if (stopping) process.exit(code);
    stopping = true;
    process.stdout.write('\nStopping\n');
    await stopAll().catch((error) => process.stderr.write(`${describeError(error)}\n`));
    process.exit(code);
  });
}

/** Runs a whole program. Its exit code is 0, or 1 where the program says that not all is well, or 2 where it could not run. */
export async function runToEnd(program: () => Promise<boolean>): Promise<void> {
  process.on('uncaughtException', onUncaught);
  onSignal('SIGINT', 130);
  onSignal('SIGTERM', 143);
  // Should everything end that could still be waited for, this has not ended well.
  process.exitCode = 2;
  try {
    process.exitCode = (await program()) ? 0 : 1;
  } catch (error) {
    fail(error);
  } finally {
    await stopAll().catch(fail);
  }
}
