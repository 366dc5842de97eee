import { ACCOUNT, REGION } from '../../local/identity.ts';
import {
  createStepFunctions,
  type StatesPorts,
  type StatusChange,
  type StepFunctions,
} from '../../local/states/service.ts';

export const machineArn = (name: string): string => `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${name}`;
export const functionArn = (name: string): string => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/machine`;

/** A function of the tests: takes the parsed payload; a throw becomes a Lambda function error. */
export type Lambda = (payload: never) => unknown;

const answered = async (lambda: Lambda, payload: string): Promise<{ payload: string; functionError?: string }> => {
  try {
    return { payload: JSON.stringify((await lambda(JSON.parse(payload) as never)) ?? null) };
  } catch (error) {
    const { name, message } = error as Error;
    return { payload: JSON.stringify({ errorType: name, errorMessage: message }), functionError: 'Unhandled' };
  }
};

export interface Bench {
  service: StepFunctions;
  /** Waits asked for by retries and Wait states, in milliseconds; none of them takes time. */
  sleeps: number[];
  changes: StatusChange[];
  call(action: string, input: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Starts the machine `main` and waits until nothing runs any more. */
  run(input?: unknown, name?: string): Promise<ReturnType<StepFunctions['execution']>>;
  /** The types of an execution's events, in order. */
  events(arn: string): Promise<string[]>;
}

/** A service with one machine `main` (or several by name) whose tasks call the given functions. */
export function bench(
  definition: Record<string, unknown>,
  {
    lambdas = {},
    ports = {},
    others = {},
  }: { lambdas?: Record<string, Lambda>; ports?: Partial<StatesPorts>; others?: Record<string, unknown> } = {},
): Bench {
  const sleeps: number[] = [];
  const changes: StatusChange[] = [];
  const machines = Object.entries({ main: definition, ...others }).map(([name, states]) => ({
    arn: machineArn(name),
    name,
    roleArn: ROLE,
    definition: JSON.stringify({ QueryLanguage: 'JSONata', ...(states as object) }),
  }));
  const service = createStepFunctions(machines, {
    async invokeFunction(call) {
      const lambda = lambdas[call.functionArn.split(':')[6] ?? ''];
      if (!lambda)
        throw Object.assign(new Error(`no function ${call.functionArn}`), { name: 'ResourceNotFoundException' });
      return answered(lambda, call.payload);
    },
    callService: async () => ({}),
    authorize: () => undefined,
    statusChanged: (change) => void changes.push(change),
    sleep: async (ms) => void sleeps.push(ms),
    ...ports,
  });
  const caller = { arn: 'operator', accessKeyId: 'operator' };
  const call: Bench['call'] = async (action, input) =>
    (await service.handle({ action, input, caller })) as Record<string, unknown>;
  return {
    service,
    sleeps,
    changes,
    call,
    async run(input = {}, name) {
      const named = name === undefined ? {} : { name };
      const request = { stateMachineArn: machineArn('main'), input: JSON.stringify(input), ...named };
      const { executionArn } = await call('StartExecution', request);
      await service.idle();
      return service.execution(String(executionArn));
    },
    async events(executionArn) {
      const { events } = await call('GetExecutionHistory', { executionArn, maxResults: 1000 });
      return (events as { type: string }[]).map((event) => event.type);
    },
  };
}

/** A Task that invokes a function of the tests with the state's input, or with the given payload. */
export const invoke = (name: string, rest: Record<string, unknown> = {}, payload: unknown = '{% $states.input %}') => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: functionArn(name), Payload: payload },
  ...(('Next' in rest ? {} : { End: true }) as object),
  ...rest,
});

export const named = (name: string, message = name): Error => Object.assign(new Error(message), { name });

export const output = (execution: { output: string | undefined }): unknown => JSON.parse(execution.output ?? 'null');
