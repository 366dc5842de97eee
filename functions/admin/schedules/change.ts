import type { Schedule } from '../../../shared/model/schedule.ts';
import { checkVersion, overtaken } from '../fields.ts';
import type { AdminPorts } from '../operation.ts';
import { outlookOf, restOf } from './outlook.ts';
import { checkSchedule, readSchedule } from './read.ts';

/**
 * Changes some fields of a schedule that still is at the version that the editor saw; undefined leaves one as it is, null
 * takes it away.
 */
export async function changeSchedule(
  jobId: string,
  scheduleId: string,
  change: { [Field in keyof Schedule]?: Schedule[Field] | null | undefined },
  ifVersion: number | undefined,
  ports: Pick<AdminPorts, 'edits' | 'schedules' | 'ticks' | 'now'>,
) {
  const { schedules } = ports;
  const found = await readSchedule(jobId, scheduleId, ports);
  checkVersion(`schedule ${scheduleId}`, found.revision, ifVersion);
  // One that a person broke by hand is mended by giving all of its fields.
  const before = found.schedule instanceof Error ? { jobId, scheduleId } : found.schedule;
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  const merged = { ...before, ...Object.fromEntries(given.map(([name, value]) => [name, value ?? undefined])) };
  const changed = checkSchedule(merged, await schedules.list(jobId));
  const version = await schedules.replace(changed, found.revision);
  if (version === null) throw overtaken(`schedule ${scheduleId}`);
  const outlook = await outlookOf(changed, await restOf(jobId, ports), ports);
  return { job: jobId, schedule: scheduleId, version, ...outlook };
}
