import type { GateMemory, Pause, Schedule, Tick } from '../../model/schedule.ts';
import type { SkipCode } from '../../model/tick.ts';
import { isDue } from './gate.ts';
import { claimTick } from './memory.ts';

/** What a tick finds. */
export interface TickFacts {
  pause: Pause | null;
  /** Null where there is no such job. */
  job: { disabled: boolean } | null;
  /** What is wrong with it where it makes no sense; null where there is none. */
  schedule: Schedule | string | null;
  memory: GateMemory;
}

export type Admission =
  /** `claim` has to be written before anything is done; null where this very run has claimed the tick before. */
  { admitted: true; tick: Tick; claim: GateMemory | null } | { admitted: false; code: SkipCode; reason: string };

const skip = (code: SkipCode, reason: string): Admission => ({ admitted: false, code, reason });

/**
 * Whether a tick starts its run.
 * @param runId of the run that it would start
 */
export function admit(facts: TickFacts, scheduledTime: string, runId: string): Admission {
  const { pause, job, schedule, memory } = facts;
  // A step that failed after it had claimed the tick is tried again.
  const mine = memory.open.find((tick) => tick.runId === runId);
  if (mine) return { admitted: true, tick: mine, claim: null };
  if (!job) return skip('no-job', 'there is no such job any more');
  if (schedule === null) return skip('no-schedule', 'there is no such schedule any more');
  if (pause) return skip('paused', `the installation is paused${pause.reason ? `: ${pause.reason}` : ''}`);
  if (job.disabled) return skip('job-disabled', 'the job is disabled');
  if (typeof schedule === 'string') return skip('unreadable', `the schedule makes no sense: ${schedule}`);
  const verdict = isDue(schedule, { ...memory, scheduledTime });
  if (!verdict.due) return skip(verdict.code, verdict.reason);
  const tick = { scheduledTime, onlyFailed: verdict.onlyFailed ?? false, runId };
  return { admitted: true, tick, claim: claimTick(memory, tick) };
}
