import * as z from 'zod';
import { checkChange, edited, ifVersion, jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { changeSchedule } from './change.ts';
import { ENABLED, NAME, schedule, TIMING } from './fields.ts';

export const editSchedule = operation({
  summary: 'Changes a schedule; runs that are due are neither lost nor made early by it',
  input: z.strictObject({
    jobId,
    schedule,
    ifVersion,
    ...edited({ name: NAME, ...TIMING, enabled: ENABLED }),
    at: TIMING.at.nullable().describe('only at these times; null for any time'),
  }),
  async run({ jobId: id, schedule: scheduleId, ifVersion: seen, ...change }, ports) {
    checkChange(change);
    return changeSchedule(id, scheduleId, change, seen, ports);
  },
});
