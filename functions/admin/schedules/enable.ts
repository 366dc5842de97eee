import * as z from 'zod';
import { ifVersion, jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { changeSchedule } from './change.ts';
import { schedule } from './fields.ts';

export const enableSchedule = operation({
  summary: 'Lets a schedule run again',
  input: z.strictObject({ jobId, schedule, ifVersion }),
  async run({ jobId: id, schedule: scheduleId, ifVersion: seen }, ports) {
    return changeSchedule(id, scheduleId, { enabled: true }, seen, ports);
  },
});
