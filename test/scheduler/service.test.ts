import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  GetScheduleCommand,
  paginateListSchedules,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { type Endpoint, openEndpoint } from '../../local/endpoint.ts';
import { createGate } from '../../local/gate.ts';
import { assumedRole, readRoles } from '../../local/iam.ts';
import { ACCOUNT, REGION } from '../../local/identity.ts';
import type { Lambda } from '../../local/lambda.ts';
import { createScheduler, type Scheduler } from '../../local/scheduler/service.ts';
import type { Identity } from '../../local/sigv4.ts';
import { createStepFunctions, type StepFunctions } from '../../local/states/service.ts';
import type { Resource, Stack } from '../../local/template.ts';
import { machineArn } from '../states/runner.ts';

const MACHINE = machineArn('job');
const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:given-up`;
const roleArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const allow = (Action: string | string[], Resource: string, Condition?: object) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition && { Condition }),
});

function role(name: string, service: string, statements: object[], condition?: object): Resource {
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: service } };
  const properties = {
    AssumeRolePolicyDocument: { Statement: [{ ...trust, ...(condition && { Condition: condition }) }] },
    Policies: [{ PolicyDocument: { Statement: statements } }],
  };
  return { logicalId: name, type: 'AWS::IAM::Role', name, arn: roleArn(name), properties };
}

const SCHEDULING = allow('scheduler:*', '*');
const PASSING = { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } };
const TO_SCHEDULER = 'scheduler.amazonaws.com';
const resources: Resource[] = [
  role('editor', 'lambda.amazonaws.com', [SCHEDULING, allow('iam:PassRole', roleArn('*'), PASSING)]),
  role('stranger', 'lambda.amazonaws.com', [SCHEDULING, allow('iam:PassRole', roleArn('another'))]),
  role('starter', TO_SCHEDULER, [allow('states:StartExecution', MACHINE)], {
    StringEquals: { 'aws:SourceAccount': ACCOUNT },
  }),
  role('powerless', TO_SCHEDULER, [allow('states:StartExecution', machineArn('another'))]),
  role('untrusting', 'lambda.amazonaws.com', [allow('states:StartExecution', MACHINE)]),
  role('elsewhere', TO_SCHEDULER, [], { StringEquals: { 'aws:SourceAccount': '111111111111' } }),
  { logicalId: 'G', type: 'AWS::Scheduler::ScheduleGroup', name: 'jobs', arn: '', properties: {} },
];
const stack: Stack = {
  name: 'test',
  resources,
  of: (...types) => resources.filter(({ type }) => types.includes(type)),
  outputs: {},
  asset: () => '',
};

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-scheduler-'));
const file = join(dir, 'schedules.jsonl');
const givenUp: { schedule: string; input: string; error: string; queue: string | undefined }[] = [];
const started: string[] = [];
const identities = new Map<string, Identity>();
let scheduler: Scheduler;
let states: StepFunctions;
let endpoint: Endpoint;
/** Of the API: quotas are counted by the second, and each test has seconds of its own. */
let clock = Date.parse('2026-11-23T10:00:00Z');

const opened = (): Scheduler => {
  const iam = readRoles(stack);
  return createScheduler({
    ...{ file, stack, iam, states, now: () => clock },
    gate: createGate(iam),
    // No schedule here has a function as its target.
    lambda: {} as Lambda,
    onGivenUp: (schedule, input, error, queue) => void givenUp.push({ schedule, input, error, queue }),
  });
};

before(async () => {
  for (const name of ['editor', 'stranger'])
    identities.set(name, { caller: assumedRole(roleArn(name), name, name), secretAccessKey: name });
  states = createStepFunctions(
    [
      {
        arn: MACHINE,
        name: 'job',
        roleArn: roleArn('starter'),
        definition: JSON.stringify({
          QueryLanguage: 'JSONata',
          StartAt: 'Done',
          States: { Done: { Type: 'Succeed' } },
        }),
      },
    ],
    {
      invokeFunction: async () => ({ payload: '' }),
      callService: async () => ({}),
      authorize: () => undefined,
      statusChanged: ({ status, input }) => void (status === 'RUNNING' && started.push(input)),
    },
  );
  scheduler = opened();
  endpoint = await openEndpoint({
    port: 0,
    gate: createGate(readRoles(stack)),
    identity: (key) => identities.get(key),
    json: [],
    rest: [scheduler],
  });
});

after(async () => {
  await endpoint?.stop();
  await scheduler?.stop();
  await states?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const as = (name: string): SchedulerClient =>
  new SchedulerClient({
    endpoint: endpoint.url,
    region: REGION,
    credentials: { accessKeyId: name, secretAccessKey: name },
    maxAttempts: 1,
  });

/** A schedule that is well, changed. */
function definition(
  Name: string,
  more: Partial<CreateScheduleCommandInput> = {},
  target: object = {},
): CreateScheduleCommandInput {
  return {
    Name,
    GroupName: 'jobs',
    ScheduleExpression: 'cron(0/5 * * * ? *)',
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: { Arn: MACHINE, RoleArn: roleArn('starter'), Input: '{}', ...target },
    ...more,
  };
}

const create = async (
  Name: string,
  more: Partial<CreateScheduleCommandInput> = {},
  target: object = {},
  client = as('editor'),
) => {
  clock += 1_000;
  return client.send(new CreateScheduleCommand(definition(Name, more, target)));
};

const names = async (query: { GroupName?: string; NamePrefix?: string; MaxResults?: number }): Promise<string[][]> => {
  const pages: string[][] = [];
  for await (const { Schedules = [] } of paginateListSchedules(
    { client: as('editor'), pageSize: query.MaxResults },
    query,
  ))
    pages.push(Schedules.map(({ Name = '' }) => Name));
  return pages;
};

test('what the API refuses is refused: names, expressions, zones, groups, inputs, retries', async () => {
  const wrong: [string, Partial<CreateScheduleCommandInput>, object?][] = [
    ['with a blank', {}],
    ['x'.repeat(65), {}],
    ['a', { ScheduleExpression: 'rate(30 seconds)' }],
    ['a', { ScheduleExpression: 'cron(0 9 * * * *)' }],
    ['a', { ScheduleExpressionTimezone: 'Europe/Atlantis' }],
    ['a', {}, { Input: 'x'.repeat(256 * 1024 + 1) }],
    ['a', {}, { RetryPolicy: { MaximumEventAgeInSeconds: 59 } }],
    ['a', {}, { RetryPolicy: { MaximumRetryAttempts: 186 } }],
    ['a', {}, { DeadLetterConfig: { Arn: `arn:aws:sns:${REGION}:${ACCOUNT}:topic` } }],
  ];
  for (const [name, more, target] of wrong)
    await assert.rejects(create(name, more, target), { name: 'ValidationException' }, JSON.stringify([name, more]));
  await assert.rejects(create('a', { GroupName: 'nowhere' }), { name: 'ResourceNotFoundException' });
  assert.deepEqual(scheduler.list(), []);
});

test('who makes or changes a schedule has to be allowed to pass its role, and to Scheduler', async () => {
  await assert.rejects(create('passed', {}, {}, as('stranger')), {
    name: 'AccessDeniedException',
    message: /not authorized to perform: iam:PassRole on resource: "arn:aws:iam::\d+:role\/starter"/,
  });
  await create('passed');
  await assert.rejects(as('stranger').send(new UpdateScheduleCommand(definition('passed', { State: 'DISABLED' }))), {
    name: 'AccessDeniedException',
  });
  assert.equal(scheduler.list()[0]?.definition.State, 'ENABLED');
  await as('stranger').send(new DeleteScheduleCommand({ Name: 'passed', GroupName: 'jobs' }));
  assert.deepEqual(scheduler.list(), [], 'deleting passes no role');
});

test('the role has to let Scheduler assume it, for this account', async () => {
  for (const RoleArn of [roleArn('untrusting'), roleArn('elsewhere'), roleArn('nobody')])
    await assert.rejects(
      create('trusted', {}, { RoleArn }),
      { name: 'ValidationException', message: /must allow AWS EventBridge Scheduler to assume the role/ },
      RoleArn,
    );
});

test('with its token a request that comes again is answered as before; without it, or changed, it is refused', async () => {
  const first = await create('once', { ClientToken: 'token-1' });
  assert.equal((await create('once', { ClientToken: 'token-1' })).ScheduleArn, first.ScheduleArn);
  for (const more of [
    { ClientToken: 'token-1', ScheduleExpression: 'rate(1 minute)' },
    { ClientToken: 'token-2' },
    // The SDK makes a token of its own for each.
    {},
  ])
    await assert.rejects(create('once', more), { name: 'ConflictException' }, JSON.stringify(more));
  await as('editor').send(new DeleteScheduleCommand({ Name: 'once', GroupName: 'jobs' }));
  await assert.rejects(create('once', { ClientToken: 'token-1', State: 'DISABLED' }), {
    name: 'ConflictException',
    message: /token was used with other parameters/,
  });
  await create('once', { ClientToken: 'token-1' });
  await as('editor').send(new DeleteScheduleCommand({ Name: 'once', GroupName: 'jobs' }));
});

test('lists come page by page, of a group, of a prefix', async () => {
  for (const name of ['a.1', 'a.2', 'a.3', 'b.1', 'b.2']) await create(name);
  assert.deepEqual(await names({ GroupName: 'jobs', MaxResults: 2 }), [['a.1', 'a.2'], ['a.3', 'b.1'], ['b.2']]);
  assert.deepEqual(await names({ GroupName: 'jobs', NamePrefix: 'b.', MaxResults: 2 }), [['b.1', 'b.2']]);
  assert.deepEqual(await names({ GroupName: 'default' }), [[]]);
});

test('an update replaces all, so that what is left out has its default; all is there after a restart', async () => {
  await create('kept', { State: 'DISABLED', Description: 'd' });
  clock += 1_000;
  await as('editor').send(new UpdateScheduleCommand(definition('kept', { ScheduleExpression: 'rate(2 minutes)' })));
  const found = await as('editor').send(new GetScheduleCommand({ Name: 'kept', GroupName: 'jobs' }));
  assert.deepEqual(
    [found.State, found.Description, found.ScheduleExpression],
    ['ENABLED', undefined, 'rate(2 minutes)'],
  );
  assert.deepEqual(found.Target?.RetryPolicy, { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 });
  const again = opened();
  assert.deepEqual(again.list(), scheduler.list());
  await again.stop();
});

test('quotas are kept: ten requests a second for one schedule', async () => {
  clock += 1_000;
  const get = () => as('editor').send(new GetScheduleCommand({ Name: 'kept', GroupName: 'jobs' }));
  for (let i = 0; i < 10; i++) await get();
  await assert.rejects(get(), { name: 'ThrottlingException' });
  clock += 1_000;
  await get();
});

test('a role that may not start the target is found out as it ticks: tried again, then given up to the queue', async () => {
  for (const { name } of scheduler.list())
    await as('editor').send(new DeleteScheduleCommand({ Name: name, GroupName: 'jobs' }));
  const target = {
    Input: '{"at":"<aws.scheduler.scheduled-time>","try":"<aws.scheduler.attempt-number>"}',
    RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 2 },
    DeadLetterConfig: { Arn: QUEUE },
  };
  await create('able', {}, target);
  await create('unable', {}, { ...target, RoleArn: roleArn('powerless') });
  const tick = Date.parse('2026-11-23T11:00:00Z');
  for (const seconds of [0, 2, 5, 10]) await scheduler.advance(tick + seconds * 1_000);
  assert.deepEqual(started, ['{"at":"2026-11-23T11:00:00Z","try":"1"}']);
  assert.equal(givenUp.length, 1);
  const [{ schedule, input, error, queue } = assert.fail()] = givenUp;
  assert.match(schedule, /schedule\/jobs\/unable$/);
  assert.deepEqual([JSON.parse(input), queue], [{ at: '2026-11-23T11:00:00Z', try: '3' }, QUEUE]);
  assert.match(error, /not authorized to perform: states:StartExecution/);
});
