import { Writable } from 'node:stream';
import { MultiBar, type SingleBar } from 'cli-progress';
import pc from 'picocolors';
import { clip, padEnd, padStart, shorten, shown } from './lines.ts';
import type { Terminal } from './terminal.ts';
import { count, duration, plural, size, speed } from './units.ts';

/** How much of a table has arrived in the warehouse. */
export interface Loaded {
  rows: number;
  bytes: number;
}

/** Shows a run while it goes on. Updates may come as often as they like, and for tables that nobody announced. */
export interface Progress {
  /** @param expectedRows by the source's statistics; null where nobody knows: then there is a count, but no bar */
  start(table: string, expectedRows: number | null): void;
  update(table: string, loaded: Loaded): void;
  /** @param error shown in short: the report has it whole */
  finish(table: string, loaded: Loaded, error?: string): void;
  /** Clears the bars and gives the terminal back. To be called however the run ends. */
  stop(): void;
}

export interface ProgressOptions {
  stream: Writable;
  terminal: Terminal;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
}

/** Bars that are drawn over where a person watches; else a line per finished table and a sign of life every ten seconds. */
export const createProgress = (options: ProgressOptions): Progress =>
  options.terminal.live ? liveProgress(options) : plainProgress(options);

interface Running extends Loaded {
  startedAt: number;
  expectedRows: number | null;
}

const HEARTBEAT_MS = 10_000;

function plainProgress({ stream, terminal, now }: ProgressOptions): Progress {
  const running = new Map<string, Running>();
  const done: Loaded = { rows: 0, bytes: 0 };
  const startedAt = now();
  let spokeAt = startedAt;
  const say = (line: string) => {
    stream.write(`${line}\n`);
    spokeAt = now();
  };
  const heartbeat = setInterval(() => {
    if (running.size === 0 || now() - spokeAt < HEARTBEAT_MS) return;
    const all = [done, ...running.values()];
    const rows = all.reduce((total, one) => total + one.rows, 0);
    const bytes = all.reduce((total, one) => total + one.bytes, 0);
    const names = shorten([...running.keys()].join(', '), 40);
    say(`… ${duration((now() - startedAt) / 1000)}: ${plural(rows, 'row')}, ${size(bytes)} so far; loading ${names}`);
  }, 1_000);
  heartbeat.unref();
  return {
    start(table, expectedRows) {
      running.set(table, { startedAt: now(), rows: 0, bytes: 0, expectedRows });
    },
    update(table, loaded) {
      const known = running.get(table) ?? { startedAt: now(), expectedRows: null };
      running.set(table, { ...known, ...loaded });
    },
    finish(table, loaded, error) {
      const at = now();
      const seconds = (at - (running.get(table)?.startedAt ?? at)) / 1000;
      running.delete(table);
      done.rows += loaded.rows;
      done.bytes += loaded.bytes;
      say(finishedLine(table, loaded, seconds, error, terminal));
    },
    stop: () => clearInterval(heartbeat),
  };
}

/** `✓ orders                    389,979 rows  13.2 MB   2.4 s  162,491 rows/s` */
function finishedLine(
  table: string,
  { rows, bytes }: Loaded,
  seconds: number,
  error: string | undefined,
  { color, width }: Terminal,
): string {
  const { green, red, dim } = pc.createColors(color);
  const name = padEnd(shorten(table, 24), 24);
  if (error !== undefined) return `${red('✗')} ${name}  ${red(clip(error.split('\n')[0] ?? '', width - 28))}`;
  const figures = [padStart(plural(rows, 'row'), 15), padStart(size(bytes), 8), padStart(duration(seconds), 7)];
  return `${green('✓')} ${name}${figures.join(' ')}  ${dim(speed(rows, seconds))}`.trimEnd();
}

function liveProgress({ stream, terminal, now }: ProgressOptions): Progress {
  const running = new Map<string, Running & { bar: SingleBar }>();
  let stopped = false;
  const bars = new MultiBar({
    stream: uncut(stream),
    format: (_options, _params, payload: { table: string }) => {
      const state = running.get(payload.table);
      return state ? runningLine(payload.table, state, (now() - state.startedAt) / 1000, terminal) : '';
    },
    // The format above depends on more than the bar's value.
    forceRedraw: true,
    clearOnComplete: true,
    // Whoever handles Ctrl-C calls stop(); the cursor and the wrapping of lines are left as they are.
    gracefulExit: false,
    hideCursor: false,
    linewrap: true,
    barsize: 10,
  });
  const begin = (table: string, expectedRows: number | null) => {
    const state: Running = { startedAt: now(), rows: 0, bytes: 0, expectedRows };
    running.set(table, { ...state, bar: bars.create(expectedRows ?? 0, 0, { table }) });
  };
  return {
    start: begin,
    update(table, loaded) {
      if (stopped) return;
      if (!running.has(table)) begin(table, null);
      const state = running.get(table);
      if (state) Object.assign(state, loaded);
    },
    finish(table, loaded, error) {
      const state = running.get(table);
      const seconds = state ? (now() - state.startedAt) / 1000 : 0;
      const line = finishedLine(table, loaded, seconds, error, terminal);
      if (!state || stopped) {
        stream.write(`${line}\n`);
        return;
      }
      running.delete(table);
      // Finished tables scroll away above the bars, so that a hundred of them don't need a hundred lines.
      bars.log(`${line}\n`);
      bars.remove(state.bar);
    },
    stop() {
      if (stopped) return;
      stopped = true;
      bars.update();
      bars.stop();
    },
  };
}

/** `  orders           ████████░░░░░░░░  52%  203,000 rows   6.9 MB  161,000 rows/s` */
function runningLine(table: string, state: Running, seconds: number, { color, width }: Terminal): string {
  const { cyan, dim } = pc.createColors(color);
  const { rows, bytes, expectedRows } = state;
  const barWidth = Math.min(Math.max(width - 71, 8), 30);
  const share = expectedRows ? Math.min(rows / expectedRows, 1) : null;
  const full = Math.round((share ?? 0) * barWidth);
  const bar = share === null ? ' '.repeat(barWidth) : cyan('█'.repeat(full)) + dim('░'.repeat(barWidth - full));
  // Statistics are estimates: nothing is finished before it says so.
  const percent = share === null ? '' : `${Math.min(Math.floor(share * 100), 99)}%`;
  const name = padEnd(shorten(table, width < 80 ? 16 : 20), width < 80 ? 16 : 20);
  const figures = `${padStart(percent, 4)} ${padStart(count(rows), 11)} rows ${padStart(size(bytes), 8)}`;
  const line = `  ${name} ${bar}${figures}`;
  const rate = speed(rows, seconds);
  return rate !== '' && shown(line) + 2 + rate.length <= width ? `${line}  ${dim(rate)}` : line;
}

/** cli-progress cuts lines at the terminal's width, and counts colours as letters: our lines fit as they are. */
const uncut = (stream: Writable): NodeJS.WritableStream =>
  Object.assign(
    new Writable({
      write: (chunk, _encoding, done) => {
        stream.write(chunk);
        done();
      },
    }),
    { isTTY: true, columns: Number.MAX_SAFE_INTEGER },
  );
