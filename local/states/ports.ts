import type { Permission } from '../service.ts';

/** A state machine as the template describes it; `definition` is the JSON text of its Amazon States Language. */
export interface Machine {
  arn: string;
  name: string;
  roleArn: string;
  definition: string;
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** The detail of EventBridge's `Step Functions Execution Status Change`; dates in epoch milliseconds. */
export interface StatusChange {
  executionArn: string;
  stateMachineArn: string;
  name: string;
  status: ExecutionStatus;
  startDate: number;
  stopDate: number | null;
  input: string;
  output: string | null;
  error?: string;
  cause?: string;
}

/** A moment in an execution at which a test may inject a fault. */
export interface FaultPoint {
  executionArn: string;
  state: string;
  moment: 'enter' | 'exit';
}

/** What the interpreter needs of the world around it. */
export interface StatesPorts {
  /** Invokes a function; `payload` is JSON text both ways. A throw is an error of the Lambda service. */
  invokeFunction(call: { functionArn: string; payload: string; roleArn: string }): Promise<{
    payload: string;
    functionError?: string;
  }>;
  /** Runs `aws-sdk:<service>:<action>` and `sns:publish` under the role, whose permission the callee checks. */
  callService(call: { service: string; action: string; input: unknown; roleArn: string }): Promise<unknown>;
  /** @throws ServiceError AccessDenied where the role may not do this */
  authorize(roleArn: string, permissions: Permission[]): void;
  statusChanged(detail: StatusChange): void;
  /** Waits before a retry and in Wait states; should end early when the signal aborts. */
  sleep?(ms: number, signal?: AbortSignal): Promise<void>;
  now?(): Date;
  /**
   * Awaited at every attempt at a state: when it begins, and when its work is done just before it is left. A thrown
   * Error fails the attempt by the Error's name, which Retry and Catch then see as any other.
   */
  fault?(at: FaultPoint): Promise<void> | void;
}
