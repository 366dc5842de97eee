import * as z from 'zod';
import { describeError } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { schedule } from './fields.ts';
import { outlookOf, PARKED, restOf } from './outlook.ts';
import { readSchedule } from './read.ts';

/** How many of its ticks are shown, out of how many of the job's newest: two days of one that ticks every minute beside it. */
const SHOWN = 10;
const LOOKED_THROUGH = 3_000;

export const showSchedule = operation({
  summary: 'Shows a schedule, in words, by its last and by its next ten ticks',
  input: z.strictObject({ jobId, schedule }),
  async run({ jobId: id, schedule: scheduleId }, ports) {
    const { schedule: found, revision, syncError } = await readSchedule(id, scheduleId, ports);
    if (found instanceof Error) return { schedule: null, version: revision, error: describeError(found) };
    const outlook = await outlookOf(found, syncError === null ? await restOf(id, ports) : PARKED, ports);
    const ticks = (await ports.ticks.list(id, LOOKED_THROUGH)).filter((tick) => tick.scheduleId === scheduleId);
    return { schedule: found, version: revision, ...outlook, ticks: ticks.slice(0, SHOWN), error: syncError };
  },
});
