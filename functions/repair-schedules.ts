import { MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Held } from '../shared/aws/scheduler.ts';
import { schedulerName } from '../shared/core/schedule/expression.ts';
import { isSilent } from '../shared/core/schedule/silence.ts';
import type { Edge } from './edge.ts';
import { eachOf, type SyncPorts, syncJob } from './sync-job.ts';

/** Jobs that are looked at at once. */
const AT_ONCE = 3;

/**
 * Mends, once an hour, what the table's stream could not bring: schedules at Scheduler without an item, items without a
 * schedule, expressions that no longer cover their zone's offsets. And listens: counts the schedules that should have
 * ticked and were not heard of. Its figure is there every hour, also where no job has a schedule: that it is missing
 * is itself a sign.
 *
 * @throws Error naming the jobs that could not be repaired; the others are
 */
export async function repairSchedules(ports: SyncPorts, edge: Edge): Promise<{ jobs: number; silent: string[] }> {
  const held = new Map((await ports.scheduler.list()).map((one) => [one.name, one]));
  // A job that is not in the directory may still have schedules: its name stands in front of theirs.
  const jobs = new Set([...(await ports.edits.listJobs()), ...[...held.keys()].map(jobOf)]);
  const paused = (await ports.schedules.readPause()) !== null;
  const silent: string[] = [];
  const failed: string[] = [];
  await eachOf([...jobs], AT_ONCE, async (jobId) => {
    try {
      const ids = [...held.keys()].filter((name) => jobOf(name) === jobId).map((name) => name.slice(jobId.length + 1));
      if (ids.length > 0) await syncJob(jobId, { ids: new Set(ids), all: false }, ports, edge);
      await syncJob(jobId, { ids: new Set(), all: true }, ports, edge);
      if (!paused) silent.push(...(await silentOf(jobId, held, ports, edge)));
    } catch (error) {
      edge.logger.error('the schedules of a job could not be repaired', { job: jobId, error });
      failed.push(jobId);
    }
  });
  for (const name of silent)
    edge.logger.error('a schedule that should have ticked was not heard of', { schedule: name });
  edge.metrics.addMetric('SchedulesSilent', MetricUnit.Count, silent.length);
  if (failed.length > 0) throw new Error(`the schedules of these jobs could not be repaired: ${failed.join(', ')}`);
  return { jobs: jobs.size, silent };
}

/** No id has a dot. */
const jobOf = (name: string): string => name.split('.')[0] ?? '';

async function silentOf(jobId: string, held: Map<string, Held>, { edits, schedules, ticks }: SyncPorts, edge: Edge) {
  const job = await edits.read(jobId, 'JOB');
  if (!job || job.disabled === true) return [];
  const [newest] = await ticks.list(jobId, 1);
  const heard = newest ? Date.parse(newest.scheduledTime) : Number.NEGATIVE_INFINITY;
  const silent: string[] = [];
  for (const { schedule } of await schedules.list(jobId)) {
    if (schedule instanceof Error) continue;
    const known = held.get(schedulerName(schedule));
    // What was missing is there since a moment ago.
    if (!known) continue;
    const memory = await ticks.readMemory(jobId, schedule.scheduleId);
    if (isSilent(schedule, memory, { since: known.since, heard, now: edge.now().getTime() })) silent.push(known.name);
  }
  return silent;
}
