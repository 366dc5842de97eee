import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stepBack } from './processes.ts';

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
  /** False once the process has ended or is being killed. */
  usable(): boolean;
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
  let current:
    | { invocation: Invocation; answer(outcome: Outcome): void; delivered: boolean; outcome?: Outcome }
    | undefined;
  let initError: Outcome | undefined;
  let doomed = false;
  let peak: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  const measure = () => {
    peak = Math.max(peak ?? 0, peakRssOf(child.pid) ?? 0) || undefined;
  };
  const kill = () => {
    doomed = true;
    measure();
    child.kill('SIGKILL');
  };
  /** An invocation ends when the process asks for the next one, or ends: only then is it known whether it can be used again. */
  const settle = (ifNone: () => Outcome) => {
    if (current === undefined) return;
    clearTimeout(timer);
    const { answer, outcome } = current;
    current = undefined;
    answer(outcome ?? ifNone());
  };
  const outOfTime = (limitMs: number) => {
    if (current === undefined) return;
    const seconds = (limitMs / 1000).toFixed(2);
    const errorMessage = `${new Date().toISOString()} ${current.invocation.requestId} Task timed out after ${seconds} seconds`;
    options.onLine(errorMessage);
    current.outcome = failure({ errorType: 'Sandbox.Timedout', errorMessage });
    kill();
  };
  const deliver = () => {
    if (current === undefined || waiting === undefined) return;
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
  const end = (how: string) => {
    doomed = true;
    options.onEnd();
    const errorMessage = `RequestId: ${current?.invocation.requestId} Error: Runtime exited with error: ${how}`;
    settle(() => initError ?? failure({ errorType: 'Runtime.ExitError', errorMessage }));
  };
  child.once('error', (error) => end(error.message));
  child.once('exit', (code, signal) => end(signal === null ? `exit status ${code}` : `signal: ${wordFor(signal)}`));

  return {
    id: options.id,
    usable: () => !doomed,
    invoke: (invocation) =>
      new Promise((answer) => {
        current = { invocation, answer, delivered: false };
        if (waiting === undefined) timer = setTimeout(outOfTime, INIT_TIMEOUT_MS, INIT_TIMEOUT_MS);
        else deliver();
      }),
    kill,
    peakRss() {
      measure();
      return peak;
    },
    next(response) {
      waiting = response;
      if (current?.delivered)
        settle(() => failure({ errorType: 'Runtime.Unknown', errorMessage: 'no response was posted' }));
      else deliver();
    },
    finish(requestId, outcome) {
      if (current?.invocation.requestId === requestId) current.outcome ??= outcome;
    },
    initFailed(payload) {
      initError = { functionError: 'Unhandled', payload };
    },
  };
}

const failure = (error: { errorType: string; errorMessage: string }): Outcome => ({
  functionError: 'Unhandled',
  payload: JSON.stringify(error),
});

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
  // In the cloud a function has a machine of its own; here it would take the CPU from the very servers that it waits for.
  if (child.pid !== undefined) stepBack(child.pid);
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
