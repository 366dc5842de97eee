import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { type RestService, readBody, send } from '../endpoint.ts';
import type { Gate } from '../gate.ts';
import { assumedRole, type Iam } from '../iam.ts';
import type { Lambda } from '../lambda.ts';
import { type Caller, type Permission, ServiceError } from '../service.ts';
import type { StepFunctions } from '../states/service.ts';
import type { Stack } from '../template.ts';
import { parseExpression } from './expression.ts';
import { Rates } from './rates.ts';
import { checkName, Definition, Listing, parse, parseDefinition } from './requests.ts';
import { groupArn, ScheduleStore, type StoredSchedule, scheduleArn } from './schedules.ts';
import { Ticker } from './ticker.ts';

export interface SchedulerOptions {
  /** Kept between starts. */
  file: string;
  stack: Stack;
  gate: Gate;
  iam: Iam;
  lambda: Lambda;
  states: StepFunctions;
  /** A tick that was given up, and where to: the ARN of its queue, if it has one. */
  onGivenUp(schedule: string, input: string, error: string, queue: string | undefined): void;
  now?: () => number;
  /** Requests a second, for tests. */
  rates?: Record<string, number>;
}

export interface Scheduler extends RestService {
  /** What there is, by name, in all groups. */
  list(): StoredSchedule[];
  /** Ticks by the clock from now on; until then nothing ticks but by `advance`. */
  start(): void;
  /** Fires what is due up to a time (epoch milliseconds) that no clock need have reached. */
  advance(to: number): Promise<void>;
  stop(): Promise<void>;
}

const SERVICE = 'scheduler.amazonaws.com';
const Fixed = z.object({ GroupName: z.string().default('default') }).loose();

interface Request {
  action: string;
  name: string;
  query: Record<string, string>;
  body: Record<string, unknown>;
  caller: Caller;
}

/**
 * EventBridge Scheduler: schedules made by the API or the template, which start executions and invoke functions as the
 * role that they name.
 *
 * @throws ServiceError for a schedule of the template that the API would refuse
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { stack, gate, iam, lambda, states, now = Date.now } = options;
  const groups = stack.of('AWS::Scheduler::ScheduleGroup').map(({ name }) => name);
  const schedules = new ScheduleStore(options.file, groups);
  const rates = new Rates(options.rates ?? {}, now);

  /** "The execution role you provide must allow EventBridge Scheduler to assume the role", checked as a schedule is made. */
  const checkRole = (roleArn: string, group: string) => {
    try {
      iam.assume(roleArn, SERVICE, groupArn(group));
    } catch {
      throw new ServiceError(
        'ValidationException',
        'The execution role you provide must allow AWS EventBridge Scheduler to assume the role.',
      );
    }
  };
  for (const { name, properties } of stack.of('AWS::Scheduler::Schedule')) {
    const { GroupName, Name: _name, ...definition } = Fixed.parse(properties);
    const parsed = parse(Definition, definition);
    parseExpression(parsed.ScheduleExpression, parsed.ScheduleExpressionTimezone, now());
    checkRole(parsed.Target.RoleArn, GroupName);
    schedules.fix({ group: GroupName, name, definition: parsed, created: now(), modified: now() });
  }

  const ticker = new Ticker({
    schedules,
    now,
    invoke: (schedule, input) => invokeTarget({ iam, gate, lambda, states }, schedule, input),
    onGivenUp: ({ group, name, definition }, input, error) =>
      options.onGivenUp(
        scheduleArn(group, name),
        input,
        error instanceof Error ? error.message : String(error),
        definition.Target.DeadLetterConfig?.Arn,
      ),
  });

  const verbs: Record<string, (request: Request) => unknown> = {
    CreateSchedule({ name, body }) {
      const { group, token, definition } = parseDefinition(body, now());
      checkRole(definition.Target.RoleArn, group);
      schedules.create(group, name, definition, token, now());
      return { ScheduleArn: scheduleArn(group, name) };
    },
    UpdateSchedule({ name, body }) {
      const { group, definition } = parseDefinition(body, now());
      checkRole(definition.Target.RoleArn, group);
      schedules.update(group, name, definition, now());
      return { ScheduleArn: scheduleArn(group, name) };
    },
    DeleteSchedule: ({ name, query }) => schedules.remove(query.groupName ?? 'default', name),
    GetSchedule({ name, query }) {
      const { group, definition, created, modified } = schedules.get(query.groupName ?? 'default', name);
      const dates = { CreationDate: created / 1000, LastModificationDate: modified / 1000 };
      return { Arn: scheduleArn(group, name), GroupName: group, Name: name, ...definition, ...dates };
    },
    ListSchedules({ query }) {
      const { ScheduleGroup, NamePrefix = '', State, MaxResults, NextToken = '' } = parse(Listing, query);
      if (ScheduleGroup !== undefined) schedules.checkGroup(ScheduleGroup);
      const found = schedules
        .all()
        .filter(({ group }) => ScheduleGroup === undefined || group === ScheduleGroup)
        .filter(({ name, definition }) => name.startsWith(NamePrefix) && (!State || definition.State === State))
        .filter(({ group, name }) => `${group}/${name}` > NextToken);
      const last = found.length > MaxResults ? found[MaxResults - 1] : undefined;
      return {
        Schedules: found.slice(0, MaxResults).map(summaryOf),
        ...(last ? { NextToken: `${last.group}/${last.name}` } : {}),
      };
    },
    GetScheduleGroup({ name }) {
      schedules.checkGroup(name);
      return { Arn: groupArn(name), Name: name, State: 'ACTIVE' };
    },
    ListScheduleGroups: () => ({
      ScheduleGroups: schedules.groups().map((name) => ({ Arn: groupArn(name), Name: name, State: 'ACTIVE' })),
    }),
  };

  return {
    service: 'scheduler',
    async handle(request, response, caller) {
      const asked = await read(request, caller);
      const verb = verbs[asked.action];
      if (!verb)
        throw new ServiceError(
          'UnknownOperationException',
          `The local Scheduler has no ${request.method} ${request.url}`,
        );
      const named = /Schedule$/.test(asked.action) ? `${groupOf(asked)}/${asked.name}` : undefined;
      const keys = { 'iam:PassedToService': SERVICE };
      const call = { service: 'scheduler', action: asked.action, caller, permissions: permissionsOf(asked), keys };
      const output = await gate.perform(call, async () => {
        rates.count(asked.action, named);
        if (asked.name !== '') checkName(asked.name);
        return verb(asked);
      });
      send(response, 200, output ?? {}, 'application/json');
    },
    list: () => schedules.all(),
    start: () => ticker.start(),
    advance: (to) => ticker.advance(to),
    stop: () => ticker.stop(),
  };
}

const ACTIONS: Record<string, string> = { POST: 'Create', PUT: 'Update', DELETE: 'Delete', GET: 'Get' };

async function read(request: IncomingMessage, caller: Caller): Promise<Request> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const [, kind = '', name = ''] = pathname.split('/').map(decodeURIComponent);
  const noun = { schedules: 'Schedule', 'schedule-groups': 'ScheduleGroup' }[kind] ?? kind;
  const action = name === '' ? `List${noun}s` : `${ACTIONS[request.method ?? '']}${noun}`;
  const text = (await readBody(request)).toString('utf8');
  let body: Record<string, unknown>;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new ServiceError('SerializationException', 'The body is not JSON');
  }
  return { action, name, query: Object.fromEntries(searchParams), body, caller };
}

const groupOf = ({ query, body }: Request): string => query.groupName ?? String(body.GroupName ?? 'default');

/** A role that a schedule is given has to be passed by whoever makes the schedule. */
function permissionsOf(request: Request): Permission[] {
  const { action, name, body } = request;
  const resource = action.startsWith('List') ? '*' : scheduleArn(groupOf(request), name);
  const permissions = [{ action: `scheduler:${action}`, resource }];
  const target = z.object({ Target: z.object({ RoleArn: z.string() }) }).safeParse(body);
  if (target.success) permissions.push({ action: 'iam:PassRole', resource: target.data.Target.RoleArn });
  return permissions;
}

const summaryOf = ({ group, name, definition, created, modified }: StoredSchedule) => ({
  Arn: scheduleArn(group, name),
  GroupName: group,
  Name: name,
  State: definition.State,
  CreationDate: created / 1000,
  LastModificationDate: modified / 1000,
  Target: { Arn: definition.Target.Arn },
});

/** @throws ServiceError of the target, AccessDenied */
async function invokeTarget(
  { iam, gate, lambda, states }: Pick<SchedulerOptions, 'iam' | 'gate' | 'lambda' | 'states'>,
  { group, definition }: StoredSchedule,
  input: string,
): Promise<void> {
  const { Arn, RoleArn } = definition.Target;
  iam.assume(RoleArn, SERVICE, groupArn(group));
  const caller = assumedRole(RoleArn, 'scheduler', 'scheduler');
  if (Arn.includes(':function:')) {
    const permissions = [{ action: 'lambda:InvokeFunction', resource: Arn }];
    const call = { service: 'lambda', action: 'Invoke', caller, permissions };
    await gate.perform(call, () => lambda.invoke({ functionArn: Arn, payload: input, type: 'Event' }));
    return;
  }
  if (!Arn.includes(':stateMachine:'))
    throw new ServiceError('UnsupportedTarget', `The local Scheduler can't invoke ${Arn}`);
  const call = { action: 'StartExecution', caller, input: { stateMachineArn: Arn, input } };
  await gate.perform({ service: 'states', ...call, permissions: states.permissions(call) }, () => states.handle(call));
}
