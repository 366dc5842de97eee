import * as z from 'zod';
import { readAt } from './at.ts';
import { parseInWords, problemsOf } from './problems.ts';

/** EventBridge Scheduler ticks once a minute at the most. */
export const LEAST_FREQUENCY = 60;
/** A leap year; whatever is rarer is a slip of the keyboard. */
export const MOST_FREQUENCY = 366 * 86_400;

const shown = (value: unknown): string => (typeof value === 'number' ? String(value) : JSON.stringify(value));

function frequencyProblem(value: number): string | undefined {
  if (!Number.isInteger(value)) return `is ${value}: give whole seconds, for example 90`;
  if (value <= 0) return `is ${value}: give the seconds between two runs, for example 300 for every five minutes`;
  if (value < LEAST_FREQUENCY) {
    return `is ${value}: EventBridge Scheduler ticks once a minute at the most, so give ${LEAST_FREQUENCY} or more`;
  }
  if (value > MOST_FREQUENCY) return `is ${value}: give at most ${MOST_FREQUENCY}, which is a year`;
  return undefined;
}

/** Seconds from the scheduled time of one run to that of the next. */
export const Frequency = z
  .number({
    error: ({ input }) =>
      input === undefined
        ? 'is missing: give the seconds between two runs, for example 300 for every five minutes'
        : `is ${shown(input)}: give a number of seconds, for example 300 for every five minutes`,
  })
  .superRefine((value, context) => {
    const problem = frequencyProblem(value);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });

/** When it may run, on the wall clock of the schedule's zone; any minute where it is left out. */
export const AtText = z
  .string({ error: ({ input }) => `is ${shown(input)}: give a text, for example "9:30", or leave it out` })
  .max(500, { abort: true, error: 'is longer than 500 characters: use **:MM or HH:**, or several schedules' })
  .superRefine((text, context) => {
    for (const problem of readAt(text).problems) context.addIssue({ code: 'custom', message: problem });
  });

/** Offsets such as +01:00, which Intl takes as well, know no daylight saving time and are hardly ever what is meant. */
function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function zoneProblem(name: string): string {
  const word = (name.split('/').at(-1) ?? '').replaceAll(' ', '_').toLowerCase();
  const start = word.slice(0, 4);
  const near = Intl.supportedValuesOf('timeZone').filter((zone) => {
    const city = (zone.split('/').at(-1) ?? '').toLowerCase();
    return start.length > 2 && city.startsWith(start);
  });
  const examples = near.length > 0 ? near.slice(0, 3).join(' or ') : 'Europe/London or UTC';
  return `is "${name}", which is no IANA time zone: write ${examples}`;
}

export const Timezone = z
  .string({
    error: ({ input }) => `is ${shown(input)}: give the name of an IANA time zone, for example "Europe/London"`,
  })
  .superRefine((name, context) => {
    if (!isZone(name)) context.addIssue({ code: 'custom', message: zoneProblem(name) });
  });

const nameRule = 'takes 1 to 64 printable characters with no blank at either end';

/** When a job runs. The item in the configuration table is the truth; EventBridge Scheduler follows it. */
export const Schedule = z.object({
  jobId: z.string().min(1),
  /** With the job's id it makes the name at EventBridge Scheduler, which ends at 64 characters. */
  scheduleId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,19}$/, 'takes 1 to 20 of a-z, 0-9 and -'),
  /** For people; one job's schedules have different names. */
  name: z.string().regex(/^[^\p{C}\p{Z}](?:[^\p{C}]{0,62}[^\p{C}\p{Z}])?$/u, nameRule),
  frequency: Frequency,
  at: AtText.optional(),
  timezone: Timezone.default('UTC'),
  enabled: z.boolean({ error: ({ input }) => `is ${shown(input)}: give true or false` }).default(true),
});

export type Schedule = z.infer<typeof Schedule>;

/**
 * Reads a schedule's item, which a person may have edited by any means.
 * @param key what the item's own key says
 * @returns the schedule, or what is wrong with it
 */
export function readSchedule(item: unknown, key: Pick<Schedule, 'jobId' | 'scheduleId'>): Schedule | string {
  const parsed = parseInWords(Schedule, item);
  if (!parsed.success) return problemsOf(parsed.error);
  const other = (['jobId', 'scheduleId'] as const).find((name) => parsed.data[name] !== key[name]);
  return other
    ? `${other} is "${parsed.data[other]}", but its item's key says "${key[other]}": make them the same`
    : parsed.data;
}

/** While it lasts no schedule of the installation runs. */
export interface Pause {
  /** A person's words; may be empty. */
  reason: string;
  /** ISO, UTC; empty where the item was made by hand. */
  since: string;
}

/** The part of a schedule that says when. */
export type Timing = Pick<Schedule, 'frequency' | 'at' | 'timezone' | 'enabled'>;

/** The schedule among `others` that already bears this name (whatever its letters' case), if there is one. */
export const sameName = <T extends Pick<Schedule, 'jobId' | 'scheduleId' | 'name'>>(
  schedule: Pick<Schedule, 'jobId' | 'scheduleId' | 'name'>,
  others: readonly T[],
): T | undefined =>
  others.find(
    (other) =>
      other.jobId === schedule.jobId &&
      other.scheduleId !== schedule.scheduleId &&
      other.name.toLowerCase() === schedule.name.toLowerCase(),
  );

/** A tick that was found due. All times of ticks are *scheduled* times, `2026-03-29T01:05:00Z`, as Scheduler writes them. */
export interface Tick {
  scheduledTime: string;
  /** The run that the tick started. */
  runId: string;
  /** A retry, for the tables that failed; otherwise a whole tick, for all tables of the job. */
  onlyFailed: boolean;
}

/** What the gate remembers of a schedule's ticks; an item of its own, so that a tick is no edit of the schedule. */
export interface GateMemory {
  /** Rises by one with every write; 0 before the first. */
  version: number;
  /** The last whole tick that succeeded, at once or by a retry. */
  lastSuccess: string | null;
  /** What has failed since; gone with the next success. */
  failures: Failures | null;
  /** The newest tick that was claimed. */
  claimed: Tick | null;
  /** The ticks whose runs have not ended, oldest first: each is settled once, by the run's id. */
  open: Tick[];
}

export interface Failures {
  count: number;
  lastScheduledTime: string;
  wholeTick: string;
  /** Whether the run failed as a whole, so that nothing says of a table that it went well. */
  everything: boolean;
}

/** How a tick's run ended: all tables well, some failed, or the run as a whole (crashed, stopped, source away). */
export type TickOutcome = 'succeeded' | 'failed' | 'broke-off';

/** Before the first tick. */
export const NO_TICKS: GateMemory = { version: 0, lastSuccess: null, failures: null, claimed: null, open: [] };
