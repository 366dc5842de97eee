import { errors } from './errors.ts';

/** Names that stand in front of a time, in the order of Date.getUTCDay(). */
export const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;

/** One time of an `at`; null stands for any. At least one of hour and minute is given. */
export interface AtTime {
  /** 0 is Sunday. */
  weekday: number | null;
  /** 0 to 23. */
  hour: number | null;
  /** 0 to 59. */
  minute: number | null;
}

const FORMS = 'write 9:30, **:30, 09:** or Monday 9:30';

const weekdayOf = (name: string): number =>
  WEEKDAYS.findIndex((day) => [day, day.slice(0, 3)].some((known) => known.toLowerCase() === name.toLowerCase()));

function readTime(text: string): AtTime | string {
  const named = /^(\p{L}+)\s+(.*)$/su.exec(text);
  if (named) {
    const [, name = '', rest = ''] = named;
    const time = readTime(rest);
    if (/^\p{L}/u.test(rest)) return `has two words in front of its time; ${FORMS}`;
    const weekday = weekdayOf(name);
    if (weekday < 0) {
      const right = typeof time === 'string' ? '9:30' : rest;
      return `begins with "${name}", which is no weekday; write Monday ${right}, or Mon ${right}`;
    }
    return typeof time === 'string' ? time : { ...time, weekday };
  }
  if (/^\*{1,2}:\*{1,2}$/.test(text)) return 'is every minute; leave `at` out and give `frequency` alone';
  const [, hourText, minuteText] = /^(\d{1,2}|\*{1,2}):(\d\d|\*\*)$/.exec(text) ?? [];
  if (hourText === undefined || minuteText === undefined) return `is not a time; ${FORMS}`;
  const hour = hourText.startsWith('*') ? null : Number(hourText);
  const minute = minuteText === '**' ? null : Number(minuteText);
  if (hour !== null && hour > 23) return `has the hour ${hourText}, but hours end at 23; write 23:${minuteText}`;
  if (minute !== null && minute > 59)
    return `has the minute ${minuteText}, but minutes end at 59; write ${hourText}:59`;
  return { weekday: null, hour, minute };
}

/**
 * Reads an `at` in Clockwork's grammar (github.com/Rykian/clockwork, lib/clockwork/at.rb): `HH:MM`, `H:MM`, `**:MM`,
 * `*:MM`, `HH:**`, each with an optional weekday (`Mon`, `monday`) in front, several separated by commas.
 *
 * Narrower than Clockwork in one point: its range check has a slip in operator precedence and takes 25:00.
 *
 * @returns the times in the order written, and a sentence for every part that is none
 */
export function readAt(text: string): { times: AtTime[]; problems: string[] } {
  const parts = text.split(',').map((part) => part.trim());
  const kept = parts.filter((part) => part !== '');
  if (kept.length === 0) {
    return { times: [], problems: [`"${text}" names no time; ${FORMS}, or leave \`at\` out`] };
  }
  const times: AtTime[] = [];
  const problems: string[] = [];
  if (kept.length < parts.length) {
    problems.push(`"${text}" has a comma with no time beside it; write ${kept.join(',')}`);
  }
  for (const part of kept) {
    const time = readTime(part);
    if (typeof time === 'string') problems.push(`"${part}" ${time}`);
    else times.push(time);
  }
  return { times, problems };
}

/** @throws BadConfiguration that quotes each offending part and shows a right one */
export function parseAt(text: string): AtTime[] {
  const { times, problems } = readAt(text);
  if (problems.length > 0) throw errors.badConfiguration(`at: ${problems.join('; ')}`);
  return times;
}
