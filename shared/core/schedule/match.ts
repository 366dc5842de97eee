import { type AtTime, parseAt } from '../../model/at.ts';
import type { Timing } from '../../model/schedule.ts';
import { type Wall, wallAt } from './zone.ts';

const MINUTE = 60_000;

/** The first pause after a failure, in minutes; all later ones are its multiples, or `frequency` itself. */
export const FIRST_PAUSE = 5;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Whether the wall clock shows one of these times. A time inside the spring gap never shows; one in the hour that
 * autumn repeats shows twice, and `frequency` decides whether it counts twice. */
export const shows = (times: readonly AtTime[], wall: Pick<Wall, 'weekday' | 'hour' | 'minute'>): boolean =>
  times.some(
    (time) =>
      (time.weekday === null || time.weekday === wall.weekday) &&
      (time.hour === null || time.hour === wall.hour) &&
      (time.minute === null || time.minute === wall.minute),
  );

/**
 * Every how many minutes a tick is needed where `at` doesn't name the minute. Runs lie `frequency` apart and retries
 * 5, 10, 20 … minutes (or `frequency`) after a failure, so all lie on the grid of the two's greatest common divisor.
 *
 * @returns 1, 2, 3, 4 or 5: each divides the hour, so that a cron can say it
 */
export function tickStep({ frequency, at }: Pick<Timing, 'frequency' | 'at'>): number {
  const minutes = Math.ceil(frequency / 60);
  const step = minutes < FIRST_PAUSE ? minutes : gcd(minutes, FIRST_PAUSE);
  if (at === undefined) return step;
  // A run at 08:58 shifts those of 09:** after it. Thirty: Lord Howe's clock moves by half an hour.
  const named = parseAt(at).flatMap((time) => (time.minute === null ? [] : [time.minute]));
  return named.reduce(gcd, gcd(step, 30));
}

/** Whether the zone's wall clock shows a time of `at` at this instant (epoch milliseconds). */
export const matchesAt = ({ at, timezone }: Pick<Timing, 'at' | 'timezone'>, instant: number): boolean =>
  at === undefined || shows(parseAt(at), wallAt(timezone, instant));

/**
 * The schedule's next tick: a whole minute that `at` matches and that lies on the grid of `tickStep`, which is counted
 * from the full hour – UTC's without `at`, the wall clock's with it. Which ticks run is the gate's decision.
 *
 * @param from epoch milliseconds; a tick at this very instant counts
 */
export function nextTick(timing: Timing, from: number): number {
  const step = tickStep(timing);
  if (timing.at === undefined) return Math.ceil(from / (step * MINUTE)) * step * MINUTE;
  const times = parseAt(timing.at);
  let instant = Math.ceil(from / MINUTE) * MINUTE;
  for (;;) {
    const wall = wallAt(timing.timezone, instant);
    const inHour = times.filter((time) => shows([{ ...time, minute: null }], wall));
    if (inHour.length > 0) {
      if (wall.minute % step === 0 && shows(inHour, wall)) return instant;
      instant += MINUTE;
    } else instant = skipHour(timing.timezone, instant, wall);
  }
}

/** The next full hour on the wall, or the next minute where the clock is moved before that. */
function skipHour(timezone: string, instant: number, wall: Wall): number {
  const skipped = (60 - wall.minute) * MINUTE;
  const landed = instant + skipped;
  return wallAt(timezone, landed).clock === wall.clock + skipped ? landed : instant + MINUTE;
}
