import { REGION } from '../identity.ts';
import { ServiceError } from '../service.ts';
import type { TaskState } from './definition.ts';
import { Aborted, StateError, unlessAborted } from './errors.ts';
import { evaluate, evaluateInteger } from './expression.ts';
import { withinLimit } from './limits.ts';
import { checkArguments, functionArn, parseResource, type TaskResource } from './resource.ts';
import { bindings, isoDate, type Visit } from './visit.ts';

const MAX_SECONDS = 99_999_999;

/** How AWS names an error of a service that a task calls: with the service's prefix and the suffix of Java's SDK. */
function serviceError(prefix: string, thrown: unknown): StateError {
  if (thrown instanceof StateError) return thrown;
  const { name, message } = thrown instanceof Error ? thrown : { name: 'SdkClient', message: String(thrown) };
  const code = name === 'Error' ? 'SdkClient' : name;
  return new StateError(`${prefix}.${code.endsWith('Exception') ? code : `${code}Exception`}`, message);
}

/** What the role may not do fails the task as States.Permissions ("insufficient privileges to run the specified code"). */
function authorize(visit: Visit, action: string, resource: string): void {
  try {
    visit.run.ports.authorize(visit.run.roleArn, [{ action, resource }]);
  } catch (error) {
    throw new StateError('States.Permissions', (error as Error).message);
  }
}

async function invoke(visit: Visit, arn: string, payload: unknown): Promise<unknown> {
  authorize(visit, 'lambda:InvokeFunction', arn);
  const text = withinLimit(payload, `the payload of state ${visit.name}`);
  const { roleArn, ports } = visit.run;
  let answer: { payload: string; functionError?: string };
  try {
    answer = await ports.invokeFunction({ functionArn: arn, payload: text, roleArn });
  } catch (error) {
    throw serviceError('Lambda', error);
  }
  const result: unknown = answer.payload === '' ? null : JSON.parse(answer.payload);
  if (answer.functionError === undefined) return result;
  const { errorType } = (result ?? {}) as { errorType?: unknown };
  throw new StateError(typeof errorType === 'string' && errorType ? errorType : 'Lambda.Unknown', answer.payload);
}

type Arguments = Record<string, unknown>;

function text(given: Arguments, name: string): string {
  const value = given[name];
  if (typeof value !== 'string') throw new StateError('States.Runtime', `Arguments need ${name}, a string`);
  return value;
}

function startExecution(visit: Visit, given: Arguments): unknown {
  const stateMachineArn = text(given, 'StateMachineArn');
  authorize(visit, 'states:StartExecution', stateMachineArn);
  const input = typeof given.Input === 'string' ? given.Input : JSON.stringify(given.Input ?? {});
  const name = given.Name === undefined ? {} : { name: text(given, 'Name') };
  try {
    const started = visit.run.startExecution({ stateMachineArn, input, ...name });
    // The date's form is AWS's own secret: no definition should look into it.
    return { ExecutionArn: started.executionArn, StartDate: isoDate(started.startDate) };
  } catch (error) {
    throw serviceError('StepFunctions', error);
  }
}

async function call(visit: Visit, resource: TaskResource, given: unknown): Promise<unknown> {
  const fields = (given ?? {}) as Arguments;
  switch (resource.kind) {
    case 'function':
      return invoke(visit, resource.functionArn, given);
    case 'invoke': {
      const payload = await invoke(visit, functionArn(text(fields, 'FunctionName')), fields.Payload ?? {});
      return { ExecutedVersion: '$LATEST', Payload: payload, StatusCode: 200 };
    }
    case 'startExecution':
      return startExecution(visit, fields);
    case 'service': {
      const { service, action, errorPrefix } = resource;
      const { roleArn, ports } = visit.run;
      try {
        return (await ports.callService({ service, action, input: given, roleArn })) ?? {};
      } catch (error) {
        const denied = error instanceof ServiceError && /^AccessDenied/.test(error.code);
        throw denied ? new StateError('States.Permissions', error.message) : serviceError(errorPrefix, error);
      }
    }
  }
}

/** Resource type and name as the history shows them, e.g. `lambda` and `invoke`, `aws-sdk:redshiftdata` and its action. */
function shown(arn: string): { resourceType: string; resource: string } {
  const parts = arn.split(':').slice(5);
  if (arn.startsWith('arn:aws:lambda:')) return { resourceType: 'lambda', resource: 'invoke' };
  return { resourceType: parts.slice(0, -1).join(':'), resource: parts.at(-1) ?? '' };
}

/** Waits for the work, but no longer than the timeout; the work itself goes on unseen, as a Lambda call does on AWS. */
async function within<T>(seconds: number, name: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const error = new StateError('States.Timeout', `state ${name} ran longer than its TimeoutSeconds, ${seconds}`);
    // Node fires a timer beyond 2^31 ms at once.
    timer = setTimeout(() => reject(error), Math.min(seconds * 1000, 2 ** 31 - 1));
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs a Task once: arguments, call, result, with the events of it.
 * @returns the raw result
 * @throws StateError by the error's name; Aborted when the execution stops
 */
export async function runTask(visit: Visit<TaskState>): Promise<unknown> {
  const { state, run, branch } = visit;
  const resource = parseResource(state.Resource);
  const seen = bindings(visit);
  const given = state.Arguments === undefined ? visit.input : await evaluate(state.Arguments, seen, 'Arguments');
  const parameters = withinLimit(given, `the arguments of state ${visit.name}`);
  const seconds =
    state.TimeoutSeconds === undefined
      ? undefined
      : await evaluateInteger(state.TimeoutSeconds, seen, 'TimeoutSeconds', { least: 1, most: MAX_SECONDS });
  const of = shown(state.Resource);
  const timeout = seconds === undefined ? {} : { timeoutInSeconds: seconds };
  run.history.add(branch, 'TaskScheduled', { ...of, region: REGION, parameters, ...timeout });
  run.history.add(branch, 'TaskStarted', of);
  try {
    checkArguments(resource.kind, given);
    const work = call(visit, resource, given);
    const result = await unlessAborted(seconds ? within(seconds, visit.name, work) : work, visit.signal);
    const output = withinLimit(result, `the result of state ${visit.name}`);
    run.history.add(branch, 'TaskSucceeded', { ...of, output });
    return JSON.parse(output);
  } catch (thrown) {
    if (thrown instanceof Aborted) throw thrown;
    const error = thrown instanceof StateError ? thrown : new StateError('States.Runtime', String(thrown));
    const type = error.name === 'States.Timeout' ? 'TaskTimedOut' : 'TaskFailed';
    run.history.addIfRoom(branch, type, { ...of, error: error.name, cause: error.cause });
    throw error;
  }
}
