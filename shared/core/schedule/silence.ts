import type { GateMemory, Timing } from '../../model/schedule.ts';
import { lastTickOf, preview } from './preview.ts';

const MINUTE = 60_000;
/** A tick may be delivered late, and its plan be tried again, before anybody need be told. */
const GRACE = 15 * MINUTE;

/**
 * Whether a tick that should have run has not been heard of.
 *
 * @param since epoch milliseconds: when Scheduler was last told of the schedule
 * @param heard epoch milliseconds of the job's newest tick that was heard of, skipped or not; -Infinity before the first
 */
export function isSilent(
  timing: Timing,
  memory: Pick<GateMemory, 'lastSuccess' | 'failures' | 'claimed' | 'open'>,
  { since, heard, now }: { since: number; heard: number; now: number },
): boolean {
  if (!timing.enabled) return false;
  const last = lastTickOf(memory);
  const from = last === null ? since : Math.max(since, Date.parse(last) + MINUTE);
  const [due = Number.POSITIVE_INFINITY] = preview(timing, from, last, 1);
  return due + GRACE < now && heard < due;
}
