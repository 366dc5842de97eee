import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What tells a process apart from a later one with the same id: its start time. Undefined if no such process runs.
 * A zombie counts as ended: in a container whose first process doesn't reap, `kill(pid, 0)` succeeds on it for ever.
 */
export function identityOf(pid: number): string | undefined {
  if (!isSignallable(pid)) return undefined;
  if (!existsSync('/proc/self/stat')) {
    try {
      const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
      return line === '' || line.startsWith('Z') ? undefined : line.slice(line.indexOf(' ')).trim();
    } catch {
      return undefined;
    }
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the second field is the command in brackets and may itself hold blanks; state is the 3rd, starttime the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The command line of a process, its arguments separated by blanks; '' if it can't be read. */
export function commandOf(pid: number): string {
  try {
    if (existsSync('/proc/self/cmdline')) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** Leaves the CPU to everybody else as far as they want it. Where the system refuses, all goes on as it was. */
export function stepBack(pid: number): void {
  const nice = constants.priority.PRIORITY_BELOW_NORMAL;
  try {
    setPriority(pid, nice);
    // Where Linux groups processes by session it weighs the sessions, and a process only within its own ("autogroup" in sched(7)).
    const autogroup = `/proc/${pid}/autogroup`;
    if (existsSync(autogroup)) writeFileSync(autogroup, String(nice));
  } catch {
    // It has ended already, or is one of many that an unprivileged user started at once (EAGAIN): only time is lost.
  }
}

/** Sends one signal after the other, each time waiting until the process has ended. False if it outlives them all. */
export async function endProcess(pid: number, steps: [signal: NodeJS.Signals, waitMs: number][]): Promise<boolean> {
  for (const [signal, waitMs] of steps) {
    try {
      process.kill(pid, signal);
    } catch {
      return true;
    }
    for (const until = performance.now() + waitMs; performance.now() < until; ) {
      if (identityOf(pid) === undefined) return true;
      await sleep(20);
    }
  }
  return identityOf(pid) === undefined;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const cleanups = new Set<() => void>();

/**
 * Registers a synchronous clean-up for the end of this process, by exit or by a signal; returns how to take it back.
 * A signal that somebody else listens to is theirs: they stop things in order and exit, which then runs the clean-ups.
 */
export function onExit(cleanup: () => void): () => void {
  if (cleanups.size === 0) {
    process.on('exit', runCleanups);
    for (const signal of signals) process.on(signal, endBySignal);
  }
  cleanups.add(cleanup);
  return () => {
    if (cleanups.delete(cleanup) && cleanups.size === 0) unlisten();
  };
}

function endBySignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  runCleanups();
  // Without a listener the signal has its usual effect, so the parent sees the true cause of our end.
  process.kill(process.pid, signal);
}

function runCleanups(): void {
  for (const cleanup of cleanups) cleanup();
  cleanups.clear();
  unlisten();
}

function unlisten(): void {
  process.off('exit', runCleanups);
  for (const signal of signals) process.off(signal, endBySignal);
}

function isSignallable(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
