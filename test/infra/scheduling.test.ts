import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERYTHING, functionsOf, type Statement, statementsOf, templateOf } from './fixture.ts';

const template = templateOf(EVERYTHING);
const statements = statementsOf(template);
const sync = functionsOf(template).get('sync-schedules')?.role ?? '';
const [queue = ''] = Object.keys(template.findResources('AWS::SQS::Queue'));
const rolesOfScheduler = Object.keys(
  template.findResources('AWS::IAM::Role', {
    Properties: {
      AssumeRolePolicyDocument: {
        Statement: [
          {
            Principal: { Service: 'scheduler.amazonaws.com' },
            // No other account's schedules may use them.
            Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          },
        ],
      },
    },
  }),
);
const allowed = (role: string): Record<string, Statement> =>
  Object.fromEntries((statements.get(role) ?? []).flatMap((one) => one.Action.map((action) => [action, one])));

test('schedules of jobs start load-job and tell the queue, the hourly one calls sync-schedules, and no more', () => {
  const [jobs = '', repair = '', ...others] = rolesOfScheduler;
  assert.deepEqual(others, []);
  assert.deepEqual(
    Object.keys(allowed(jobs)).filter((action) => !action.startsWith('sqs:')),
    ['states:StartExecution'],
  );
  assert.match(
    JSON.stringify(allowed(jobs)['states:StartExecution']?.Resource),
    /stateMachine:redshift-loader-load-job"/,
  );
  assert.match(JSON.stringify(allowed(jobs)['sqs:SendMessage']?.Resource), new RegExp(queue));
  assert.deepEqual(Object.keys(allowed(repair)), ['lambda:InvokeFunction']);
});

test('sync-schedules changes the schedules of our group, and passes the one role to Scheduler alone', () => {
  const all = allowed(sync);
  const scheduling = Object.keys(all).filter((action) => action.startsWith('scheduler:'));
  assert.deepEqual(
    scheduling.toSorted(),
    ['Create', 'Delete', 'Get', 'List', 'Update'].map(
      (verb) => `scheduler:${verb}Schedule${verb === 'List' ? 's' : ''}`,
    ),
  );
  for (const action of scheduling.filter((one) => !one.includes('List')))
    assert.match(JSON.stringify(all[action]?.Resource), /:schedule\/redshift-loader\/\*"/);
  const pass = all['iam:PassRole'];
  assert.deepEqual(pass?.Condition, { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } });
  assert.match(JSON.stringify(pass?.Resource), new RegExp(rolesOfScheduler[0] ?? 'none'));
});

test('sync-schedules hears of schedules and jobs alone, and what it gives up goes to the queue', () => {
  const [mapping] = Object.values(template.findResources('AWS::Lambda::EventSourceMapping'));
  const patterns = mapping?.Properties.FilterCriteria.Filters.map(({ Pattern }: { Pattern: string }) =>
    JSON.parse(Pattern),
  );
  const keys = patterns.map((one: { dynamodb: { Keys: { sk: { S: unknown } } } }) => one.dynamodb.Keys.sk.S);
  assert.deepEqual(keys, [[{ prefix: 'SCHEDULE#' }], ['JOB']]);
  assert.deepEqual(mapping?.Properties.FunctionResponseTypes, ['ReportBatchItemFailures']);
  assert.match(JSON.stringify(mapping?.Properties.DestinationConfig), new RegExp(queue));
});

test('silence alarms where nobody listens any more, and not where there is nothing to hear', () => {
  const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);
  const silence = alarms.filter(({ TreatMissingData }) => TreatMissingData === 'breaching');
  assert.deepEqual(
    silence.map(({ MetricName }) => MetricName),
    ['SchedulesSilent'],
  );
  // Its figure is written every hour, whatever there is: see repair-schedules.
  const [hourly] = Object.values(template.findResources('AWS::Scheduler::Schedule'));
  assert.match(hourly?.Properties.ScheduleExpression, /^cron\(\d+ \* \* \* \? \*\)$/);
  assert.ok(silence[0]?.Period * silence[0]?.EvaluationPeriods >= 2 * 3600);
  assert.ok(alarms.some(({ MetricName }) => MetricName === 'ApproximateNumberOfMessagesVisible'));
});
