import * as z from 'zod';
import { Edits } from '../shared/aws/edits.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { SCHEDULE } from '../shared/aws/keys.ts';
import { Scheduler, SchedulerSettings } from '../shared/aws/scheduler.ts';
import { Schedules } from '../shared/aws/schedules.ts';
import { Ticks } from '../shared/aws/ticks.ts';
import { type Edge, handle } from './edge.ts';
import { repairSchedules } from './repair-schedules.ts';
import { eachOf, type SyncPorts, syncJob, type Which } from './sync-job.ts';

const Key = z.object({ S: z.string() });

/** DynamoDB's stream of the config table, as far as it is about schedules and jobs. */
export const Changes = z.object({
  Records: z.array(
    z.object({ dynamodb: z.object({ Keys: z.object({ pk: Key, sk: Key }), SequenceNumber: z.string() }) }),
  ),
});
export type Changes = z.infer<typeof Changes>;

const Repair = z.object({ repair: z.literal(true) });

/**
 * Makes EventBridge Scheduler follow what changed in the config table, however it was edited. What it says is read anew, so
 * that a record that comes twice, late or out of order does no harm.
 *
 * @returns the records to deliver again
 */
export async function syncSchedules({ Records }: Changes, ports: SyncPorts, edge: Edge) {
  const jobs = new Map<string, { which: Which; records: string[] }>();
  for (const { dynamodb } of Records) {
    const { pk, sk } = dynamodb.Keys;
    const jobId = pk.S.slice('JOB#'.length);
    const job = jobs.get(jobId) ?? { which: { ids: new Set<string>(), all: false }, records: [] };
    job.records.push(dynamodb.SequenceNumber);
    if (sk.S.startsWith(SCHEDULE)) job.which.ids.add(sk.S.slice(SCHEDULE.length));
    else job.which.all = true;
    jobs.set(jobId, job);
  }
  const failed: string[] = [];
  await eachOf([...jobs], 3, async ([jobId, { which, records }]) => {
    try {
      // Also one that a person made as an item is listed from now on.
      if (which.all && (await ports.edits.read(jobId, 'JOB'))) await ports.edits.enter(jobId);
      await syncJob(jobId, which, ports, edge);
    } catch (error) {
      edge.logger.error('schedules could not be synchronized: tried again', { job: jobId, error });
      failed.push(...records);
    }
  });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

export const handler = handle(z.union([Changes, Repair]), async (event, edge) => {
  const { TABLE_NAME, SCHEDULER } = environmentOf('sync-schedules');
  const ports = {
    edits: new Edits(TABLE_NAME),
    schedules: new Schedules(TABLE_NAME),
    ticks: new Ticks(TABLE_NAME),
    scheduler: schedulerOf(SCHEDULER),
  };
  return 'Records' in event ? syncSchedules(event, ports, edge) : repairSchedules(ports, edge);
});

let kept: Scheduler | undefined;

/** One for the process's life, so that its connections are used again. */
function schedulerOf(settings: string): Scheduler {
  kept ??= new Scheduler(SchedulerSettings.parse(JSON.parse(settings)));
  return kept;
}
