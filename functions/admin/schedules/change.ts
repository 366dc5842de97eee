import type { Schedule } from '../../../shared/model/schedule.ts';
import { checkVersion, overtaken } from '../fields.ts';
import type { AdminPorts } from '../operation.ts';
import { outlook } from './fields.ts';
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
  { edits, schedules, now }: Pick<AdminPorts, 'edits' | 'schedules' | 'now'>,
) {
  const found = await readSchedule(jobId, scheduleId, { edits, schedules });
  checkVersion(`schedule ${scheduleId}`, found.revision, ifVersion);
  // One that a person broke by hand is mended by giving all of its fields.
  const before = found.schedule instanceof Error ? { jobId, scheduleId } : found.schedule;
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  const merged = { ...before, ...Object.fromEntries(given.map(([name, value]) => [name, value ?? undefined])) };
  const changed = checkSchedule(merged, await schedules.list(jobId));
  const version = await schedules.replace(changed, found.revision);
  if (version === null) throw overtaken(`schedule ${scheduleId}`);
  return { job: jobId, schedule: scheduleId, version, ...outlook(changed, now()) };
}
