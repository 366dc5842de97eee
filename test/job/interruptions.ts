import {
  DescribeExecutionCommand,
  ListExecutionsCommand,
  RedriveExecutionCommand,
  SFNClient,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { Fault } from '../../local/gate.ts';
import { REGION } from '../../local/identity.ts';
import type { FaultPoint } from '../../local/states/ports.ts';
import type { Bench } from './harness.ts';

type Call = Parameters<Fault>[0];

/** What a test does at a moment of a run; each hook acts once, at the first moment that it asks for. */
export class Interruptions {
  readonly #calls: { at: (call: Call) => boolean; act: (call: Call) => Promise<void> | void }[] = [];
  readonly #states: { at: (point: FaultPoint) => boolean; act: (point: FaultPoint) => Promise<void> | void }[] = [];

  readonly options = {
    fault: (call: Call) => Interruptions.#first(this.#calls, call),
    states: {
      fault: (point: FaultPoint) => Interruptions.#first(this.#states, point),
      sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, Math.min(ms, 20))),
    },
  };

  /** At a call of a service by one of the functions. */
  atCall(at: (call: Call) => boolean, act: (call: Call) => Promise<void> | void): void {
    this.#calls.push({ at, act });
  }

  atState(
    state: string,
    act: (point: FaultPoint) => Promise<void> | void,
    moment: FaultPoint['moment'] = 'enter',
  ): void {
    this.#states.push({ at: (point) => point.state === state && point.moment === moment, act });
  }

  /** What has not come to pass by now is not to. */
  forget(): void {
    this.#calls.length = 0;
    this.#states.length = 0;
  }

  static async #first<T>(hooks: { at: (moment: T) => boolean; act: (moment: T) => Promise<void> | void }[], moment: T) {
    const i = hooks.findIndex((hook) => hook.at(moment));
    const [hook] = i < 0 ? [] : hooks.splice(i, 1);
    await hook?.act(moment);
  }
}

/** A batch has just been run by the warehouse: its caller waits for the answer. */
export const batchAnswered = ({ service, action, moment }: Call): boolean =>
  service === 'redshift-data' && action === 'BatchExecuteStatement' && moment === 'after';

/** What an administrator does to executions. */
export class Executions {
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  get #client(): SFNClient {
    const { endpoint, credentials } = this.#bench.installation.cloud;
    return new SFNClient({ endpoint, credentials, region: REGION });
  }

  async named(machine: 'LoadJobArn' | 'LoadTableArn', prefix = ''): Promise<string[]> {
    const stateMachineArn = this.#bench.installation.cloud.outputs[machine];
    const { executions = [] } = await this.#client.send(new ListExecutionsCommand({ stateMachineArn }));
    return executions.filter(({ name }) => name?.startsWith(prefix)).map(({ executionArn = '' }) => executionArn);
  }

  async input(executionArn: string): Promise<{ owner?: string; table?: string }> {
    const { input = '{}' } = await this.#client.send(new DescribeExecutionCommand({ executionArn }));
    return JSON.parse(input);
  }

  /** What EventBridge says once an execution was stopped. */
  async statusChange(executionArn: string): Promise<{ detail: object }> {
    const { name, input, startDate } = await this.#client.send(new DescribeExecutionCommand({ executionArn }));
    return { detail: { name, status: 'ABORTED', input, startDate: startDate?.getTime() } };
  }

  async stop(executionArn: string): Promise<void> {
    await this.#client.send(new StopExecutionCommand({ executionArn, cause: 'stopped by hand' }));
  }

  /** Stops every execution that runs, or those of some machines. @returns their ARNs */
  async stopAll(machines = ['LoadJobArn', 'LoadTableArn', 'VerifyJobArn']): Promise<string[]> {
    const stopped: string[] = [];
    for (const machine of machines) {
      const stateMachineArn = this.#bench.installation.cloud.outputs[machine];
      const running = new ListExecutionsCommand({ stateMachineArn, statusFilter: 'RUNNING' });
      for (const { executionArn = '' } of (await this.#client.send(running)).executions ?? []) {
        await this.stop(executionArn);
        stopped.push(executionArn);
      }
    }
    return stopped;
  }

  async redrive(executionArns: string[]): Promise<void> {
    for (const executionArn of executionArns) await this.#client.send(new RedriveExecutionCommand({ executionArn }));
  }
}
