import { type AtTime, parseAt, WEEKDAYS } from '../../model/at.ts';
import type { Timing } from '../../model/schedule.ts';
import { shows } from './match.ts';

const UNITS = [
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

const list = (parts: string[]): string =>
  parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;

const two = (value: number): string => String(value).padStart(2, '0');

/** `5 minutes`, `1 hour`, `2 days`. */
function duration(seconds: number): string {
  const whole = Math.ceil(seconds / 60) * 60;
  const [unit, size] = UNITS.find(([, length]) => whole % length === 0) ?? UNITS[3];
  const text = `${whole / size} ${unit}${whole === size ? '' : 's'}`;
  return whole === seconds ? text : `${text} (${seconds} seconds, in whole minutes)`;
}

const every = (seconds: number): string => `every ${duration(seconds).replace(/^1 /, '')}`;

/** Hours that follow each other, as one span: `between 09:00 and 11:59`. */
function windows(times: AtTime[]): string[] {
  const hours = [...new Set(times.flatMap(({ hour, minute }) => (minute === null && hour !== null ? [hour] : [])))];
  const spans: { first: number; last: number }[] = [];
  for (const hour of hours.sort((a, b) => a - b)) {
    const span = spans.at(-1);
    if (span && span.last === hour - 1) span.last = hour;
    else spans.push({ first: hour, last: hour });
  }
  return spans.map(({ first, last }) => `between ${two(first)}:00 and ${two(last)}:59`);
}

function timesOfDay(times: AtTime[]): string {
  const hourly = times.flatMap(({ hour, minute }) => (hour === null ? [`:${two(minute ?? 0)}`] : []));
  const exact = times.flatMap(({ hour, minute }) =>
    hour === null || minute === null ? [] : [`${two(hour)}:${two(minute)}`],
  );
  return list([
    ...windows(times),
    ...(exact.length > 0 ? [`at ${list([...new Set(exact)].sort())}`] : []),
    ...(hourly.length > 0 ? [`at ${list([...new Set(hourly)].sort())} of every hour`] : []),
  ]);
}

/** Weekdays whose times are the same are told together; null stands for every day. */
function byDay(times: AtTime[]): { days: number[] | null; text: string }[] {
  const groups: { days: number[] | null; text: string }[] = [];
  for (const day of [null, 1, 2, 3, 4, 5, 6, 0]) {
    const ofDay = times.filter(({ weekday }) => weekday === day);
    if (ofDay.length === 0) continue;
    const text = timesOfDay(ofDay);
    const same = groups.find((group) => group.days !== null && group.text === text);
    if (same && day !== null) same.days?.push(day);
    else groups.push({ days: day === null ? null : [day], text });
  }
  return groups;
}

/** Seconds between the two times of the week that lie closest together. */
function closest(times: AtTime[]): number {
  const minutes = Array.from({ length: 7 * 1440 }, (_, minute) => minute).filter((minute) =>
    shows(times, { weekday: Math.floor(minute / 1440), hour: Math.floor(minute / 60) % 24, minute: minute % 60 }),
  );
  const wrapped = (minutes[0] ?? 0) + 7 * 1440;
  return 60 * Math.min(...minutes.map((minute, index) => (minutes[index + 1] ?? wrapped) - minute));
}

/** The schedule in words: `every 5 minutes between 09:00 and 11:59, Europe/London`. */
export function describe({ frequency, at, timezone, enabled }: Timing): string {
  const disabled = enabled ? '' : ' (disabled)';
  if (at === undefined) return `${every(frequency)}${disabled}`;
  const times = parseAt(at);
  const hasWindow = times.some(({ minute }) => minute === null);
  const phrases = byDay(times).map(({ days, text }) => {
    if (days) return `on ${list(days.map((day) => `${WEEKDAYS[day]}s`))} ${text}`;
    return hasWindow || text.endsWith('of every hour') ? text : `every day ${text}`;
  });
  if (hasWindow) return `${every(frequency)} ${list(phrases)}, ${timezone}${disabled}`;
  const sparser = frequency > closest(times) ? `, but at least ${duration(frequency)} apart` : '';
  return `${list(phrases)}${sparser}, ${timezone}${disabled}`;
}
