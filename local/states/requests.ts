import * as z from 'zod';
import { ACCOUNT, REGION } from '../identity.ts';
import { ServiceError } from '../service.ts';
import { MAX_PAYLOAD } from './limits.ts';

/** The requests of the API, as far as it is stood in for; unknown members are refused. */

const arn = z.string().min(1).max(256);
const paging = { maxResults: z.number().int().min(0).max(1000).optional(), nextToken: z.string().optional() };

export const requests = {
  StartExecution: z.strictObject({
    stateMachineArn: arn,
    name: z.string().min(1).max(80).optional(),
    input: z
      .string()
      .refine((text) => Buffer.byteLength(text) <= MAX_PAYLOAD, `must have at most ${MAX_PAYLOAD} bytes`)
      .default('{}'),
    traceHeader: z.string().max(256).optional(),
  }),
  DescribeExecution: z.strictObject({ executionArn: arn, includedData: z.literal('ALL_DATA').optional() }),
  StopExecution: z.strictObject({
    executionArn: arn,
    error: z.string().max(256).optional(),
    cause: z.string().max(32_768).optional(),
  }),
  RedriveExecution: z.strictObject({ executionArn: arn, clientToken: z.string().min(1).max(64).optional() }),
  ListExecutions: z.strictObject({
    stateMachineArn: arn,
    statusFilter: z.enum(['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']).optional(),
    redriveFilter: z.enum(['REDRIVEN', 'NOT_REDRIVEN']).optional(),
    ...paging,
  }),
  GetExecutionHistory: z.strictObject({
    executionArn: arn,
    reverseOrder: z.boolean().default(false),
    includeExecutionData: z.boolean().default(true),
    ...paging,
  }),
  DescribeStateMachine: z.strictObject({ stateMachineArn: arn, includedData: z.literal('ALL_DATA').optional() }),
};

export type Action = keyof typeof requests;
export type Request<A extends Action> = z.output<(typeof requests)[A]>;

export const isAction = (action: string): action is Action => Object.hasOwn(requests, action);

/** @throws ServiceError ValidationException where the input is not such a request */
export function parseRequest<A extends Action>(action: A, input: unknown): Request<A> {
  const parsed = requests[action].safeParse(input);
  if (parsed.success) return parsed.data as Request<A>;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ServiceError('ValidationException', `${issues.length} validation error detected: ${issues.join('; ')}`);
}

const MACHINE_ARN = /^arn:aws:states:[a-z0-9-]+:\d{12}:stateMachine:[^:\s]{1,80}$/;
const EXECUTION_ARN = /^arn:aws:states:[a-z0-9-]+:\d{12}:execution:[^:\s]{1,80}:[^:\s]{1,80}$/;

/** @throws ServiceError InvalidArn */
export function checkArn(kind: 'machine' | 'execution', text: string): void {
  if (!(kind === 'machine' ? MACHINE_ARN : EXECUTION_ARN).test(text)) {
    throw new ServiceError(
      'InvalidArn',
      `Invalid Arn: '${text}' is not the ARN of ${kind === 'machine' ? 'a state machine' : 'an execution'}`,
    );
  }
}

/** What StartExecution's manual page forbids in a name. */
const FORBIDDEN = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}\p{Cs}\uFFFE\uFFFF]/u;

/** @throws ServiceError InvalidName */
export function checkName(name: string): void {
  if (name.length < 1 || name.length > 80 || FORBIDDEN.test(name)) {
    throw new ServiceError(
      'InvalidName',
      `Invalid Name: '${name}' must have 1 to 80 characters and none of < > { } [ ] ? * " # % \\ ^ | ~ \` $ & , ; : / nor white space`,
    );
  }
}

export const executionArn = (machineName: string, name: string): string =>
  `arn:aws:states:${REGION}:${ACCOUNT}:execution:${machineName}:${name}`;
