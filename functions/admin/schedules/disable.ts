import * as z from 'zod';
import { ifVersion, jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { changeSchedule } from './change.ts';
import { schedule } from './fields.ts';

export const disableSchedule = operation({
  summary: 'Lets a schedule rest',
  input: z.strictObject({ jobId, schedule, ifVersion }),
  async run({ jobId: id, schedule: scheduleId, ifVersion: seen }, ports) {
    return changeSchedule(id, scheduleId, { enabled: false }, seen, ports);
  },
});
