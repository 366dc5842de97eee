import { parseAt, WEEKDAYS } from '../../model/at.ts';
import type { Schedule, Timing } from '../../model/schedule.ts';
import { shows, tickStep } from './match.ts';
import { offsetsAround } from './zone.ts';

const WEEK = 7 * 1440;

/** One field of a cron: `*`, `0/5`, `9-11`, `0,30`. Values ascend and lie below `size`. */
function field(values: number[], size: number, text: (value: number) => string = String): string {
  if (values.length === size) return '*';
  const [first = 0, second = first] = values;
  const step = second - first;
  const isProgression = values.every((value, index) => value === first + index * step);
  if (step > 1 && values.length > 2 && isProgression && first < step && first + values.length * step >= size) {
    return `${text(first)}/${step}`;
  }
  const ranges: number[][] = [];
  for (const value of values) {
    const range = ranges.at(-1);
    if (range && range.at(-1) === value - 1) range.push(value);
    else ranges.push([value]);
  }
  return ranges
    .map((range) => (range.length > 2 ? `${text(range[0] ?? 0)}-${text(range.at(-1) ?? 0)}` : range.map(text).join()))
    .join();
}

const sorted = (values: Set<number>): number[] => [...values].sort((a, b) => a - b);

/**
 * The tightest cron in UTC that fires at every tick of the schedule, whatever offset its zone has. It may fire more
 * often (a cron is a product of minutes, hours and days): the gate decides.
 *
 * Never a rate: it counts from the moment of its creation, so that an edit would shift it. Never Scheduler's own local
 * cron: it leaves out the spring gap's ticks and fires once in autumn's repeated hour (EventBridge Scheduler User
 * Guide, "Daylight savings time").
 *
 * @param now epoch milliseconds: offsets from a year before to a year after it are covered
 * @returns for ScheduleExpression, with ScheduleExpressionTimezone `UTC`
 */
export function expressionFor(timing: Timing, now: number): string {
  const step = tickStep(timing);
  const times = timing.at === undefined ? [] : parseAt(timing.at);
  const offsets = timing.at === undefined ? [0] : offsetsAround(timing.timezone, now);
  const [minutes, hours, weekdays] = [new Set<number>(), new Set<number>(), new Set<number>()];
  for (let wall = 0; wall < WEEK; wall += step) {
    const minute = wall % 60;
    const hour = Math.floor(wall / 60) % 24;
    if (times.length > 0 && !shows(times, { weekday: Math.floor(wall / 1440), hour, minute })) continue;
    for (const offset of offsets) {
      const utc = (wall - offset + 2 * WEEK) % WEEK;
      minutes.add(utc % 60);
      hours.add(Math.floor(utc / 60) % 24);
      weekdays.add(Math.floor(utc / 1440));
    }
  }
  const time = `${field(sorted(minutes), 60)} ${field(sorted(hours), 24)}`;
  const dayName = (day: number): string => (WEEKDAYS[day] ?? '').slice(0, 3).toUpperCase();
  return weekdays.size === 7 ? `cron(${time} * * ? *)` : `cron(${time} ? * ${field(sorted(weekdays), 7, dayName)} *)`;
}

/** The schedule's name at EventBridge Scheduler, `[0-9a-zA-Z-_.]{1,64}`; neither id has a dot, so no two share one. */
export const schedulerName = ({ jobId, scheduleId }: Pick<Schedule, 'jobId' | 'scheduleId'>): string =>
  `${jobId}.${scheduleId}`;

/**
 * Seconds after which Scheduler should give a tick up (RetryPolicy.MaximumEventAgeInSeconds, 60 to 86,400). By then its
 * successor is on its way, and what an outage held back must not arrive in a burst.
 */
export const tickLifetime = ({ frequency }: Pick<Timing, 'frequency'>): number => Math.min(frequency, 3600);
