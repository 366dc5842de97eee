import { offsetAt } from '../../shared/core/schedule/zone.ts';
import { ServiceError } from '../service.ts';

const MINUTE = 60_000;

/** Whether a schedule fires at a whole minute (epoch milliseconds). */
export type Fires = (minute: number) => boolean;

/**
 * A schedule expression as EventBridge Scheduler reads it ("Schedule types", EventBridge Scheduler User Guide): `rate`,
 * `cron` with six fields, `at`. In a zone's spring gap a cron is skipped, in its repeated hour it fires once.
 *
 * @param began epoch milliseconds: a rate counts from there, and fires at once
 * @throws ServiceError ValidationException
 */
export function parseExpression(text: string, timezone: string, began: number): Fires {
  checkZone(timezone);
  const [, kind, body = ''] = /^(rate|cron|at)\((.*)\)$/.exec(text) ?? [];
  if (kind === 'rate') return rate(text, body, began);
  if (kind === 'cron') return cron(text, body, timezone);
  if (kind === 'at') return once(text, body, timezone);
  throw invalid(text);
}

const invalid = (text: string): ServiceError =>
  new ServiceError('ValidationException', `Invalid Schedule Expression ${text}.`);

/** An IANA name; Intl also takes offsets, which Scheduler does not. */
function checkZone(timezone: string): void {
  try {
    if (!/^[A-Za-z]/.test(timezone)) throw new RangeError();
    new Intl.DateTimeFormat('en-US', { timeZone: timezone });
  } catch {
    throw new ServiceError('ValidationException', `Invalid Schedule Expression Timezone ${timezone}.`);
  }
}

const UNITS: Record<string, number> = { minute: MINUTE, hour: 60 * MINUTE, day: 1440 * MINUTE };

function rate(text: string, body: string, began: number): Fires {
  const [, count, unit = ''] = /^([1-9]\d*) (minute|hour|day)s?$/.exec(body) ?? [];
  const every = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (!Number.isFinite(every)) throw invalid(text);
  const first = Math.ceil(began / MINUTE) * MINUTE;
  return (minute) => minute >= first && (minute - first) % every === 0;
}

function once(text: string, body: string, timezone: string): Fires {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(body)) throw invalid(text);
  const wanted = Date.parse(`${body}Z`);
  if (Number.isNaN(wanted)) throw invalid(text);
  return (minute) => wallOf(timezone, minute) === Math.floor(wanted / MINUTE) * MINUTE;
}

/** The wall clock as milliseconds. */
const wallOf = (timezone: string, instant: number): number => instant + offsetAt(timezone, instant) * MINUTE;

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  name: string;
  first: number;
  last: number;
  names?: string[];
  any?: boolean;
}

const FIELDS: Field[] = [
  { name: 'minutes', first: 0, last: 59 },
  { name: 'hours', first: 0, last: 23 },
  { name: 'day-of-month', first: 1, last: 31, any: true },
  { name: 'month', first: 1, last: 12, names: MONTHS },
  { name: 'day-of-week', first: 1, last: 7, names: DAYS, any: true },
  { name: 'year', first: 1970, last: 2199 },
];

function cron(text: string, body: string, timezone: string): Fires {
  const parts = body.split(/\s+/);
  if (parts.length !== FIELDS.length) throw invalid(text);
  const sets = FIELDS.map((field, i) => readField(text, field, parts[i] ?? ''));
  // "You can't use * in both the Day-of-month and Day-of-week fields": one of them has to be ?.
  if ((parts[2] === '?') === (parts[4] === '?')) throw invalid(text);
  return (instant) => {
    const wall = wallOf(timezone, instant);
    const date = new Date(wall);
    const shown = [
      date.getUTCMinutes(),
      date.getUTCHours(),
      date.getUTCDate(),
      date.getUTCMonth() + 1,
      date.getUTCDay() + 1,
      date.getUTCFullYear(),
    ];
    return sets.every((set, i) => set === null || set.has(shown[i] ?? -1)) && !isRepeated(timezone, instant, wall);
  };
}

/** Whether the wall showed this time before, as it does in autumn. Clocks are moved by two hours at the most. */
function isRepeated(timezone: string, instant: number, wall: number): boolean {
  const before = offsetAt(timezone, instant - 180 * MINUTE);
  const moved = (before - offsetAt(timezone, instant)) * MINUTE;
  return moved > 0 && wallOf(timezone, instant - moved) === wall;
}

/** The values of one field; null where it is `?`. */
function readField(text: string, field: Field, part: string): Set<number> | null {
  if (part === '?' && field.any) return null;
  if (field.any && /[LW#]/.test(part) && !(field.names ?? []).some((name) => part.toUpperCase().includes(name)))
    throw new ServiceError(
      'ValidationException',
      `${part} in ${field.name} is not supported by the local EventBridge Scheduler`,
    );
  const values = part.split(',').map((entry) => readEntry(field, entry));
  if (values.some((list) => list === undefined || list.length === 0)) throw invalid(text);
  return new Set(values.flatMap((list) => list ?? []));
}

/** `*`, `5`, `MON`, `1-5`, `0/15`, `10-50/20`. */
function readEntry({ first, last, names = [] }: Field, entry: string): number[] | undefined {
  const number = (value: string): number => {
    const named = names.indexOf(value.toUpperCase());
    return named >= 0 ? named + first : /^\d+$/.test(value) ? Number(value) : Number.NaN;
  };
  const [, from = '', to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(entry) ?? [];
  const low = from === '*' ? first : number(from);
  const high = to !== undefined ? number(to) : from === '*' || step !== undefined ? last : low;
  const by = step === undefined ? 1 : Number(step);
  if (!(low >= first && high <= last && low <= high && by >= 1)) return undefined;
  return Array.from({ length: Math.floor((high - low) / by) + 1 }, (_, i) => low + i * by);
}
