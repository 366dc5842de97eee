import type { GateMemory, Timing } from '../../model/schedule.ts';
import type { GateCode } from '../../model/tick.ts';
import { FIRST_PAUSE, matchesAt } from './match.ts';
import { wallAt, wallText } from './zone.ts';

const DAY = 86_400_000;

/** A tick is skipped with a code for its history, and a sentence that people read. */
export type Verdict = { due: true; onlyFailed?: true } | { due: false; code: GateCode; reason: string };

export type GateInput = { scheduledTime: string } & Pick<GateMemory, 'lastSuccess' | 'failures' | 'claimed' | 'open'>;

const skip = (code: GateCode, reason: string): Verdict => ({ due: false, code, reason });

const latest = (times: (string | null | undefined)[]): number =>
  times.reduce((newest, time) => (time ? Math.max(newest, Date.parse(time)) : newest), Number.NEGATIVE_INFINITY);

/** The last whole tick, in epoch milliseconds: succeeded, failed or still running; -Infinity before the first. */
export const lastWholeTick = ({ lastSuccess, failures, claimed }: Omit<GateInput, 'scheduledTime'>): number =>
  latest([lastSuccess, failures?.wholeTick, claimed?.onlyFailed ? null : claimed?.scheduledTime]);

/**
 * Milliseconds that count towards `frequency`. With `at`, a frequency of whole days counts days of the zone's calendar,
 * by its wall clock: `every day at 9:00` also runs on the day that has 23 hours. Everything else is time that passed.
 */
function elapsed({ at, frequency, timezone }: Timing, from: number, to: number): number {
  const byCalendar = at !== undefined && (frequency * 1000) % DAY === 0 && Number.isFinite(from);
  return byCalendar ? wallAt(timezone, to).clock - wallAt(timezone, from).clock : to - from;
}

/** Milliseconds to wait after the nth failure in a row: 5, 10, 20 … minutes, at most `frequency`. */
const pauseAfter = (count: number, frequency: number): number =>
  Math.min(FIRST_PAUSE * 60 * 2 ** (count - 1), frequency) * 1000;

/**
 * Whether a tick runs. It does if its *scheduled* time matches `at` and lies at least `frequency` after the last whole
 * tick – one that succeeded, or that still runs: how long a run takes, when its tick was delivered and when the schedule
 * was edited make no difference. As ticks are whole minutes, 90 seconds are two minutes, always.
 *
 * A failed whole tick counts for the tables that succeeded: they are due at their usual time. For those that
 * failed the gate stays open, in growing pauses from failure to failure; the next whole tick includes them.
 *
 * Every tick that is found due has to be claimed (`memory.ts`) before anything is done.
 */
export function isDue(timing: Timing, input: GateInput): Verdict {
  const { failures, claimed, open } = input;
  const tick = Date.parse(input.scheduledTime);
  if (!timing.enabled) return skip('disabled', 'the schedule is disabled');
  if (!matchesAt(timing, tick)) {
    return skip('outside-at', `${wallText(timing.timezone, tick)} is outside of at "${timing.at}"`);
  }
  if (claimed && tick <= Date.parse(claimed.scheduledTime)) {
    return skip('claimed', `this tick or a later one (${claimed.scheduledTime}) has been claimed already`);
  }
  const whole = lastWholeTick(input);
  if (elapsed(timing, whole, tick) >= timing.frequency * 1000) return { due: true };
  if (!failures) {
    const last = new Date(whole).toISOString();
    return skip('too-soon', `less than ${timing.frequency} seconds have passed since the tick of ${last}`);
  }
  if (claimed && open.some(({ runId }) => runId === claimed.runId))
    return skip('retry-running', `the tick of ${claimed.scheduledTime} is still running`);
  const pause = pauseAfter(failures.count, timing.frequency);
  const since = tick - Date.parse(failures.lastScheduledTime);
  if (since >= pause) return { due: true, onlyFailed: true };
  return skip('retry-later', `after failure ${failures.count} the pause is ${Math.ceil(pause / 60_000)} minutes`);
}
