import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  paginateListExecutions,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { describeStepError } from '../model/errors.ts';

/** The state machines that people start, or that work for what they started, by their ARNs. */
export const MachineArns = z.object({
  setupJob: z.string(),
  loadJob: z.string(),
  loadTable: z.string(),
  verifyJob: z.string(),
});
export type MachineArns = z.infer<typeof MachineArns>;
export type MachineName = keyof MachineArns;

export interface Execution {
  status: 'running' | 'succeeded' | 'failed';
  startedAt: string;
  input: unknown;
  /** What it answered; null where it has not succeeded. */
  output: unknown;
  /** Why it failed, as people read it; null where it did not. */
  error: string | null;
}

/** An execution that has not ended. */
export interface Running {
  machine: MachineName;
  /** Its own. */
  name: string;
}

/** `loadTable: 1234-0`, for people. */
export const runningText = (running: Running[]): string =>
  running.map(({ machine, name }) => `${machine}: ${name}`).join(', ');

/** An execution's input as far as it says whose it is. */
const Input = z.object({ jobId: z.string() });

/** Step Functions, as far as the control side starts and watches executions. */
export class Machines {
  readonly #client: SFNClient;
  readonly #arns: MachineArns;

  constructor(arns: MachineArns, client = new SFNClient({})) {
    this.#arns = arns;
    this.#client = client;
  }

  /** The same name with the same input starts one execution, however often it is asked for. */
  async start(machine: MachineName, name: string, input: { jobId: string } & Record<string, unknown>): Promise<void> {
    await this.#client.send(
      new StartExecutionCommand({ stateMachineArn: this.#arns[machine], name, input: JSON.stringify(input) }),
    );
  }

  /** @returns null where there is no such execution (any more: Step Functions keeps them for 90 days) */
  async describe(machine: MachineName, name: string): Promise<Execution | null> {
    try {
      const found = await this.#client.send(
        new DescribeExecutionCommand({ executionArn: executionArn(this.#arns[machine], name) }),
      );
      const {
        status = 'RUNNING',
        startDate,
        input = 'null',
        output,
        error = status,
        cause = `it ended as ${status}`,
      } = found;
      const failed = status !== 'RUNNING' && status !== 'SUCCEEDED';
      return {
        status: status === 'RUNNING' ? 'running' : failed ? 'failed' : 'succeeded',
        startedAt: startDate?.toISOString() ?? '',
        input: JSON.parse(input),
        output: output === undefined ? null : JSON.parse(output),
        error: failed ? describeStepError({ Error: error, Cause: cause }) : null,
      };
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return null;
      throw error;
    }
  }

  /** What is running for a job. */
  async runningFor(jobId: string): Promise<Running[]> {
    const running: Running[] = [];
    for (const machine of MachineArns.keyof().options) {
      const stateMachineArn = this.#arns[machine];
      const pages = paginateListExecutions({ client: this.#client }, { stateMachineArn, statusFilter: 'RUNNING' });
      for await (const { executions = [] } of pages)
        for (const { executionArn, name = '' } of executions) {
          const { input = '{}' } = await this.#client.send(new DescribeExecutionCommand({ executionArn }));
          if (Input.safeParse(JSON.parse(input)).data?.jobId === jobId) running.push({ machine, name });
        }
    }
    return running;
  }

  /** Stops an execution; one that has ended stays as it is. */
  async stop({ machine, name }: Running, cause: string): Promise<void> {
    await this.#client.send(
      new StopExecutionCommand({ executionArn: executionArn(this.#arns[machine], name), error: 'Stopped', cause }),
    );
  }
}

/** `arn:…:stateMachine:NAME` and an execution's name make `arn:…:execution:NAME:execution`. */
const executionArn = (machineArn: string, name: string): string =>
  `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;
