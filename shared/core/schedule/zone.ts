import { WEEKDAYS } from '../../model/at.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timezone: string): Intl.DateTimeFormat {
  let format = formats.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
    formats.set(timezone, format);
  }
  return format;
}

const QUARTER = 15 * 60_000;
/** The quarter hour last asked for in each zone: Intl takes 20 µs, a preview asks a thousand times in a row. */
const lastAsked = new Map<string, { quarter: number; offset: number }>();

/**
 * Minutes by which the zone's wall clock is ahead of UTC; clocks are moved at full quarters of an hour.
 *
 * @param timezone an IANA name
 * @param instant epoch milliseconds
 * @throws RangeError for an unknown zone
 */
export function offsetAt(timezone: string, instant: number): number {
  const quarter = Math.floor(instant / QUARTER);
  const known = lastAsked.get(timezone);
  if (known?.quarter === quarter) return known.offset;
  const offset = readOffset(timezone, quarter * QUARTER);
  lastAsked.set(timezone, { quarter, offset });
  return offset;
}

function readOffset(timezone: string, instant: number): number {
  const parts = formatOf(timezone).formatToParts(instant);
  const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  if (sign === undefined) return 0;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

const DAY = 86_400_000;
/** The shortest time that any zone keeps an offset nowadays is Ramadan in Morocco: four weeks and more. */
const LOOK_EVERY = 7 * DAY;

/**
 * All offsets that the zone has from a year before to a year after `now`, ascending, in minutes.
 *
 * @param now epoch milliseconds
 */
export function offsetsAround(timezone: string, now: number): number[] {
  const offsets = new Set<number>();
  for (let instant = now - 366 * DAY; instant <= now + 366 * DAY; instant += LOOK_EVERY) {
    offsets.add(offsetAt(timezone, instant));
  }
  return [...offsets].sort((a, b) => a - b);
}

/** What a clock on the wall shows. */
export interface Wall {
  weekday: number;
  hour: number;
  minute: number;
  /** Milliseconds of the wall clock, to subtract one from another: a day on it has 24 hours always. */
  clock: number;
}

/** @param instant epoch milliseconds */
export function wallAt(timezone: string, instant: number): Wall {
  const clock = instant + offsetAt(timezone, instant) * 60_000;
  const date = new Date(clock);
  return { weekday: date.getUTCDay(), hour: date.getUTCHours(), minute: date.getUTCMinutes(), clock };
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `Mon 2026-11-23 09:05 +00:00`: a tick as people in the zone read it. */
export function wallText(timezone: string, instant: number): string {
  const { weekday, clock } = wallAt(timezone, instant);
  const offset = offsetAt(timezone, instant);
  const ahead = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const [date, time] = new Date(clock).toISOString().split('T');
  return `${WEEKDAYS[weekday]?.slice(0, 3)} ${date} ${time?.slice(0, 5)} ${ahead}`;
}
