import * as z from 'zod';
import { ServiceError } from '../service.ts';
import { parseExpression } from './expression.ts';

const NAME = /^[0-9a-zA-Z-_.]{1,64}$/;
const MAX_INPUT_BYTES = 256 * 1024;

const Target = z.strictObject({
  Arn: z.string().min(1).max(1600),
  RoleArn: z.string().regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/),
  Input: z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= MAX_INPUT_BYTES, 'must be at most 262144 bytes')
    .optional(),
  RetryPolicy: z
    .strictObject({
      MaximumEventAgeInSeconds: z.int().min(60).max(86_400).default(86_400),
      MaximumRetryAttempts: z.int().min(0).max(185).default(185),
    })
    .default({ MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 }),
  DeadLetterConfig: z.strictObject({ Arn: z.string().regex(/^arn:aws[a-z-]*:sqs:[^:]+:\d{12}:[\w-]+$/) }).optional(),
});

/** What CreateSchedule and UpdateSchedule take ("API_CreateSchedule", EventBridge Scheduler API Reference). */
export const Definition = z.strictObject({
  ScheduleExpression: z.string().min(1).max(256),
  ScheduleExpressionTimezone: z.string().min(1).max(50).default('UTC'),
  FlexibleTimeWindow: z.strictObject({
    Mode: z.literal('OFF', {
      error: 'must be OFF: flexible windows are not supported by the local EventBridge Scheduler',
    }),
  }),
  State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
  Description: z.string().max(512).optional(),
  Target,
});
export type Definition = z.infer<typeof Definition>;

const Envelope = z.object({
  GroupName: z.string().regex(NAME).default('default'),
  ClientToken: z
    .string()
    .regex(/^[a-zA-Z0-9-_]{1,64}$/)
    .optional(),
});

export const Listing = z.object({
  ScheduleGroup: z.string().regex(NAME).optional(),
  NamePrefix: z.string().regex(NAME).optional(),
  State: z.enum(['ENABLED', 'DISABLED']).optional(),
  MaxResults: z.coerce.number().int().min(1).max(100).default(100),
  NextToken: z.string().min(1).optional(),
});

/** @throws ServiceError ValidationException, worded as the API does for its members */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const each = issues.map(({ path, message }) => {
    const member = path.map((part) => String(part).replace(/^./, (letter) => letter.toLowerCase())).join('.');
    return `Value at '${member}' failed to satisfy constraint: ${message}`;
  });
  throw new ServiceError(
    'ValidationException',
    `${issues.length} validation error${issues.length === 1 ? '' : 's'} detected: ${each.join('; ')}`,
  );
}

/** @throws ServiceError ValidationException */
export function checkName(name: string): string {
  return parse(z.object({ Name: z.string().regex(NAME) }), { Name: name }).Name;
}

/** @throws ServiceError ValidationException: a field, the expression or its time zone */
export function parseDefinition(body: Record<string, unknown>, now: number) {
  const { GroupName: _group, ClientToken: _token, Name: _name, ...fields } = body;
  const { GroupName, ClientToken } = parse(Envelope, body);
  const definition = parse(Definition, fields);
  parseExpression(definition.ScheduleExpression, definition.ScheduleExpressionTimezone, now);
  return { group: GroupName, token: ClientToken, definition };
}
