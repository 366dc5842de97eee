import { z } from 'zod';
import type { StoredSchedule } from '../../../shared/aws/schedules.ts';
import { describeError } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { readJobItem } from '../jobs/read.ts';
import { operation } from '../operation.ts';
import { outlook } from './fields.ts';

export const listSchedules = operation({
  summary: "Lists a job's schedules, with when each runs next",
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, { edits, schedules, now }) {
    await readJobItem(edits, id);
    const found = await schedules.list(id);
    return { schedules: found.map((one) => summaryOf(one, now())) };
  },
});

function summaryOf({ scheduleId, schedule, revision, syncError }: StoredSchedule, now: Date) {
  const broken = schedule instanceof Error;
  const { description, next } = broken ? { description: null, next: [] } : outlook(schedule, now);
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
