import { Schedule } from '../../../shared/model/schedule.ts';

const { scheduleId, name, frequency, at, timezone, enabled } = Schedule.shape;

/** The schedule that an operation is about. */
export const schedule = scheduleId.describe("the schedule's id");

/** When it runs, as a person gives it. */
export const TIMING = {
  frequency: frequency.describe('seconds from one run to the next, 60 at the least'),
  at: at.describe('only at these times: 9:30, **:30, 09:**, Monday 9:30, several with commas'),
  timezone: timezone.describe('the IANA time zone that `at` is meant in'),
};

export const NAME = name.describe('what people call it; no two of a job have the same');
export const ENABLED = enabled.describe('it runs at its times, and else rests');

/** An id out of a name: `Every night!` → `every-night`. */
export const idFrom = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 20)
    .replace(/-$/, '');
