import type { Catcher, Retrier } from './definition.ts';
import { matches } from './errors.ts';

/**
 * The retry that an error calls for. `used` counts the retries of each retrier since the state was entered: a retrier's
 * budget spans all visits to it, whatever errors came between (Developer Guide, "Complex retry scenario").
 * @param random a number in [0, 1), used where the retrier asks for jitter
 * @returns the wait in milliseconds and the retrier's place, or undefined when no retrier applies any more
 */
export function nextRetry(
  retriers: readonly Retrier[],
  used: ReadonlyMap<number, number>,
  error: string,
  random: number,
): { retrier: number; waitMs: number } | undefined {
  const place = retriers.findIndex((retrier) => matches(retrier.ErrorEquals, error));
  const retrier = retriers[place];
  const spent = used.get(place) ?? 0;
  if (!retrier || spent >= retrier.MaxAttempts) return undefined;
  const backoff = retrier.IntervalSeconds * retrier.BackoffRate ** spent;
  const seconds = Math.min(backoff, retrier.MaxDelaySeconds ?? Number.POSITIVE_INFINITY);
  return { retrier: place, waitMs: seconds * 1000 * (retrier.JitterStrategy === 'FULL' ? random : 1) };
}

/** The catcher that an error goes to, if any. */
export const catcherOf = (catchers: readonly Catcher[], error: string): Catcher | undefined =>
  catchers.find((catcher) => matches(catcher.ErrorEquals, error));
