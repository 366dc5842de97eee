import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { TaskInput } from 'aws-cdk-lib/aws-stepfunctions';
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
  'Runtime.ExitError',
  'Sandbox.Timedout',
];
/** What may pass: the source restarts, a network blinks, an AWS service throttles or stumbles, by its SDK's error names. */
const MAY_PASS = [
  'SourceUnavailable',
  'ThrottlingException',
  'ActiveStatementsExceededException',
  'InternalServerException',
  'InternalServerError',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'InternalError',
  'ServiceUnavailable',
  'SlowDown',
  'TimeoutError',
];

/** A step that calls one function: everything that may pass is tried three more times, over about half a minute. */
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
  step.addRetry({
    errors: [...SERVICE_FAULTS, ...MAY_PASS],
    interval: Duration.seconds(2),
    maxAttempts: 3,
    backoffRate: 3,
    maxDelay: Duration.seconds(20),
  });
  return step;
}

/** Starting the same name with the same input again is the same execution, so an answer that got lost does no harm. */
export function startAgain(start: StepFunctionsStartExecution): void {
  start.addRetry({ errors: ['States.TaskFailed'], interval: Duration.seconds(1), maxAttempts: 3, backoffRate: 3 });
}
