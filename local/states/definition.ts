import * as z from 'zod';
import { isExpression } from './expression.ts';

/** The fields of the Amazon States Language that this interpreter runs; every object is strict, so that nothing is ignored. */

const MAX_SECONDS = 99_999_999;

const expression = z.string().refine(isExpression, 'must be a JSONata expression {% … %}');
const integer = (least: number, most = MAX_SECONDS) => z.union([z.number().int().min(least).max(most), expression]);

/** A JSON value whose strings may be expressions. */
const template = z.json();
const assign = z.record(
  z.string().regex(/^\p{ID_Start}\p{ID_Continue}{0,79}$/u, 'must be an identifier of at most 80 characters'),
  template,
);

const ERROR_NAMES = new Set(
  'ALL BranchFailed DataLimitExceeded HeartbeatTimeout NoChoiceMatched Permissions QueryEvaluationError TaskFailed Timeout'
    .split(' ')
    .map((name) => `States.${name}`),
);
const errorEquals = z
  .array(
    z
      .string()
      .min(1)
      .refine((name) => !name.startsWith('States.') || ERROR_NAMES.has(name), 'no such States.* error can be matched'),
  )
  .min(1)
  .refine((names) => names.length === 1 || !names.includes('States.ALL'), 'States.ALL must stand alone');

/** States.ALL in a retrier or catcher that is not the last would hide those behind it; AWS refuses that. */
const allLast = (handlers: { ErrorEquals: string[] }[]): boolean =>
  handlers.every((handler, i) => i === handlers.length - 1 || !handler.ErrorEquals.includes('States.ALL'));

const comment = { Comment: z.string().optional() };

const retrier = z.strictObject({
  ...comment,
  ErrorEquals: errorEquals,
  IntervalSeconds: z.number().int().min(1).max(MAX_SECONDS).default(1),
  MaxAttempts: z.number().int().min(0).max(MAX_SECONDS).default(3),
  BackoffRate: z.number().min(1).default(2),
  MaxDelaySeconds: z.number().int().min(1).max(31_622_400).optional(),
  JitterStrategy: z.enum(['FULL', 'NONE']).default('NONE'),
});
const catcher = z.strictObject({
  ...comment,
  ErrorEquals: errorEquals,
  Next: z.string(),
  Assign: assign.optional(),
  Output: template.optional(),
});
const handlers = {
  Retry: z.array(retrier).refine(allLast, 'States.ALL must be in the last retrier').optional(),
  Catch: z.array(catcher).refine(allLast, 'States.ALL must be in the last catcher').optional(),
};

const any = { ...comment, QueryLanguage: z.enum(['JSONata', 'JSONPath']).optional() };
const leaving = { Assign: assign.optional(), Output: template.optional() };
const transition = { Next: z.string().optional(), End: z.boolean().optional() };

const pass = z.strictObject({ Type: z.literal('Pass'), ...any, ...leaving, ...transition });
const succeed = z.strictObject({ Type: z.literal('Succeed'), ...any, Output: template.optional() });
const fail = z.strictObject({
  Type: z.literal('Fail'),
  ...any,
  Error: z.string().optional(),
  Cause: z.string().optional(),
});
const wait = z
  .strictObject({
    Type: z.literal('Wait'),
    ...any,
    ...leaving,
    ...transition,
    Seconds: integer(0).optional(),
    Timestamp: z.union([z.iso.datetime({ offset: true }), expression]).optional(),
  })
  .refine(
    (s) => (s.Seconds === undefined) !== (s.Timestamp === undefined),
    'needs exactly one of Seconds and Timestamp',
  );
const choice = z.strictObject({
  Type: z.literal('Choice'),
  ...any,
  ...leaving,
  Choices: z
    .array(z.strictObject({ ...comment, Condition: z.union([expression, z.boolean()]), Next: z.string(), ...leaving }))
    .min(1),
  Default: z.string().optional(),
});
const task = z.strictObject({
  Type: z.literal('Task'),
  ...any,
  ...leaving,
  ...transition,
  ...handlers,
  Resource: z.string(),
  Arguments: template.optional(),
  TimeoutSeconds: integer(1).optional(),
});
const map = z.strictObject({
  Type: z.literal('Map'),
  ...any,
  ...leaving,
  ...transition,
  ...handlers,
  Items: z.union([z.array(template), expression]).optional(),
  ItemSelector: template.optional(),
  MaxConcurrency: integer(0).optional(),
  ItemProcessor: z.lazy((): z.ZodType<Workflow> => itemProcessor),
});
const parallel = z.strictObject({
  Type: z.literal('Parallel'),
  ...any,
  ...leaving,
  ...transition,
  ...handlers,
  Arguments: template.optional(),
  Branches: z.array(z.lazy((): z.ZodType<Workflow> => branch)).min(1),
});

const stateName = z.string().min(1).max(80);
const state = z.discriminatedUnion('Type', [pass, succeed, fail, wait, choice, task, map, parallel]);
const states = z.record(stateName, state);
const branch = z.strictObject({ ...comment, StartAt: stateName, States: states });
const itemProcessor = branch.extend({
  ProcessorConfig: z.strictObject({ Mode: z.literal('INLINE', 'only INLINE is supported') }).optional(),
});

export const machineSchema = z.strictObject({
  ...comment,
  ...{ Version: z.literal('1.0').optional(), QueryLanguage: z.enum(['JSONata', 'JSONPath']).optional() },
  TimeoutSeconds: z.number().int().min(1).max(MAX_SECONDS).optional(),
  StartAt: stateName,
  States: states,
});

export type Retrier = z.output<typeof retrier>;
export type Catcher = z.output<typeof catcher>;
export type ChoiceState = z.output<typeof choice>;
export type FailState = z.output<typeof fail>;
export type MapState = z.output<typeof map>;
export type ParallelState = z.output<typeof parallel>;
export type TaskState = z.output<typeof task>;
export type WaitState = z.output<typeof wait>;
export type State = z.output<typeof state>;
export type StateMachine = z.output<typeof machineSchema>;
/** A machine's, an ItemProcessor's or a branch's states: the scope of its variables. */
export interface Workflow {
  StartAt: string;
  States: Record<string, State>;
}
