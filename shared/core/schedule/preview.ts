import { NO_TICKS, type Timing } from '../../model/schedule.ts';
import { isDue, lastWholeTick } from './gate.ts';
import { nextTick } from './match.ts';

const MINUTE = 60_000;
/** A day of the calendar may be shorter than 24 hours by what the clock is moved: two hours at the most (Troll). */
const SHORT_DAY = 2 * 60 * MINUTE;

/** A scheduled time as Scheduler writes it: `2026-03-29T01:05:00Z`. */
export const scheduledText = (instant: number): string => new Date(instant).toISOString().replace('.000Z', 'Z');

/** The last whole tick, as `preview` goes on from it: succeeded, failed or still running; null before the first. */
export function lastTickOf(memory: Parameters<typeof lastWholeTick>[0]): string | null {
  const last = lastWholeTick(memory);
  return Number.isFinite(last) ? scheduledText(last) : null;
}

/**
 * The ticks that will run if all succeed, as if the schedule were enabled: the gate itself is asked.
 *
 * @param from epoch milliseconds; a tick at this very instant counts
 * @param lastTick scheduled time of the last whole tick, or null
 * @returns epoch milliseconds, ascending
 */
export function preview(timing: Timing, from: number, lastTick: string | null = null, count = 10): number[] {
  const enabled = { ...timing, enabled: true };
  const ticks: number[] = [];
  let last = lastTick;
  let earliest = from;
  while (ticks.length < count) {
    const notBefore = last === null ? earliest : Date.parse(last) + timing.frequency * 1000 - SHORT_DAY;
    const tick = nextTick(enabled, Math.max(earliest, notBefore));
    earliest = tick + MINUTE;
    const memory = { ...NO_TICKS, lastSuccess: last };
    if (!isDue(enabled, { ...memory, scheduledTime: scheduledText(tick) }).due) {
      continue;
    }
    ticks.push(tick);
    last = scheduledText(tick);
  }
  return ticks;
}
