import assert from 'node:assert/strict';
import { settleTick } from '../../shared/core/schedule/memory.ts';
import type { GateMemory, Tick, TickOutcome } from '../../shared/model/schedule.ts';

/** A tick, whose run is named by its time. */
export const tickAt = (scheduledTime: string, onlyFailed = false): Tick => ({
  scheduledTime,
  onlyFailed,
  runId: `run-of-${scheduledTime}`,
});

/** The memory once this tick, which must not have been settled yet, has ended. */
export function settled(memory: GateMemory, tick: Tick, outcome: TickOutcome): GateMemory {
  const next = settleTick(memory, tick.runId, outcome);
  assert.ok(next, `${tick.scheduledTime} is open`);
  return next;
}
