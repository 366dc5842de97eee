import { z } from 'zod';
import { describeError } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { outlook, schedule } from './fields.ts';
import { readSchedule } from './read.ts';

export const showSchedule = operation({
  summary: 'Shows a schedule, in words and by its next ten ticks',
  input: z.strictObject({ jobId, schedule }),
  async run({ jobId: id, schedule: scheduleId }, { edits, schedules, now }) {
    const { schedule: found, revision, syncError } = await readSchedule(id, scheduleId, { edits, schedules });
    if (found instanceof Error) return { schedule: null, version: revision, error: describeError(found) };
    return { schedule: found, version: revision, ...outlook(found, now()), error: syncError };
  },
});
