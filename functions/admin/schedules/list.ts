import * as z from 'zod';
import type { StoredSchedule } from '../../../shared/aws/schedules.ts';
import { describeError } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { type AdminPorts, operation } from '../operation.ts';
import { outlookOf, PARKED, restOf } from './outlook.ts';

export const listSchedules = operation({
  summary: "Lists a job's schedules, with when each runs next",
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, ports) {
    const rests = await restOf(id, ports);
    const found = await ports.schedules.list(id);
    return { rests, schedules: await Promise.all(found.map((one) => summaryOf(one, rests, ports))) };
  },
});

async function summaryOf(
  { scheduleId, schedule, revision, syncError }: StoredSchedule,
  rests: string | null,
  ports: Pick<AdminPorts, 'ticks' | 'now'>,
) {
  const broken = schedule instanceof Error;
  const rest = syncError === null ? rests : PARKED;
  const { description, next } = broken ? { description: null, next: [] } : await outlookOf(schedule, rest, ports);
  return {
    schedule: scheduleId,
    name: broken ? null : schedule.name,
    enabled: broken ? null : schedule.enabled,
    description,
    next: next[0] ?? null,
    version: revision,
    error: broken ? describeError(schedule) : syncError,
  };
}
