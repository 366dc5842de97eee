import { describe } from '../../../shared/core/schedule/describe.ts';
import { lastTickOf, preview, scheduledText } from '../../../shared/core/schedule/preview.ts';
import type { Schedule, Timing } from '../../../shared/model/schedule.ts';
import { readJobItem } from '../jobs/read.ts';
import type { AdminPorts } from '../operation.ts';

export interface Outlook {
  /** In words. */
  description: string;
  /** The ten ticks that will run if all goes well, as Scheduler writes them; none while it rests. */
  next: string[];
  /** Why it rests though it is enabled; null where it does not. */
  rests: string | null;
}

/** What a timing does that no tick has had yet. */
export const outlook = (timing: Timing, now: Date, lastTick: string | null = null): Omit<Outlook, 'rests'> => ({
  description: describe(timing),
  next: timing.enabled ? preview(timing, now.getTime(), lastTick).map(scheduledText) : [],
});

/** Why all schedules of a job rest; null where they don't. @throws LoaderError NotFound: no such job */
export async function restOf(
  jobId: string,
  { edits, schedules }: Pick<AdminPorts, 'edits' | 'schedules'>,
): Promise<string | null> {
  const { raw } = await readJobItem(edits, jobId);
  if (raw.disabled === true) return 'the job is paused';
  return (await schedules.readPause()) ? 'the installation is paused' : null;
}

/** Why a schedule does not run that EventBridge Scheduler does not follow: its error says more. */
export const PARKED = 'it is parked, see its error';

/** What a schedule will do, after the ticks that it has had. @param rests see `restOf` */
export async function outlookOf(
  schedule: Schedule,
  rests: string | null,
  { ticks, now }: Pick<AdminPorts, 'ticks' | 'now'>,
): Promise<Outlook> {
  const memory = await ticks.readMemory(schedule.jobId, schedule.scheduleId);
  const { description, next } = outlook(schedule, now(), lastTickOf(memory));
  return { description, next: rests ? [] : next, rests };
}
