import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { Schedules } from '../../shared/aws/schedules.ts';
import { Schedule } from '../../shared/model/schedule.ts';
import { services } from './services.ts';

const at = services(setUp, cleanUp);
const made: { pk: string; sk: string }[] = [];
let schedules: Schedules;
let raw: DynamoDBDocumentClient;

function setUp(): void {
  raw = DynamoDBDocumentClient.from(at.dynamodb);
  schedules = new Schedules(at.table, at.dynamodb);
}

async function cleanUp(): Promise<void> {
  for (const Key of made) await raw.send(new DeleteCommand({ TableName: at.table, Key }));
}

/** A schedule of a job of this test alone. */
function newSchedule(scheduleId: string, more: Partial<Schedule> = {}): Schedule {
  const jobId = more.jobId ?? `${at.prefix}-${made.length}`;
  made.push({ pk: `JOB#${jobId}`, sk: `SCHEDULE#${scheduleId}` });
  return Schedule.parse({ jobId, scheduleId, name: scheduleId, frequency: 300, ...more });
}

test('of two editors that saw one schedule, the second is refused, and nothing of the first is lost', async () => {
  const schedule = newSchedule('mornings', { at: '09:**' });
  assert.equal(await schedules.create(schedule), true);
  assert.equal(await schedules.create({ ...schedule, frequency: 60 }), false);
  assert.equal(await schedules.replace({ ...schedule, frequency: 600 }, 1), 2);
  assert.equal(await schedules.replace({ ...schedule, frequency: 900 }, 1), null);
  assert.equal(await schedules.remove(schedule.jobId, 'mornings', 1), false);
  assert.deepEqual(await schedules.list(schedule.jobId), [
    { scheduleId: 'mornings', schedule: { ...schedule, frequency: 600 }, revision: 2, syncError: null },
  ]);
  assert.equal(await schedules.remove(schedule.jobId, 'mornings', 2), true);
  assert.equal(await schedules.read(schedule.jobId, 'mornings'), null);
  assert.equal(await schedules.replace(schedule, 2), null, 'what was deleted does not come back');
});

test('an item made by hand can be read, replaced and removed; one that makes no sense says why', async () => {
  const { jobId } = newSchedule('by-hand');
  const Item = {
    pk: `JOB#${jobId}`,
    sk: 'SCHEDULE#by-hand',
    jobId,
    scheduleId: 'by-hand',
    name: 'By hand',
    frequency: 5,
  };
  await raw.send(new PutCommand({ TableName: at.table, Item }));
  const found = await schedules.read(jobId, 'by-hand');
  assert.equal(found?.revision, 0);
  assert.match(String(found?.schedule), /^BadConfiguration: schedule by-hand: frequency is 5: .* give 60 or more/);
  const mended = Schedule.parse({ ...Item, frequency: 60 });
  assert.equal(await schedules.replace(mended, 0), 1);
  assert.equal(await schedules.replace(mended, 0), null, 'it has a revision now');
  await raw.send(new PutCommand({ TableName: at.table, Item: { ...Item, frequency: 60, scheduleId: 'other' } }));
  assert.match(
    String((await schedules.read(jobId, 'by-hand'))?.schedule),
    /scheduleId is "other", but its item's key says/,
  );
});

test('why Scheduler does not follow is told on the schedule, and gone with the next edit', async () => {
  const schedule = newSchedule('parked');
  await schedules.create(schedule);
  await schedules.setSyncError(schedule.jobId, 'parked', 'no room');
  assert.equal((await schedules.read(schedule.jobId, 'parked'))?.syncError, 'no room');
  assert.equal(await schedules.replace(schedule, 1), 2, 'it is no edit');
  assert.equal((await schedules.read(schedule.jobId, 'parked'))?.syncError, null);
  await schedules.setSyncError(schedule.jobId, 'gone', 'no room');
  assert.equal(await schedules.read(schedule.jobId, 'gone'), null, 'nothing is made of a schedule that was deleted');
});

test('an installation is paused with a reason, until it is resumed', async () => {
  await schedules.pause('moving house', new Date('2026-11-22T10:00:00Z'));
  assert.deepEqual(await schedules.readPause(), { reason: 'moving house', since: '2026-11-22T10:00:00.000Z' });
  await schedules.resume();
  assert.equal(await schedules.readPause(), null);
});
