import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateScheduleCommand, DeleteScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { BatchWriteCommand, DeleteCommand, DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Fault } from '../../local/gate.ts';
import { REGION } from '../../local/identity.ts';
import { ServiceError } from '../../local/service.ts';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';
import { ticking } from './ticking.ts';

let during: Fault | undefined;
/** Quotas that a burst of edits meets. */
const rates = { CreateSchedule: 300, GetSchedule: 300, UpdateSchedule: 300, DeleteSchedule: 300 };
const server = bench({ scheduler: { rates }, fault: (call) => during?.(call) });
const { at, schedule, history, memory } = ticking(server);

const client = () => {
  const { cloud } = server.installation;
  return { endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials };
};
const table = () => server.installation.cloud.outputs.ConfigTable ?? '';
const raw = () => DynamoDBDocumentClient.from(new DynamoDBClient(client()));

/** What Scheduler holds for a job: expressions by the schedules' ids, `-` in front of one that is disabled. */
const held = (jobId: string): Record<string, string> =>
  Object.fromEntries(
    server.installation.cloud.scheduler.list().flatMap(({ name, definition }) => {
      const { State, ScheduleExpression } = definition;
      if (!name.startsWith(`${jobId}.`)) return [];
      return [[name.slice(jobId.length + 1), `${State === 'ENABLED' ? '' : '-'}${ScheduleExpression}`]];
    }),
  );

/** Once every change has been followed. */
async function followed(jobId: string): Promise<Record<string, string>> {
  await server.installation.cloud.idle();
  return held(jobId);
}

const syncErrors = async (jobId: string) =>
  Object.fromEntries((await at().schedules.list(jobId)).map(({ scheduleId, syncError }) => [scheduleId, syncError]));

const put = (jobId: string, scheduleId: string, item: object) =>
  raw().send(
    new PutCommand({
      TableName: table(),
      Item: { pk: `JOB#${jobId}`, sk: `SCHEDULE#${scheduleId}`, jobId, scheduleId, ...item },
    }),
  );

const repair = async () => {
  const { cloud } = server.installation;
  const sync = cloud.stack.of('AWS::Lambda::Function').find(({ name }) => /syncschedules/.test(name));
  const { payload, functionError } = await cloud.lambda.invoke({
    functionArn: sync?.arn ?? '',
    payload: '{"repair":true}',
  });
  assert.equal(functionError, undefined, payload);
  return JSON.parse(payload) as { jobs: number; silent: string[] };
};

const emptyJob = () => server.job('SELECT 1');

test('Scheduler follows every edit of an item, by whatever means, and forgets what is deleted', async () => {
  const { jobId } = await emptyJob();
  await put(jobId, 'mornings', { name: 'Mornings', frequency: 300, at: '09:**', timezone: 'Europe/London' });
  assert.deepEqual(await followed(jobId), { mornings: 'cron(0/5 8,9 * * ? *)' });
  await put(jobId, 'mornings', { name: 'Mornings', frequency: 300, enabled: false });
  assert.deepEqual(await followed(jobId), { mornings: '-cron(0/5 * * * ? *)' });
  await raw().send(new DeleteCommand({ TableName: table(), Key: { pk: `JOB#${jobId}`, sk: 'SCHEDULE#mornings' } }));
  assert.deepEqual(await followed(jobId), {});
});

test('a disabled job has its schedules disabled, a deleted one has none', async () => {
  const job = await emptyJob();
  await schedule(job);
  const { job: item } = await job.read();
  await server.operator.edits.putJob({ ...item, disabled: true });
  assert.deepEqual(await followed(job.jobId), { main: '-cron(0/5 * * * ? *)' });
  await server.operator.edits.putJob(item);
  assert.deepEqual(await followed(job.jobId), { main: 'cron(0/5 * * * ? *)' });
  await raw().send(new DeleteCommand({ TableName: table(), Key: { pk: `JOB#${job.jobId}`, sk: 'JOB' } }));
  assert.deepEqual(await followed(job.jobId), {});
  assert.match((await syncErrors(job.jobId)).main ?? '', /there is no job .*: create it, or delete this schedule/);
  await server.operator.edits.putJob(item);
  assert.deepEqual(await followed(job.jobId), { main: 'cron(0/5 * * * ? *)' });
  assert.deepEqual(await syncErrors(job.jobId), { main: null });
});

test('an item that makes no sense is parked with the reason, and nothing else stops', async () => {
  const { jobId } = await emptyJob();
  const good = { frequency: 60 };
  await put(jobId, 'a', { name: 'A', frequency: 60 });
  await put(jobId, 'soon', { name: 'Soon', frequency: 'soon' });
  await put(jobId, 'late', { name: 'Late', ...good, at: '25:00' });
  await put(jobId, 'lost', { name: 'Lost', ...good, timezone: 'Europe/Atlantis' });
  await put(jobId, 'twin', { name: 'a', ...good });
  await put(jobId, 'No id!', { name: 'No id', ...good });
  await put(jobId, 'z', { name: 'Z', ...good });
  assert.deepEqual(Object.keys(await followed(jobId)), ['a', 'z']);
  const { a, soon, late, lost, twin, z, 'No id!': noId } = await syncErrors(jobId);
  assert.deepEqual([a, z], [null, null]);
  assert.match(noId ?? '', /scheduleId takes 1 to 20 of a-z, 0-9 and -/);
  assert.match(soon ?? '', /frequency is "soon": give a number of seconds/);
  assert.match(late ?? '', /"25:00" has the hour 25, but hours end at 23/);
  assert.match(lost ?? '', /timezone is "Europe\/Atlantis", which is no IANA time zone/);
  assert.match(twin ?? '', /schedule a is called "a" as well: give this one another name/);
  const next = async () => {
    const { schedules } = await done<{ schedules: { schedule: string; next: string | null }[] }>(
      server,
      'schedules.list',
      { jobId },
    );
    const shown = await done<{ next: string[]; rests: string | null }>(server, 'schedules.show', {
      jobId,
      schedule: 'twin',
    });
    const listed = schedules.filter((one) => one.next !== null).map(({ schedule: id }) => id);
    return { listed, shown: shown.next.length, rests: shown.rests };
  };
  assert.deepEqual(await next(), { listed: ['a', 'z'], shown: 0, rests: 'it is parked, see its error' });
  // Whose name is free again is followed, though nobody touched it.
  await put(jobId, 'a', { name: 'Another', frequency: 60 });
  assert.deepEqual(Object.keys(await followed(jobId)), ['a', 'twin', 'z']);
  assert.equal((await syncErrors(jobId)).twin, null);
  assert.deepEqual(await next(), { listed: ['a', 'twin', 'z'], shown: 10, rests: null });
  await done(server, 'schedules.delete', { jobId, schedule: 'No id!' });
  assert.equal(await at().schedules.read(jobId, 'No id!'), null);
});

test('an hourly repair makes what is missing, deletes what has no item, and mends what differs', async () => {
  const job = await emptyJob();
  await schedule(job);
  await followed(job.jobId);
  const direct = new SchedulerClient(client());
  const role = server.installation.cloud.scheduler.list().find(({ name }) => name.startsWith(job.jobId))
    ?.definition.Target;
  const foreign = { GroupName: 'redshift-loader', FlexibleTimeWindow: { Mode: 'OFF' as const }, Target: role };
  await direct.send(
    new CreateScheduleCommand({ ...foreign, Name: `${job.jobId}.orphan`, ScheduleExpression: 'rate(1 minute)' }),
  );
  await direct.send(new CreateScheduleCommand({ ...foreign, Name: 'gone.main', ScheduleExpression: 'rate(1 minute)' }));
  await direct.send(new DeleteScheduleCommand({ GroupName: 'redshift-loader', Name: `${job.jobId}.main` }));
  await repair();
  assert.deepEqual(held(job.jobId), { main: 'cron(0/5 * * * ? *)' });
  assert.deepEqual(held('gone'), {});
});

const MINUTE = 60_000;

/** Advances Scheduler's clock minute by minute; whatever starts is waited for. */
async function advance(from: string, minutes: number): Promise<void> {
  for (let i = 0; i <= minutes; i++) {
    await server.installation.cloud.scheduler.advance(Date.parse(from) + i * MINUTE);
    await server.installation.cloud.idle();
  }
}

async function ticksOf(job: TestJob): Promise<string[]> {
  for (let wait = 0; wait < 20 && (await history(job)).some((line) => line.includes(' due ')); wait++) await sleep(50);
  return history(job);
}

test('ticks reach plan with their scheduled time; an outage of Scheduler is not made up for in a burst', async () => {
  const job = await emptyJob();
  await schedule(job, { frequency: 120 });
  assert.deepEqual(await followed(job.jobId), { main: 'cron(0/2 * * * ? *)' });
  await advance('2030-01-01T09:59:00Z', 3);
  assert.deepEqual(await ticksOf(job), ['10:00 ran succeeded', '10:02 ran succeeded']);
  during = ({ service, action, moment }) => {
    if (service === 'states' && action === 'StartExecution' && moment === 'before')
      throw new ServiceError('ServiceUnavailable', 'away', 503);
  };
  await advance('2030-01-01T10:03:00Z', 17);
  during = undefined;
  await advance('2030-01-01T10:20:30Z', 2);
  const after = await ticksOf(job);
  // What was at most `frequency` old when Scheduler was back; the others were given up.
  assert.deepEqual(after.slice(2), ['10:20 ran succeeded', '10:22 ran succeeded']);
  assert.equal((await memory(job)).lastSuccess, '2030-01-01T10:22:00Z');
});

// Last: whatever looks at all schedules would look at these.
test('a thousand schedules are followed, however often Scheduler says that it is too much', async () => {
  const { jobId } = await emptyJob();
  const ids = Array.from({ length: 1_000 }, (_, i) => `s${i}`);
  let throttled = 0;
  during = ({ service, action, moment }) => {
    if (service === 'scheduler' && action === 'CreateSchedule' && moment === 'before' && throttled < 20) {
      throttled += 1;
      throw new ServiceError('ThrottlingException', 'Rate exceeded', 429);
    }
  };
  for (let first = 0; first < ids.length; first += 25)
    await raw().send(
      new BatchWriteCommand({
        RequestItems: {
          [table()]: ids.slice(first, first + 25).map((scheduleId) => ({
            PutRequest: {
              Item: {
                pk: `JOB#${jobId}`,
                sk: `SCHEDULE#${scheduleId}`,
                jobId,
                scheduleId,
                name: scheduleId,
                frequency: 300,
                enabled: false,
              },
            },
          })),
        },
      }),
    );
  assert.equal(Object.keys(await followed(jobId)).length, 1_000);
  during = undefined;
  assert.equal(throttled, 20);
  assert.ok(Object.values(await syncErrors(jobId)).every((error) => error === null));
});
