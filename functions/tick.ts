import * as z from 'zod';
import type { Ticks } from '../shared/aws/ticks.ts';
import { admit } from '../shared/core/schedule/admit.ts';
import { settleTick } from '../shared/core/schedule/memory.ts';
import { errors } from '../shared/model/errors.ts';
import type { Run } from '../shared/model/run.ts';
import type { TickOutcome } from '../shared/model/schedule.ts';
import { type SkipCode, tickExpiry } from '../shared/model/tick.ts';
import type { Edge } from './edge.ts';

/** What started an execution. */
export const Trigger = z.object({
  /** `schedule`, `hand`, or whatever else people write. */
  trigger: z.string().default('hand'),
  /** The schedule whose tick it is; absent for a run by hand. */
  scheduleId: z.string().nullish(),
  /** When the tick was due; for a run by hand, when it was asked for. */
  scheduledTime: z.string().nullish(),
});

export type Trigger = z.infer<typeof Trigger>;

export type Admitted =
  /** `onlyFailed`: the tables that are well have had their tick. */
  { skipped: null; onlyFailed: boolean } | { skipped: { code: SkipCode; reason: string } };

interface Ticking extends Trigger {
  jobId: string;
  runId: string;
}

/**
 * Decides whether a run may begin. A tick is claimed by a conditional write before anything else is done: delivered
 * twice, or while its twin is running, it runs once. A run by hand is always admitted and leaves no trace in the gate.
 */
export async function admitRun(event: Ticking, ticks: Ticks, edge: Edge): Promise<Admitted> {
  const { jobId, runId, scheduleId, scheduledTime } = event;
  if (!scheduleId) return { skipped: null, onlyFailed: false };
  if (!scheduledTime || Number.isNaN(Date.parse(scheduledTime)))
    throw errors.badConfiguration(
      `a tick's scheduledTime is ${JSON.stringify(scheduledTime)}: give it as Scheduler writes it`,
    );
  for (;;) {
    const facts = await ticks.read(jobId, scheduleId);
    const admission = admit(facts, scheduledTime, runId);
    if (!admission.admitted) {
      const { code, reason } = admission;
      edge.logger.info('tick skipped', { scheduleId, scheduledTime, code, reason });
      // The history of what is deleted is not taken up again.
      if (facts.job && facts.schedule !== null)
        await ticks.record(jobId, { ...entry(scheduleId, scheduledTime, edge), status: 'skipped', code, reason });
      return { skipped: { code, reason } };
    }
    const { tick, claim } = admission;
    // Somebody else has written to the memory: the gate is asked again.
    if (claim && !(await ticks.saveMemory(jobId, scheduleId, facts.memory, claim))) continue;
    return { skipped: null, onlyFailed: tick.onlyFailed && facts.memory.failures?.everything !== true };
  }
}

/** Tells the history that a tick's run is at work, which may take long. */
export async function recordDue(event: Ticking, onlyFailed: boolean, ticks: Ticks, edge: Edge): Promise<void> {
  const { jobId, runId, scheduleId, scheduledTime } = event;
  if (!scheduleId || !scheduledTime) return;
  await ticks.record(jobId, { ...entry(scheduleId, scheduledTime, edge), status: 'due', runId, onlyFailed });
}

/**
 * Tells the gate how a tick's run ended, once its record is complete. Done again, or by several that end the run, it counts
 * once.
 */
export async function settleRun(jobId: string, run: Run, ticks: Ticks, edge: Edge): Promise<void> {
  const { scheduleId, scheduledTime, runId } = run;
  if (!scheduleId || run.status === 'running') return;
  for (;;) {
    const memory = await ticks.readMemory(jobId, scheduleId);
    const next = settleTick(memory, runId, outcomeOf(run));
    if (!next) return;
    await ticks.record(jobId, {
      ...entry(scheduleId, scheduledTime, edge),
      status: 'ran',
      runId,
      outcome: outcomeOf(run),
    });
    if (await ticks.saveMemory(jobId, scheduleId, memory, next)) return;
  }
}

function entry(scheduleId: string, scheduledTime: string, edge: Edge) {
  const now = edge.now();
  return { scheduleId, scheduledTime, at: now.toISOString(), expiresAt: tickExpiry(now) };
}

function outcomeOf({ status, error }: Run): TickOutcome {
  if (status !== 'failed') return 'succeeded';
  return error === undefined ? 'failed' : 'broke-off';
}
