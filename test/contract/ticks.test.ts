import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Edits } from '../../shared/aws/edits.ts';
import { Schedules } from '../../shared/aws/schedules.ts';
import { Ticks } from '../../shared/aws/ticks.ts';
import { claimTick, settleTick } from '../../shared/core/schedule/memory.ts';
import { Job } from '../../shared/model/job.ts';
import { NO_TICKS, Schedule } from '../../shared/model/schedule.ts';
import { services } from './services.ts';

const at = services(undefined, async () => {
  for (const jobId of jobs) await new Edits(at.table, at.dynamodb).deleteJob(jobId);
});
const jobs: string[] = [];
const ticks = () => new Ticks(at.table, at.dynamodb);

/** A job of one test alone, which need not exist. */
function newJob(): string {
  const jobId = `${at.prefix}-ticks-${jobs.length}`;
  jobs.push(jobId);
  return jobId;
}

const tickOf = (scheduledTime: string) => ({ scheduledTime, onlyFailed: false, runId: `run-of-${scheduledTime}` });
const TEN = '2026-11-22T10:00:00Z';

test('what decides upon a tick is read at once: job, schedule and memory, each of which may be missing', async () => {
  const jobId = newJob();
  assert.deepEqual(await ticks().read(jobId, 'main'), { pause: null, job: null, schedule: null, memory: NO_TICKS });
  const edits = new Edits(at.table, at.dynamodb);
  await edits.putJob(
    Job.parse({ jobId, secretArn: 'arn:none', destination: 'warehouse', disabled: true, revision: 1 }),
  );
  const schedule = Schedule.parse({ jobId, scheduleId: 'main', name: 'Main', frequency: 60 });
  await new Schedules(at.table, at.dynamodb).create(schedule);
  const claimed = claimTick(NO_TICKS, tickOf(TEN));
  assert.equal(await ticks().saveMemory(jobId, 'main', NO_TICKS, claimed), true);
  const { job, schedule: found, memory } = await ticks().read(jobId, 'main');
  assert.deepEqual({ job, found, memory }, { job: { disabled: true }, found: schedule, memory: claimed });
  assert.deepEqual(await ticks().readMemory(jobId, 'main'), claimed);
});

test('of several that decided upon one memory, one writes', async () => {
  const jobId = newJob();
  const claims = ['10:00', '10:01', '10:02'].map((clock) => claimTick(NO_TICKS, tickOf(`2026-11-22T${clock}:00Z`)));
  const written = await Promise.all(claims.map((claim) => ticks().saveMemory(jobId, 'main', NO_TICKS, claim)));
  assert.deepEqual(written.toSorted(), [false, false, true]);
  const seen = await ticks().readMemory(jobId, 'main');
  const runId = seen.claimed?.runId ?? '';
  const settled = settleTick(seen, runId, 'succeeded') ?? assert.fail();
  const both = await Promise.all([1, 2].map(() => ticks().saveMemory(jobId, 'main', seen, settled)));
  assert.deepEqual(both.toSorted(), [false, true]);
});

test('the history tells the newest first; a skip never replaces what is known of a tick', async () => {
  const jobId = newJob();
  const entry = (scheduledTime: string) => ({ scheduleId: 'main', scheduledTime, at: TEN, expiresAt: 2_000_000_000 });
  const later = '2026-11-22T10:05:00Z';
  const skipped = { status: 'skipped', code: 'claimed', reason: 'its twin runs' } as const;
  await ticks().record(jobId, { ...entry(TEN), status: 'due', runId: 'r', onlyFailed: false });
  await ticks().record(jobId, { ...entry(TEN), status: 'ran', runId: 'r', outcome: 'succeeded' });
  await ticks().record(jobId, { ...entry(TEN), ...skipped });
  await ticks().record(jobId, { ...entry(later), ...skipped });
  const list = await ticks().list(jobId, 10);
  assert.deepEqual(
    list.map(({ scheduledTime, status }) => [scheduledTime, status]),
    [
      [later, 'skipped'],
      [TEN, 'ran'],
    ],
  );
  assert.equal((await ticks().list(jobId, 1)).length, 1);
});

test('as many as are asked for are told, though a page of DynamoDB ends at 1 MB', async () => {
  const jobId = newJob();
  for (const minute of [0, 1, 2, 3]) {
    const scheduledTime = `2026-11-22T10:0${minute}:00Z`;
    const entry = { scheduleId: 'main', scheduledTime, at: TEN, expiresAt: 2_000_000_000 };
    await ticks().record(jobId, { ...entry, status: 'skipped', code: 'claimed', reason: 'x'.repeat(380_000) });
  }
  for (const limit of [4, 3, 1]) assert.equal((await ticks().list(jobId, limit)).length, limit);
});
