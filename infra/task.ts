import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  Choice,
  Condition,
  Fail,
  JitterType,
  type RetryProps,
  Succeed,
  TaskInput,
} from 'aws-cdk-lib/aws-stepfunctions';
import type { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';

/** A JSONata expression in a definition. */
export const jsonata = (expression: string): string => `{% ${expression} %}`;

/** What Lambda itself may answer when it is busy or being replaced: tried again quickly, then more slowly. */
const SERVICE_FAULTS = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
];
/** What may pass: the source restarts, a network blinks, an AWS service throttles or stumbles, by its SDK's error names. */
const MAY_PASS = [
  'SourceUnavailable',
  'ThrottlingException',
  'ActiveStatementsExceededException',
  'DatabaseConnectionException',
  'QueryTimeoutException',
  'InternalServerException',
  'InternalServerError',
  'InternalServiceError',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'InternalError',
  'ServiceUnavailable',
  'SlowDown',
  'TimeoutError',
];

/**
 * Tried five more times, the nth after at most 2 · 3ⁿ⁻¹ seconds, or 20: 2, 6, 18, 20, 20, together a minute at most and half
 * of that on average, since each wait is drawn between nothing and its limit: executions that one fault met don't come back
 * all at once.
 */
const WHAT_MAY_PASS: RetryProps = {
  errors: [...SERVICE_FAULTS, ...MAY_PASS],
  interval: Duration.seconds(2),
  backoffRate: 3,
  maxDelay: Duration.seconds(20),
  maxAttempts: 5,
  jitterStrategy: JitterType.FULL,
};

/** A process that died, or took longer than it may: perhaps the machine's fault once, hardly twice, and a quarter of an hour each time. */
const WHAT_DIED: RetryProps = {
  errors: ['Runtime.ExitError', 'Sandbox.Timedout'],
  interval: Duration.seconds(2),
  maxAttempts: 1,
};

/** A step that calls one function. What is not named here fails at once: trying again would change nothing. */
export function call(
  scope: Construct,
  id: string,
  lambdaFunction: IFunction,
  payload: object | string,
  more: { assign?: Record<string, unknown>; outputs?: unknown } = {},
): LambdaInvoke {
  const step = LambdaInvoke.jsonata(scope, id, {
    lambdaFunction,
    payload: typeof payload === 'string' ? TaskInput.fromText(payload) : TaskInput.fromObject({ ...payload }),
    outputs: jsonata('$states.result.Payload'),
    retryOnServiceExceptions: false,
    ...more,
  });
  step.addRetry(WHAT_MAY_PASS);
  step.addRetry(WHAT_DIED);
  return step;
}

/** Starting the same name with the same input again is the same execution, so an answer that got lost does no harm. */
export function startAgain(start: StepFunctionsStartExecution): void {
  start.addRetry({
    errors: ['States.TaskFailed'],
    interval: Duration.seconds(1),
    maxAttempts: 3,
    backoffRate: 3,
    jitterStrategy: JitterType.FULL,
  });
}

/** How an execution ends: as its last step, finish, judges the run; a failed one names the tables and what to do. */
export const asFinished = (scope: Construct, error: string): Choice =>
  Choice.jsonata(scope, 'All well?')
    .when(Condition.jsonata(jsonata("$states.input.status = 'succeeded'")), Succeed.jsonata(scope, 'Done'))
    .otherwise(Fail.jsonata(scope, 'Failed', { error, cause: jsonata('$substring($states.input.reason, 0, 30000)') }));
