import assert from 'node:assert/strict';
import { test } from 'node:test';
import aslValidator from 'asl-validator';
import { Match } from 'aws-cdk-lib/assertions';
import * as z from 'zod';
import { metrics } from '../../functions/edge.ts';
import { COMPARES_FOR_SECONDS } from '../../shared/core/due.ts';
import { errors } from '../../shared/model/errors.ts';
import { EVERYTHING, functionsOf, templateOf } from './fixture.ts';

const template = templateOf(EVERYTHING);
const MACHINES = [
  'redshift-loader-load-job',
  'redshift-loader-load-table',
  'redshift-loader-setup-job',
  'redshift-loader-verify-job',
];

const Joined = z.object({ 'Fn::Join': z.tuple([z.literal(''), z.array(z.unknown())]) });
const Machine = z.object({
  StateMachineName: z.string(),
  DefinitionString: Joined,
  LoggingConfiguration: z.object({ Level: z.string(), IncludeExecutionData: z.boolean() }),
  TracingConfiguration: z.object({ Enabled: z.literal(true) }),
});
const Task = z.object({
  Type: z.literal('Task'),
  Resource: z.string(),
  Retry: z.array(
    z.object({
      ErrorEquals: z.array(z.string()),
      MaxAttempts: z.number(),
      BackoffRate: z.number().default(2),
      JitterStrategy: z.string().optional(),
    }),
  ),
});

/** The tasks of a definition, however deep. */
function tasksIn(value: unknown): z.infer<typeof Task>[] {
  if (typeof value !== 'object' || value === null) return [];
  const found = Task.safeParse(value).data;
  return found ? [found] : Object.values(value).flatMap(tasksIn);
}

const Emitted = z.object({
  _aws: z.object({
    CloudWatchMetrics: z.array(z.object({ Namespace: z.string(), Dimensions: z.array(z.array(z.string())) })),
  }),
  service: z.string(),
});

/** The machines' definitions by name, with an ARN wherever the template refers to one. */
const definitions = new Map(
  Object.values(template.findResources('AWS::StepFunctions::StateMachine')).map(({ Properties }) => {
    const { StateMachineName, DefinitionString } = Machine.parse(Properties);
    const parts = DefinitionString['Fn::Join'][1].map((part) => {
      if (typeof part === 'string') return part;
      if (JSON.stringify(part).includes('AWS::Partition')) return 'aws';
      if (JSON.stringify(part).includes('AWS::Region')) return 'eu-west-1';
      if (JSON.stringify(part).includes('AWS::AccountId')) return '111111111111';
      return 'arn:aws:lambda:eu-west-1:111111111111:function:any';
    });
    return [StateMachineName, parts.join('')] as const;
  }),
);

test('the machines are valid Amazon States Language, written in JSONata throughout', () => {
  assert.deepEqual([...definitions.keys()].sort(), MACHINES);
  for (const [name, text] of definitions) {
    const definition = JSON.parse(text);
    const { isValid, errorsText } = aslValidator(definition);
    assert.ok(isValid, `${name}: ${errorsText('\n')}`);
    assert.equal(definition.QueryLanguage, 'JSONata', name);
    assert.doesNotMatch(text, /"(InputPath|OutputPath|ResultPath|ResultSelector|Parameters|ItemsPath)"|\.\$"/, name);
  }
});

test('no execution waits for ever, and none is given up before the functions that it calls may have answered', () => {
  const longest = Math.max(...[...functionsOf(template).values()].map(({ Timeout }) => Timeout));
  for (const [name, text] of definitions) {
    const { TimeoutSeconds } = z.object({ TimeoutSeconds: z.int() }).parse(JSON.parse(text));
    assert.ok(TimeoutSeconds > 2 * longest, name);
    assert.ok(TimeoutSeconds <= 25 * 3600, name);
  }
  // Whoever takes a comparison for dead relies on it.
  const verify = JSON.parse(definitions.get('redshift-loader-verify-job') ?? '{}');
  assert.equal(verify.TimeoutSeconds, COMPARES_FOR_SECONDS);
});

test('every call of a function is tried again when what failed may pass', () => {
  for (const [name, text] of definitions) {
    const tasks = text.match(/"Resource":"arn:aws:states:::(lambda:invoke|states:startExecution)"/g) ?? [];
    const retried = text.match(/"Retry":\[/g) ?? [];
    assert.ok(tasks.length > 0, name);
    assert.equal(retried.length, tasks.length, name);
  }
});

test('waits between tries are drawn at random, and what no later try can mend is not tried again', () => {
  const permanent = Object.values(errors)
    .map((make) => make('').name)
    .filter((name) => name !== 'SourceUnavailable');
  for (const [name, text] of definitions) {
    const calls = tasksIn(JSON.parse(text)).filter(({ Resource }) => Resource.endsWith('lambda:invoke'));
    for (const { Retry } of calls) {
      const [passing, died] = Retry;
      assert.equal(Retry.length, 2, name);
      assert.deepEqual([passing?.JitterStrategy, passing?.MaxAttempts, died?.MaxAttempts], ['FULL', 5, 1], name);
      assert.ok(passing && passing.BackoffRate > 1, name);
      const named = Retry.flatMap(({ ErrorEquals }) => ErrorEquals);
      assert.ok(['SourceUnavailable', 'ThrottlingException', 'SlowDown'].every((one) => named.includes(one)));
      const wrong = named.filter((one) => permanent.includes(one) || one.startsWith('States.'));
      assert.deepEqual(wrong, [], name);
    }
  }
});

test('machines log without the data that they carry, and are traced', () => {
  for (const { Properties } of Object.values(template.findResources('AWS::StepFunctions::StateMachine'))) {
    const { LoggingConfiguration } = Machine.parse(Properties);
    assert.deepEqual(LoggingConfiguration, { Level: 'ALL', IncludeExecutionData: false });
  }
  // CloudWatch's resource policy holds 5,120 characters: log groups below this prefix need none of their own.
  for (const { Properties } of Object.values(template.findResources('AWS::Logs::LogGroup')))
    assert.ok(!Properties.LogGroupName || /^\/aws\/vendedlogs\/states\//.test(Properties.LogGroupName));
});

test('release hears of every way in which executions that hold leases end badly', () => {
  const ids = (name: string) =>
    Object.keys(template.findResources('AWS::StepFunctions::StateMachine', { Properties: { StateMachineName: name } }));
  template.hasResourceProperties('AWS::Events::Rule', {
    State: 'ENABLED',
    EventPattern: {
      source: ['aws.states'],
      'detail-type': ['Step Functions Execution Status Change'],
      detail: {
        status: ['FAILED', 'ABORTED', 'TIMED_OUT'],
        stateMachineArn: ['load-job', 'load-table', 'verify-job'].map((name) => ({
          Ref: ids(`redshift-loader-${name}`)[0],
        })),
      },
    },
    Targets: [Match.objectLike({ Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('release'), 'Arn'] } })],
  });
  template.hasResourceProperties('AWS::Lambda::Permission', {
    Action: 'lambda:InvokeFunction',
    Principal: 'events.amazonaws.com',
    FunctionName: { 'Fn::GetAtt': [Match.stringLikeRegexp('release'), 'Arn'] },
  });
});

test('every alarm tells the topic, alarms may publish to it, and a person is subscribed', () => {
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'));
  const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm'));
  assert.ok(alarms.length >= 4);
  for (const { Properties } of alarms) assert.deepEqual(Properties.AlarmActions, [{ Ref: topic }]);
  template.hasResourceProperties('AWS::SNS::TopicPolicy', {
    Topics: [{ Ref: topic }],
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        Match.objectLike({
          Effect: 'Allow',
          Action: 'sns:Publish',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Resource: { Ref: topic },
        }),
      ]),
    },
  });
  template.hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: EVERYTHING.alarmEmail });
  templateOf({}).resourceCountIs('AWS::SNS::Subscription', 0);
});

test('alarms watch the very metrics that functions write', (t) => {
  const lines: string[] = [];
  t.mock.method(console, 'log', (line: string) => lines.push(line));
  metrics.addMetric('TablesFailed', 'Count', 1);
  const { _aws, service } = Emitted.parse(metrics.serializeMetrics());
  metrics.clearMetrics();
  assert.deepEqual(_aws.CloudWatchMetrics[0]?.Dimensions, [['service']]);
  const namespace = _aws.CloudWatchMetrics[0]?.Namespace ?? '';
  for (const MetricName of ['TablesFailed', 'TablesBehind', 'SchedulesSilent', 'RowsDrifted'])
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName,
      Namespace: namespace,
      Dimensions: [{ Name: 'service', Value: service }],
    });
});

test('no function and no machine fails unheard', () => {
  const Metrics = z.array(
    z.object({
      MetricStat: z
        .object({
          Metric: z.object({
            MetricName: z.string(),
            Dimensions: z.tuple([z.object({ Value: z.object({ Ref: z.string() }) })]),
          }),
        })
        .optional(),
    }),
  );
  const heard = Object.values(template.findResources('AWS::CloudWatch::Alarm')).flatMap(({ Properties }) =>
    Metrics.parse(Properties.Metrics ?? []).flatMap(({ MetricStat }) =>
      MetricStat ? [`${MetricStat.Metric.MetricName} ${MetricStat.Metric.Dimensions[0].Value.Ref}`] : [],
    ),
  );
  const functions = Object.keys(template.findResources('AWS::Lambda::Function'));
  const machines = Object.keys(template.findResources('AWS::StepFunctions::StateMachine'));
  const expected = [
    ...functions.map((id) => `Errors ${id}`),
    ...machines.flatMap((id) => [`ExecutionsFailed ${id}`, `ExecutionsTimedOut ${id}`]),
  ];
  assert.deepEqual(heard.sort(), expected.sort());
});

test('a sum of figures counts what did not run as none, or it would have no figure at all', () => {
  const expressions = Object.values(template.findResources('AWS::CloudWatch::Alarm')).flatMap(
    ({ Properties }) => JSON.stringify(Properties.Metrics ?? []).match(/"Expression":"[^"]*"/g) ?? [],
  );
  assert.ok(expressions.length >= 2);
  for (const expression of expressions) assert.doesNotMatch(expression.replace(/FILL\(m\d+, 0\)/g, ''), /m\d/);
});
