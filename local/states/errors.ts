/** A state's failure as the Amazon States Language knows it: `name` is what Retry and Catch match, `cause` is for people. */
export class StateError extends Error {
  override readonly cause: string;
  /** The field whose expression failed, e.g. `Output`; only for States.QueryEvaluationError. */
  readonly location: string | undefined;

  constructor(name: string, cause: string, location?: string) {
    super(cause);
    this.name = name;
    this.cause = cause;
    this.location = location;
  }
}

/** Thrown where a state is cut short by StopExecution, a timeout of the machine or a failed sibling; never retried or caught. */
export class Aborted extends Error {
  constructor() {
    super('aborted');
    this.name = 'Aborted';
  }
}

/** Whatever was thrown, as a state's error: a plain Error keeps its name, so that an injected fault can be matched. */
export function asStateError(thrown: unknown): StateError {
  if (thrown instanceof StateError) return thrown;
  if (thrown instanceof Error) return new StateError(thrown.name, thrown.message);
  return new StateError('States.TaskFailed', String(thrown));
}

/**
 * Does an ErrorEquals list match this error? The wildcards do not reach the terminal errors: States.Runtime is never
 * matched, States.DataLimitExceeded only by its own name (Step Functions Developer Guide, "Error names").
 */
export function matches(errorEquals: readonly string[], error: string): boolean {
  if (error === 'States.Runtime') return false;
  if (errorEquals.includes(error)) return true;
  if (error === 'States.DataLimitExceeded') return false;
  if (errorEquals.includes('States.ALL')) return true;
  return errorEquals.includes('States.TaskFailed') && error !== 'States.Timeout';
}

/** Waits for a promise unless the signal aborts first; the promise itself goes on and its result is ignored, as on AWS. */
export async function unlessAborted<T>(promise: Promise<T> | T, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    if (promise instanceof Promise) promise.catch(() => undefined);
    throw new Aborted();
  }
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new Aborted());
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
