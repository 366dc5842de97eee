import * as z from 'zod';
import { checkVersion, ifVersion, jobId, overtaken } from '../fields.ts';
import { operation } from '../operation.ts';
import { readSchedule } from './read.ts';

/** Whatever a person made its id by hand. */
const schedule = z.string().min(1).describe("the schedule's id");

export const deleteSchedule = operation({
  summary: 'Deletes a schedule',
  input: z.strictObject({ jobId, schedule, ifVersion }),
  async run({ jobId: id, schedule: scheduleId, ifVersion: seen }, { edits, schedules }) {
    const { revision } = await readSchedule(id, scheduleId, { edits, schedules });
    checkVersion(`schedule ${scheduleId}`, revision, seen);
    if (!(await schedules.remove(id, scheduleId, revision))) throw overtaken(`schedule ${scheduleId}`);
    return { job: id, schedule: scheduleId };
  },
});
