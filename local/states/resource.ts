import { ACCOUNT, REGION } from '../identity.ts';
import { isExpression } from './expression.ts';

/** What a Task's Resource asks for. */
export type TaskResource =
  | { kind: 'function'; functionArn: string }
  | { kind: 'invoke' }
  | { kind: 'startExecution' }
  | { kind: 'service'; service: string; action: string; errorPrefix: string };

/**
 * Services that `aws-sdk:` integrations may name, with the prefix that their errors carry (`DynamoDb.…Exception`):
 * the service's name in the AWS SDK for Java 2.
 */
const SDK_SERVICES: Record<string, string> = {
  cloudwatch: 'CloudWatch',
  dynamodb: 'DynamoDb',
  eventbridge: 'EventBridge',
  lambda: 'Lambda',
  redshiftdata: 'RedshiftData',
  s3: 'S3',
  scheduler: 'Scheduler',
  secretsmanager: 'SecretsManager',
  sfn: 'Sfn',
  sns: 'Sns',
};

const LAMBDA_ARN = /^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:([A-Za-z0-9_-]{1,64})(?::(\$LATEST|[A-Za-z0-9_-]+))?$/;

/**
 * Reads a Task's Resource.
 * @throws Error for every integration or suffix that this interpreter does not run
 */
export function parseResource(resource: string): TaskResource {
  if (LAMBDA_ARN.test(resource)) return { kind: 'function', functionArn: functionArn(resource) };
  const pattern = /\.(sync(:2)?|waitForTaskToken)$/.exec(resource);
  if (pattern) throw new Error(`the integration pattern ${pattern[0]} is not supported: use the request-response form`);
  if (resource === 'arn:aws:states:::lambda:invoke') return { kind: 'invoke' };
  if (resource === 'arn:aws:states:::states:startExecution') return { kind: 'startExecution' };
  if (resource === 'arn:aws:states:::sns:publish') {
    return { kind: 'service', service: 'sns', action: 'publish', errorPrefix: 'SNS' };
  }
  const sdk = /^arn:aws:states:::aws-sdk:([a-z0-9]+):([a-z][A-Za-z0-9]+)$/.exec(resource);
  const errorPrefix = sdk?.[1] && SDK_SERVICES[sdk[1]];
  if (sdk?.[1] && sdk[2] && errorPrefix) return { kind: 'service', service: sdk[1], action: sdk[2], errorPrefix };
  throw new Error(
    `the resource ${resource} is not supported: use lambda:invoke, a function's ARN, states:startExecution, sns:publish, ` +
      `or aws-sdk:<service>:<camelCaseAction> with one of ${Object.keys(SDK_SERVICES).join(', ')}`,
  );
}

/**
 * The unqualified ARN that a FunctionName (a name or an ARN, with `:$LATEST` or not) stands for.
 * @throws Error where the name is none, or names a version or an alias: the local cloud has none
 */
export function functionArn(functionName: string): string {
  const [, name, qualifier] =
    LAMBDA_ARN.exec(functionName) ?? /^([A-Za-z0-9_-]{1,64})(?::(\$LATEST))?$/.exec(functionName) ?? [];
  if (!name) throw new Error(`${functionName} is not a function's name or ARN`);
  if (qualifier && qualifier !== '$LATEST') throw new Error(`${functionName}: versions and aliases are not supported`);
  return LAMBDA_ARN.test(functionName)
    ? functionName.split(':').slice(0, 7).join(':')
    : `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
}

const ARGUMENTS: Record<string, { required: string[]; allowed: string[] }> = {
  invoke: { required: ['FunctionName'], allowed: ['FunctionName', 'Payload', 'InvocationType'] },
  startExecution: { required: ['StateMachineArn'], allowed: ['StateMachineArn', 'Name', 'Input'] },
};

/**
 * Checks the names of an optimized integration's parameters; those that are given as one expression are looked at when
 * the state runs.
 * @throws Error naming what is missing or not supported
 */
export function checkArguments(kind: string, given: unknown): void {
  const known = ARGUMENTS[kind];
  if (!known || (typeof given === 'string' && isExpression(given))) return;
  const names = Object.keys(typeof given === 'object' && given !== null ? given : {});
  for (const name of known.required) if (!names.includes(name)) throw new Error(`Arguments need ${name}`);
  const unknown = names.filter((name) => !known.allowed.includes(name));
  if (unknown.length > 0) throw new Error(`Arguments ${unknown.join(', ')} are not supported`);
  const type = (given as Record<string, unknown>).InvocationType;
  if (type !== undefined && type !== 'RequestResponse')
    throw new Error('only InvocationType RequestResponse is supported');
}
