import * as z from 'zod';
import { errors, InvalidInput } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { ENABLED, idFrom, NAME, schedule, TIMING } from './fields.ts';
import { outlookOf, restOf } from './outlook.ts';
import { checkSchedule } from './read.ts';

export const createSchedule = operation({
  summary: 'Adds a schedule to a job',
  input: z.strictObject({
    jobId,
    name: NAME.default('main'),
    schedule: schedule.optional().describe("the schedule's id; made from its name if left out"),
    ...TIMING,
    enabled: ENABLED,
  }),
  async run({ jobId: id, schedule: given, ...rest }, ports) {
    const { schedules } = ports;
    const rests = await restOf(id, ports);
    const scheduleId = given ?? idFrom(rest.name);
    if (scheduleId === '')
      throw new InvalidInput([{ field: 'schedule', message: 'is missing: no id can be made from this name' }]);
    const made = checkSchedule({ ...rest, jobId: id, scheduleId }, await schedules.list(id));
    if (!(await schedules.create(made)))
      throw errors.alreadyExists(`job ${id} has a schedule ${scheduleId} already: edit it, or give another name`);
    return { job: id, schedule: scheduleId, version: 1, ...(await outlookOf(made, rests, ports)) };
  },
});
