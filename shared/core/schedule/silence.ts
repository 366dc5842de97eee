import type { GateMemory, Timing } from '../../model/schedule.ts';
import { lastWholeTick } from './gate.ts';
import { preview, scheduledText } from './preview.ts';

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
  const last = lastWholeTick(memory);
  const known = Number.isFinite(last) ? scheduledText(last) : null;
  const [due = Number.POSITIVE_INFINITY] = preview(timing, Math.max(since, last + MINUTE), known, 1);
  return due + GRACE < now && heard < due;
}
