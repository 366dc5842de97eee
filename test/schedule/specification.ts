/**
 * The schedule's specification, written as naively as it reads: minute by minute, on a wall clock that Intl prints.
 * It shares nothing with the code under test except for the types.
 */
export interface Item {
  frequency: number;
  at: string | undefined;
  timezone: string;
}

export const MINUTE = 60_000;
const DAY = 86_400_000;

export interface Minute {
  instant: number;
  /** The wall clock as if it were UTC. */
  wall: number;
}

const printed = new Map<string, Minute[]>();

/** The minutes from wall-clock midnight of `from` on, for so many days. */
export function minutesOf(timezone: string, from: string, days: number): Minute[] {
  const key = `${timezone} ${from} ${days}`;
  const known = printed.get(key);
  if (known) return known;
  const clock = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'short' });
  const minutes: Minute[] = [];
  for (let instant = Date.parse(from) - DAY; minutes.length < days * 1440; instant += MINUTE) {
    const wall = Date.parse(`${clock.format(instant).replace(' ', 'T')}:00Z`);
    if (minutes.length > 0 || wall >= Date.parse(from)) minutes.push({ instant, wall });
  }
  printed.set(key, minutes);
  return minutes;
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

export function matcherOf(at: string | undefined): (wall: number) => boolean {
  if (at === undefined) return () => true;
  const parts = at.split(',').map((part) => {
    const [time = '', day] = part.trim().split(/\s+/).reverse();
    const [hour = '', minute = ''] = time.split(':');
    return { day: day?.slice(0, 3).toLowerCase(), hour, minute };
  });
  return (wall) => {
    const date = new Date(wall);
    return parts.some(
      ({ day, hour, minute }) =>
        (day === undefined || DAYS[date.getUTCDay()] === day) &&
        (hour.startsWith('*') || Number(hour) === date.getUTCHours()) &&
        (minute === '**' || Number(minute) === date.getUTCMinutes()),
    );
  };
}

/** Far enough from the last whole run: whole days by the wall clock where there is an `at`, else by time that passed. */
export function farEnough(item: Item, last: Minute, now: Minute): boolean {
  const passed =
    item.at !== undefined && item.frequency % 86_400 === 0 ? now.wall - last.wall : now.instant - last.instant;
  return passed >= item.frequency * 1000;
}

export interface Run {
  instant: number;
  onlyFailed: boolean;
}

/** The runs of an installation whose runs take no time; `fails` tells of the nth run whether it fails. */
export function specifiedRuns(item: Item, minutes: Minute[], fails: (run: number) => boolean): Run[] {
  const matches = matcherOf(item.at);
  const runs: Run[] = [];
  let lastWhole: Minute | undefined;
  let failedInARow = 0;
  let lastFailure = 0;
  for (const minute of minutes) {
    if (!matches(minute.wall)) continue;
    const isWhole = !lastWhole || farEnough(item, lastWhole, minute);
    const pause = Math.min(5 * 60 * 2 ** (failedInARow - 1), item.frequency) * 1000;
    const isRetry = failedInARow > 0 && minute.instant - lastFailure >= pause;
    if (!isWhole && !isRetry) continue;
    if (isWhole) lastWhole = minute;
    runs.push({ instant: minute.instant, onlyFailed: !isWhole });
    if (fails(runs.length - 1)) {
      failedInARow += 1;
      lastFailure = minute.instant;
    } else failedInARow = 0;
  }
  return runs;
}

/** Whether an EventBridge cron in UTC fires at an instant; month and year have to be `*`. */
export function cronOf(expression: string): (instant: number) => boolean {
  const [minutes = '', hours = '', dom = '', month = '', dow = '', year = ''] =
    /^cron\((.*)\)$/.exec(expression)?.[1]?.split(' ') ?? [];
  if (month !== '*' || year !== '*' || (dom === '?') === (dow === '?')) throw new Error(`no such cron: ${expression}`);
  if (dom !== '?' && dom !== '*') throw new Error(`no such cron: ${expression}`);
  const number = (text: string): number => (/^\d+$/.test(text) ? Number(text) : DAYS.indexOf(text.toLowerCase()));
  const read = (field: string, size: number): Set<number> => {
    const has = (value: number): boolean =>
      field.split(',').some((part) => {
        if (part === '*' || part === '?') return true;
        const [start = '', step] = part.split('/');
        if (step !== undefined) return value >= number(start) && (value - number(start)) % Number(step) === 0;
        const [first = '', last = first] = start.split('-');
        return value >= number(first) && value <= number(last);
      });
    return new Set(Array.from({ length: size }, (_, value) => value).filter(has));
  };
  const [inMinutes, inHours, onDays] = [read(minutes, 60), read(hours, 24), read(dow, 7)];
  return (instant) => {
    const date = new Date(instant);
    return inMinutes.has(date.getUTCMinutes()) && inHours.has(date.getUTCHours()) && onDays.has(date.getUTCDay());
  };
}
