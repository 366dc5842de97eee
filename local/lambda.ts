import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LambdaFunction } from './lambda-function.ts';
import { executionAtWork } from './on-behalf.ts';
import { identityOf, onExit } from './processes.ts';
import { openRuntimeApi } from './runtime-api.ts';
import { MAX_PAYLOAD, type Outcome, type Sandbox, startSandbox } from './sandbox.ts';
import { ServiceError } from './service.ts';
import type { Identity } from './sigv4.ts';
import { turnstile } from './turnstile.ts';

export interface LambdaOptions {
  functions: LambdaFunction[];
  onLog?(functionName: string, line: string): void;
  /** How long a process may wait for its next event before it is ended. */
  idleMs?: number;
  /** Pauses before the second and third try of an asynchronous invocation; AWS waits 1 and 2 minutes. */
  retryAfterMs?: [number, number];
}

export interface Lambda {
  /**
   * `Event` returns at once and tries again when the function fails.
   * @throws ServiceError `ResourceNotFoundException`, `TooManyRequestsException`, `RequestTooLargeException`
   */
  invoke(call: { functionArn: string; payload: string; type?: 'RequestResponse' | 'Event' }): Promise<Outcome>;
  /** Kills the function's processes, also in the middle of an event. */
  kill(functionName: string): void;
  /** The most memory that one process of the function has held, in bytes; undefined before the first, or without /proc. */
  peakRss(functionName: string): number | undefined;
  /** Resolves when no asynchronous invocation is under way. */
  idle(): Promise<void>;
  /** How many events are being handled. */
  busy(): number;
  find(nameOrArn: string): LambdaFunction | undefined;
  /** Who signs with this access key: each process has one of its own. */
  identity(accessKeyId: string): Identity | undefined;
  stop(): Promise<void>;
}

/** An asynchronous payload (Lambda quotas, raised from 256 KB to 1 MB in October 2025). */
const MAX_ASYNC_PAYLOAD = 1024 * 1024;
/** AWS runs a thousand of an account's functions at once; a process takes some 50 MB, which a laptop has for fewer. */
const MOST_AT_ONCE = 24;

interface Pool {
  idle: Sandbox[];
  all: Set<Sandbox>;
  busy: number;
  peak?: number;
}

/** Runs functions in processes of their own, kept warm between events, one event at a time in each. */
export async function startLambda(options: LambdaOptions): Promise<Lambda> {
  const sandboxes = new Map<string, Sandbox>();
  const identities = new Map<string, Identity>();
  const pools = new Map<string, Pool>();
  const background = new Set<Promise<unknown>>();
  const api = await openRuntimeApi((id) => sandboxes.get(id));
  const code = codeFolder();
  const [firstPause, secondPause] = options.retryAfterMs ?? [1_000, 2_000];
  let stopped = false;

  const killAll = () => {
    for (const sandbox of sandboxes.values()) sandbox.kill();
    rmSync(code, { recursive: true, force: true });
  };
  const takeBack = onExit(killAll);
  const machine = turnstile(MOST_AT_ONCE);

  const poolOf = (name: string) => {
    const pool = pools.get(name) ?? { idle: [], all: new Set(), busy: 0 };
    pools.set(name, pool);
    return pool;
  };

  const open = (fn: LambdaFunction, pool: Pool): Sandbox => {
    const id = randomUUID();
    const accessKeyId = accessKeyOf(id);
    identities.set(accessKeyId, { ...fn.identity, caller: { ...fn.identity.caller, accessKeyId } });
    const taskRoot = fn.unpack(code);
    const sandbox = startSandbox({
      id,
      taskRoot,
      memoryMb: fn.memoryMb,
      timeoutMs: fn.timeoutMs,
      environment: {
        ...fn.environment,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_LAMBDA_RUNTIME_API: api.addressFor(id),
        AWS_LAMBDA_LOG_STREAM_NAME: `[$LATEST]${id}`,
        LAMBDA_TASK_ROOT: taskRoot,
      },
      onLine: (line) => options.onLog?.(fn.name, line),
      onEnd: () => {
        sandboxes.delete(id);
        identities.delete(accessKeyId);
        pool.all.delete(sandbox);
        pool.idle = pool.idle.filter((other) => other !== sandbox);
      },
    });
    sandboxes.set(id, sandbox);
    pool.all.add(sandbox);
    return sandbox;
  };

  const takeIdle = (pool: Pool): Sandbox | undefined => {
    for (let sandbox = pool.idle.pop(); sandbox !== undefined; sandbox = pool.idle.pop()) {
      if (sandbox.usable()) return sandbox;
    }
    return undefined;
  };

  const rest = (sandbox: Sandbox, pool: Pool) => {
    if (!sandbox.usable()) return;
    pool.idle.push(sandbox);
    const timer = setTimeout(() => {
      if (pool.idle.includes(sandbox)) sandbox.kill();
    }, options.idleMs ?? 300_000);
    timer.unref();
    idleTimers.set(sandbox, timer);
  };
  const idleTimers = new WeakMap<Sandbox, NodeJS.Timeout>();

  const run = async (fn: LambdaFunction, payload: string): Promise<Outcome> => {
    const pool = poolOf(fn.name);
    if (stopped) throw new ServiceError('ServiceException', 'The local cloud has been stopped', 500);
    if (pool.busy >= fn.concurrency) throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', 429);
    pool.busy++;
    await machine.enter();
    const requestId = randomUUID();
    const started = performance.now();
    try {
      if (stopped) throw new ServiceError('ServiceException', 'The local cloud has been stopped', 500);
      // The last one used is the warmest; the others may reach the end of their idle time.
      const sandbox = takeIdle(pool) ?? open(fn, pool);
      clearTimeout(idleTimers.get(sandbox));
      const identity = identities.get(accessKeyOf(sandbox.id));
      if (identity) identity.worksFor = executionAtWork();
      const outcome = await sandbox.invoke({ requestId, functionArn: fn.arn, payload });
      const used = sandbox.peakRss();
      pool.peak = Math.max(pool.peak ?? 0, used ?? 0) || undefined;
      options.onLog?.(fn.name, report(requestId, performance.now() - started, fn.memoryMb, used));
      rest(sandbox, pool);
      return outcome;
    } finally {
      machine.leave();
      pool.busy--;
    }
  };

  const runInBackground = async (fn: LambdaFunction, payload: string) => {
    for (let attempt = 0; ; attempt++) {
      const failed = await run(fn, payload).then(
        (outcome) => outcome.functionError !== undefined,
        () => true,
      );
      if (!failed || attempt >= fn.retries || stopped) return;
      await sleep(attempt === 0 ? firstPause : secondPause, undefined, { ref: false });
    }
  };

  const find = (nameOrArn: string) =>
    options.functions.find(
      ({ name, arn }) => nameOrArn === name || nameOrArn === arn || nameOrArn === `${arn}:$LATEST`,
    );

  return {
    find,
    identity: (accessKeyId) => identities.get(accessKeyId),
    async invoke({ functionArn, payload, type = 'RequestResponse' }) {
      const fn = find(functionArn);
      if (fn === undefined) {
        throw new ServiceError('ResourceNotFoundException', `Function not found: ${functionArn}`, 404);
      }
      const limit = type === 'Event' ? MAX_ASYNC_PAYLOAD : MAX_PAYLOAD;
      if (Buffer.byteLength(payload) > limit) {
        throw new ServiceError(
          'RequestTooLargeException',
          `Request must be smaller than ${limit} bytes for the InvokeFunction operation`,
          413,
        );
      }
      if (type === 'RequestResponse') return run(fn, payload);
      const work = runInBackground(fn, payload);
      background.add(work);
      work.finally(() => background.delete(work));
      return { payload: '' };
    },
    kill(functionName) {
      for (const sandbox of poolOf(find(functionName)?.name ?? functionName).all) sandbox.kill();
    },
    busy: () => [...pools.values()].reduce((sum, pool) => sum + pool.busy, 0),
    peakRss: (functionName) => pools.get(find(functionName)?.name ?? functionName)?.peak,
    async idle() {
      while (background.size > 0) await Promise.all(background);
    },
    async stop() {
      stopped = true;
      killAll();
      while (sandboxes.size > 0) await sleep(5);
      takeBack();
      await api.stop();
    },
  };
}

const accessKeyOf = (sandbox: string): string =>
  `ASIA${createHash('sha256').update(sandbox).digest('hex').slice(0, 16).toUpperCase()}`;

/** Where code is unpacked: below the temporary folder, named by our process so that a later start clears up after a killed one. */
function codeFolder(): string {
  const prefix = 'redshift-loader-lambda-';
  for (const entry of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(entry)?.[1];
    if (pid !== undefined && identityOf(Number(pid)) === undefined)
      rmSync(join(tmpdir(), entry), { recursive: true, force: true });
  }
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

function report(requestId: string, ms: number, memoryMb: number, used: number | undefined): string {
  const memory = used === undefined ? '' : `\tMax Memory Used: ${Math.ceil(used / 1024 / 1024)} MB`;
  return `REPORT RequestId: ${requestId}\tDuration: ${ms.toFixed(2)} ms\tMemory Size: ${memoryMb} MB${memory}`;
}
