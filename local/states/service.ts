import { setTimeout as delay } from 'node:timers/promises';
import type { JsonService, Permission, ServiceCall } from '../service.ts';
import { ServiceError } from '../service.ts';
import { answers } from './answers.ts';
import type { Execution } from './execution.ts';
import { Executions } from './executions.ts';
import type { ExecutionStatus, Machine, StatesPorts } from './ports.ts';
import { isAction, parseRequest } from './requests.ts';

export type { ExecutionStatus, FaultPoint, Machine, StatesPorts, StatusChange } from './ports.ts';

/** An execution at a glance, for tests and reports; `transitions` is what AWS would bill. */
export interface ExecutionView {
  arn: string;
  machineArn: string;
  name: string;
  status: ExecutionStatus;
  input: string;
  output: string | undefined;
  error: string | undefined;
  cause: string | undefined;
  startDate: Date;
  stopDate: Date | undefined;
  redriveCount: number;
  transitions: number;
  events: number;
}

export interface StepFunctions extends JsonService {
  /** State transitions of all executions since the start: every state entered, every retry, every redrive. */
  transitions(): number;
  /** Resolves when nothing runs any more. */
  idle(): Promise<void>;
  /** Stops whatever runs, without telling statusChanged, and refuses new executions. */
  stop(): Promise<void>;
  /** @throws ServiceError ExecutionDoesNotExist */
  execution(arn: string): ExecutionView;
  /**
   * An execution with all that it started, and these in turn; without those of some machines.
   * @throws ServiceError ExecutionDoesNotExist
   */
  family(arn: string, without?: string[]): ExecutionView[];
}

async function realSleep(ms: number, signal?: AbortSignal): Promise<void> {
  // Node fires a timer beyond 2^31 ms at once.
  await delay(Math.min(ms, 2 ** 31 - 1), undefined, signal ? { signal } : {}).catch(() => undefined);
}

/** What IAM must allow: the machine for what names one, the execution for what names that. */
function permissions({ action, input }: ServiceCall): Permission[] {
  const resource = input.executionArn ?? input.stateMachineArn;
  return [{ action: `states:${action}`, resource: typeof resource === 'string' ? resource : '*' }];
}

/**
 * The Step Functions of the local cloud: Standard workflows in JSONata.
 * @throws ServiceError InvalidDefinition where a machine's definition is not one that can be run as AWS runs it
 */
export function createStepFunctions(machines: Machine[], ports: StatesPorts): StepFunctions {
  const executions = new Executions(machines, { sleep: realSleep, now: () => new Date(), ...ports });
  return {
    target: 'AWSStepFunctions',
    permissions,
    async handle({ action, input }) {
      if (!isAction(action)) {
        throw new ServiceError('UnknownOperationException', `${action} is not part of the local Step Functions`);
      }
      const answer = answers[action] as (executions: Executions, request: unknown) => unknown;
      return answer(executions, parseRequest(action, input));
    },
    transitions: () => executions.transitions,
    idle: () => executions.idle(),
    stop: () => executions.stop(),
    execution: (arn) => viewOf(executions.find(arn)),
    family: (arn, without = []) => executions.family(arn, without).map(viewOf),
  };
}

function viewOf({ identity, history, ...execution }: Execution): ExecutionView {
  const { status, output, error, cause, startDate, stopDate, redriveCount, transitions } = execution;
  const { arn, machine, name, input } = identity;
  const dates = { startDate, stopDate, redriveCount, transitions, events: history.events.length };
  return { arn, machineArn: machine.arn, name, status, input, output, error, cause, ...dates };
}
