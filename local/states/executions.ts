import { randomUUID } from 'node:crypto';
import { executionAtWork } from '../on-behalf.ts';
import { ServiceError } from '../service.ts';
import type { StateMachine } from './definition.ts';
import { Execution, type Surroundings } from './execution.ts';
import { MAX_EVENTS } from './limits.ts';
import { parseMachine } from './machine.ts';
import type { Machine, StatesPorts } from './ports.ts';
import { checkArn, checkName, executionArn, type Request } from './requests.ts';

type Ports = StatesPorts & Required<Pick<StatesPorts, 'sleep' | 'now'>>;
type StateMachineEntry = { machine: Machine; definition: StateMachine; created: Date };

/** All machines and executions of the local cloud, kept in memory for the process's life. */
export class Executions {
  transitions = 0;
  readonly #machines = new Map<string, StateMachineEntry>();
  readonly #executions = new Map<string, Execution>();
  readonly #running = new Set<Execution>();
  readonly #ports: Ports;
  #stopped = false;

  /** @throws ServiceError InvalidDefinition naming the machine */
  constructor(machines: Machine[], ports: Ports) {
    this.#ports = ports;
    for (const machine of machines) {
      checkArn('machine', machine.arn);
      this.#machines.set(machine.arn, { machine, definition: this.#parse(machine), created: ports.now() });
    }
  }

  #parse(machine: Machine): StateMachine {
    try {
      return parseMachine(machine.definition);
    } catch (error) {
      if (error instanceof ServiceError) throw new ServiceError(error.code, `${machine.name}: ${error.message}`);
      throw error;
    }
  }

  /** @throws ServiceError InvalidArn, StateMachineDoesNotExist */
  machine(arn: string): StateMachineEntry {
    checkArn('machine', arn);
    const entry = this.#machines.get(arn);
    if (!entry) throw new ServiceError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
    return entry;
  }

  /** @throws ServiceError InvalidArn, ExecutionDoesNotExist */
  find(arn: string): Execution {
    checkArn('execution', arn);
    const execution = this.#executions.get(arn);
    if (!execution) throw new ServiceError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
    return execution;
  }

  /** The executions of one machine, newest first. */
  of(machineArn: string): Execution[] {
    this.machine(machineArn);
    return [...this.#executions.values()].filter((one) => one.identity.machine.arn === machineArn).reverse();
  }

  /** An execution with all that it started, and these in turn; without those of some machines. */
  family(arn: string, without: string[]): Execution[] {
    const children = [...this.#executions.values()].filter(
      ({ identity }) => identity.startedBy === arn && !without.includes(identity.machine.arn),
    );
    return [this.find(arn), ...children.flatMap((child) => this.family(child.identity.arn, without))];
  }

  /**
   * Starts an execution, or returns the one that runs already under this name with this input.
   * @throws ServiceError StateMachineDoesNotExist, InvalidName, InvalidExecutionInput, ExecutionAlreadyExists
   */
  start({ stateMachineArn, input, name = randomUUID() }: Request<'StartExecution'>): Execution {
    if (this.#stopped) throw new ServiceError('ServiceUnavailable', 'the local cloud is stopping', 503);
    const { machine, definition } = this.machine(stateMachineArn);
    checkName(name);
    try {
      JSON.parse(input);
    } catch (error) {
      throw new ServiceError(
        'InvalidExecutionInput',
        `Invalid State Machine Execution Input: ${(error as Error).message}`,
      );
    }
    const arn = executionArn(machine.name, name);
    const existing = this.#executions.get(arn);
    if (existing) {
      if (existing.status === 'RUNNING' && existing.identity.input === input) return existing;
      throw new ServiceError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
    }
    const identity = { arn, name, machine, definition, input, startedBy: executionAtWork() };
    const execution = new Execution(identity, this.#surroundings());
    this.#executions.set(arn, execution);
    execution.start();
    this.#watch(execution);
    return execution;
  }

  /** Restarts a failed, aborted or timed-out execution. @throws ServiceError ExecutionNotRedrivable */
  redrive(arn: string, clientToken: string | undefined): Date {
    const execution = this.find(arn);
    const answered = clientToken === undefined ? undefined : execution.redrives.get(clientToken);
    if (answered) return answered;
    const why =
      execution.status === 'RUNNING' || execution.status === 'SUCCEEDED'
        ? `Execution is ${execution.status} and cannot be redriven`
        : execution.history.events.length >= MAX_EVENTS - 1
          ? 'Execution history event limit exceeded'
          : undefined;
    if (why) throw new ServiceError('ExecutionNotRedrivable', why);
    const date = execution.redrive();
    if (clientToken !== undefined) execution.redrives.set(clientToken, date);
    this.#watch(execution);
    return date;
  }

  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running].map((execution) => execution.ended()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#running].map((execution) => execution.stop({ status: 'ABORTED' })));
  }

  #watch(execution: Execution): void {
    this.#running.add(execution);
    void execution.ended().finally(() => this.#running.delete(execution));
  }

  #surroundings(): Surroundings {
    const { sleep, now } = this.#ports;
    return {
      ports: { ...this.#ports, statusChanged: (detail) => this.#stopped || this.#ports.statusChanged(detail) },
      now,
      sleep,
      transition: () => {
        this.transitions += 1;
      },
      startExecution: (request) => {
        const { identity, startDate } = this.start(request);
        return { executionArn: identity.arn, startDate };
      },
    };
  }
}
