import { onBehalfOf } from '../on-behalf.ts';
import { type Branch, newBranch } from './branch.ts';
import type { StateMachine } from './definition.ts';
import { asStateError, type StateError } from './errors.ts';
import { History } from './history.ts';
import { withinLimit } from './limits.ts';
import type { ExecutionStatus, Machine, StatesPorts } from './ports.ts';
import { isoDate, type Run } from './visit.ts';
import { walk } from './walk.ts';

/** What an execution needs of the service that runs it. */
export interface Surroundings {
  ports: StatesPorts;
  now(): Date;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  startExecution: Run['startExecution'];
  /** Told of every transition, besides the execution's own count. */
  transition(): void;
}

export interface Identity {
  arn: string;
  name: string;
  machine: Machine;
  definition: StateMachine;
  input: string;
  /** The ARN of the execution that started it, if one did. */
  startedBy: string | undefined;
}

type Ending = { status: 'ABORTED' | 'TIMED_OUT'; error?: string | undefined; cause?: string | undefined };

/** One execution: its root branch holds where it stands, its history what happened. */
export class Execution {
  readonly identity: Identity;
  readonly history: History;
  readonly startDate: Date;
  status: ExecutionStatus = 'RUNNING';
  stopDate: Date | undefined;
  output: string | undefined;
  error: string | undefined;
  cause: string | undefined;
  redriveCount = 0;
  redriveDate: Date | undefined;
  transitions = 0;
  /** Client tokens of redrives, with the date that each was answered with. */
  readonly redrives = new Map<string, Date>();
  readonly #root: Branch;
  readonly #around: Surroundings;
  #stopping = new AbortController();
  #ending: Ending | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(identity: Identity, around: Surroundings) {
    this.identity = identity;
    this.#around = around;
    this.startDate = around.now();
    this.history = new History(around.now);
    this.#root = newBranch(identity.definition, JSON.parse(identity.input), { outer: {}, lastEvent: 0 });
  }

  start(): void {
    const { input, machine } = this.identity;
    this.history.add(this.#root, 'ExecutionStarted', { input, roleArn: machine.roleArn });
    this.#running = onBehalfOf(this.identity.arn, () => this.#go());
  }

  /** Stops the execution; resolves when it has stopped. Calls that its tasks made go on, their results are ignored. */
  async stop(ending: Ending): Promise<void> {
    this.#ending ??= ending;
    this.#stopping.abort();
    await this.#running;
  }

  /** Goes on from the state or states that did not complete. */
  redrive(): Date {
    this.redriveCount += 1;
    this.redriveDate = this.#around.now();
    this.status = 'RUNNING';
    this.#ending = undefined;
    this.#stopping = new AbortController();
    for (const field of ['stopDate', 'output', 'error', 'cause'] as const) this[field] = undefined;
    // "Execution redrives are considered as state transitions."
    this.#transition();
    this.#root.lastEvent = this.history.events.length;
    this.history.add(this.#root, 'ExecutionRedriven', { redriveCount: this.redriveCount });
    this.#running = onBehalfOf(this.identity.arn, () => this.#go());
    return this.redriveDate;
  }

  /** Resolves when the execution runs no more. */
  ended(): Promise<void> {
    return this.#running;
  }

  async #go(): Promise<void> {
    this.#announce();
    const timer = this.#deadline();
    try {
      const output = await walk(this.#run(), this.#root, this.#stopping.signal);
      this.#end('SUCCEEDED', { output: withinLimit(output, 'the output of the execution') });
    } catch (thrown) {
      if (this.#ending) this.#end(this.#ending.status, this.#ending);
      else this.#fail(asStateError(thrown));
    } finally {
      clearTimeout(timer);
    }
    this.#announce();
  }

  #fail(error: StateError): void {
    this.#end('FAILED', { error: error.name, cause: error.cause });
  }

  #end(
    status: Exclude<ExecutionStatus, 'RUNNING'>,
    details: { output?: string; error?: string; cause?: string },
  ): void {
    this.status = status;
    this.stopDate = this.#around.now();
    const { output, error, cause } = details;
    Object.assign(this, { output, error, cause });
    const type = { SUCCEEDED: 'Succeeded', FAILED: 'Failed', ABORTED: 'Aborted', TIMED_OUT: 'TimedOut' } as const;
    this.history.close(this.#root, `Execution${type[status]}`, output === undefined ? { error, cause } : { output });
  }

  #deadline(): NodeJS.Timeout | undefined {
    const { TimeoutSeconds } = this.identity.definition;
    if (TimeoutSeconds === undefined) return undefined;
    // Node fires a timer beyond 2^31 ms at once.
    const ms = Math.min(TimeoutSeconds * 1000, 2 ** 31 - 1);
    return setTimeout(() => void this.stop({ status: 'TIMED_OUT', error: 'States.Timeout' }), ms);
  }

  #transition(): void {
    this.transitions += 1;
    this.#around.transition();
  }

  #run(): Run {
    const { arn, name, machine, input } = this.identity;
    const { ports, now, sleep, startExecution } = this.#around;
    const redriven = this.redriveDate
      ? { RedriveCount: this.redriveCount, RedriveTime: isoDate(this.redriveDate) }
      : {};
    return {
      executionArn: arn,
      roleArn: machine.roleArn,
      history: this.history,
      ports,
      now,
      sleep,
      startExecution,
      transition: () => this.#transition(),
      context: {
        Execution: {
          Id: arn,
          Name: name,
          Input: JSON.parse(input),
          StartTime: isoDate(this.startDate),
          RoleArn: machine.roleArn,
          ...redriven,
        },
        StateMachine: { Id: machine.arn, Name: machine.name },
      },
    };
  }

  #announce(): void {
    const { arn, name, machine, input } = this.identity;
    const { status, output, error, cause, startDate, stopDate } = this;
    this.#around.ports.statusChanged({
      executionArn: arn,
      stateMachineArn: machine.arn,
      name,
      status,
      startDate: startDate.getTime(),
      stopDate: stopDate?.getTime() ?? null,
      input,
      output: output ?? null,
      ...(error === undefined ? {} : { error }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
