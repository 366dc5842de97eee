import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Invocation {
  requestId: string;
  functionArn: string;
  payload: string;
}

export interface Outcome {
  payload: string;
  functionError?: string;
}

export interface SandboxOptions {
  id: string;
  /** Folder with the function's code. */
  taskRoot: string;
  /** The process sees these variables and nothing else. */
  environment: Record<string, string>;
  memoryMb: number;
  timeoutMs: number;
  onLine(line: string): void;
  /** The process has ended, whatever the reason. */
  onEnd(): void;
}

const bootstrap = fileURLToPath(new URL('./bootstrap.mjs', import.meta.url));
/** "The Init phase is limited to 10 seconds" (Lambda Developer Guide, execution environment lifecycle). */
const INIT_TIMEOUT_MS = 10_000;
/** Requests and responses of synchronous invocations (Lambda quotas). */
export const MAX_PAYLOAD = 6 * 1024 * 1024;

/** One execution environment: a process that handles one event at a time and is used again while it lives. */
export interface Sandbox {
  readonly id: string;
  readonly pid: number | undefined;
  invoke(invocation: Invocation): Promise<Outcome>;
  kill(): void;
  /** The most memory that the process has held, in bytes; undefined where there is no /proc. */
  peakRss(): number | undefined;
  /** The Runtime API's calls, from inside the process. */
  next(response: ServerResponse): void;
  finish(requestId: string, outcome: Outcome): void;
  initFailed(payload: string): void;
}

export function startSandbox(options: SandboxOptions): Sandbox {
  const child = start(options);
  let waiting: ServerResponse | undefined;
  let current: { invocation: Invocation; settle(outcome: Outcome): void; delivered: boolean } | undefined;
  let initError: string | undefined;
  let ended: string | undefined;
  let peak: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  const settle = (outcome: Outcome) => {
    clearTimeout(timer);
    const { settle: answer } = current ?? {};
    current = undefined;
    answer?.(outcome);
  };
  const measure = () => {
    peak = Math.max(peak ?? 0, peakRssOf(child.pid) ?? 0) || undefined;
  };
  const outOfTime = (limitMs: number) => {
    const { requestId } = current?.invocation ?? { requestId: '' };
    const errorMessage = `${new Date().toISOString()} ${requestId} Task timed out after ${(limitMs / 1000).toFixed(2)} seconds`;
    options.onLine(errorMessage);
    measure();
    child.kill('SIGKILL');
    settle({ functionError: 'Unhandled', payload: JSON.stringify({ errorType: 'Sandbox.Timedout', errorMessage }) });
  };
  const deliver = () => {
    if (current === undefined || waiting === undefined || current.delivered) return;
    const { invocation } = current;
    current.delivered = true;
    clearTimeout(timer);
    timer = setTimeout(outOfTime, options.timeoutMs, options.timeoutMs);
    waiting.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': invocation.requestId,
      'lambda-runtime-deadline-ms': String(Date.now() + options.timeoutMs),
      'lambda-runtime-invoked-function-arn': invocation.functionArn,
      'lambda-runtime-trace-id': `Root=1-00000000-${invocation.requestId.replaceAll('-', '').slice(0, 24)};Sampled=0`,
    });
    waiting.end(invocation.payload);
    waiting = undefined;
  };

  let running = true;
  const end = (how: string) => {
    if (!running) return;
    running = false;
    ended = how;
    const { requestId } = current?.invocation ?? {};
    const errorMessage = `RequestId: ${requestId} Error: Runtime exited with error: ${how}`;
    settle({
      functionError: 'Unhandled',
      payload: initError ?? JSON.stringify({ errorType: 'Runtime.ExitError', errorMessage }),
    });
    options.onEnd();
  };
  child.on('error', (error) => end(error.message));
  child.on('exit', (code, signal) => end(signal === null ? `exit status ${code}` : `signal: ${wordFor(signal)}`));

  return {
    id: options.id,
    pid: child.pid,
    invoke: (invocation) =>
      new Promise((done) => {
        current = { invocation, settle: done, delivered: false };
        if (ended !== undefined) {
          running = true;
          end(ended);
        } else if (waiting === undefined) timer = setTimeout(outOfTime, INIT_TIMEOUT_MS, INIT_TIMEOUT_MS);
        else deliver();
      }),
    kill() {
      measure();
      child.kill('SIGKILL');
    },
    peakRss() {
      measure();
      return peak;
    },
    next(response) {
      waiting = response;
      deliver();
    },
    finish(requestId, outcome) {
      if (current?.invocation.requestId !== requestId) return;
      measure();
      settle(outcome);
    },
    initFailed(payload) {
      initError = payload;
    },
  };
}

function start({ taskRoot, environment, memoryMb, onLine }: SandboxOptions): ChildProcess {
  // Lambda leaves the rest of the memory to buffers and code; its own runtime sets the heap's limit likewise.
  const heap = `--max-old-space-size=${Math.max(64, Math.floor(memoryMb * 0.9))}`;
  const child = spawn(process.execPath, [heap, bootstrap], {
    cwd: taskRoot,
    env: environment,
    // Away from our process group: Ctrl-C reaches us alone, and we end the functions.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream as Readable }).on('line', onLine);
  }
  return child;
}

function peakRssOf(pid: number | undefined): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

function wordFor(signal: NodeJS.Signals): string {
  return signal === 'SIGKILL' ? 'killed' : signal === 'SIGABRT' ? 'aborted' : signal;
}
