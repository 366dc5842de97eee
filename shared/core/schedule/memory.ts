import type { Failures, GateMemory, Tick, TickOutcome } from '../../model/schedule.ts';

const later = (a: string | null, b: string): string => (a !== null && Date.parse(a) > Date.parse(b) ? a : b);

/** Runs that never tell of their end must not make the memory grow. */
const MOST_OPEN = 20;

/** The memory once a tick that `isDue` let through has been claimed. */
export const claimTick = (memory: GateMemory, tick: Tick): GateMemory => ({
  ...memory,
  version: memory.version + 1,
  claimed: tick,
  open: [...memory.open, tick].slice(-MOST_OPEN),
});

function failuresAfter({ failures, lastSuccess }: GateMemory, tick: Tick, everything: boolean): Failures {
  const { scheduledTime, onlyFailed } = tick;
  const known = failures?.wholeTick ?? null;
  return {
    count: (failures?.count ?? 0) + 1,
    lastScheduledTime: later(failures?.lastScheduledTime ?? null, scheduledTime),
    wholeTick: onlyFailed ? (known ?? lastSuccess ?? scheduledTime) : later(known, scheduledTime),
    // A retry that broke off leaves to do what it had to do.
    everything: everything && (!onlyFailed || (failures?.everything ?? true)),
  };
}

/**
 * The memory once a run that a tick started has ended. A retry that succeeds completes the whole tick it repeats, which
 * counts as the one that succeeded: the rhythm stays what it was.
 *
 * Ticks may end in any order, as a run may outlast its successor.
 *
 * @param outcome a tick that found nothing to do, or no table free, succeeded
 * @returns null where the run's tick has been settled already
 */
export function settleTick(memory: GateMemory, runId: string, outcome: TickOutcome): GateMemory | null {
  const tick = memory.open.find((one) => one.runId === runId);
  if (!tick) return null;
  const { failures, lastSuccess } = memory;
  const next = { ...memory, version: memory.version + 1, open: memory.open.filter((one) => one !== tick) };
  if (outcome !== 'succeeded') return { ...next, failures: failuresAfter(memory, tick, outcome === 'broke-off') };
  const failedLater = failures !== null && Date.parse(failures.lastScheduledTime) > Date.parse(tick.scheduledTime);
  const completed = tick.onlyFailed ? (failedLater ? null : failures?.wholeTick) : tick.scheduledTime;
  return {
    ...next,
    lastSuccess: completed ? later(lastSuccess, completed) : lastSuccess,
    failures: failedLater ? failures : null,
  };
}

/** The part of an UpdateCommand (of lib-dynamodb) that goes with a table's name and a key. */
export interface ConditionalWrite {
  UpdateExpression: string;
  ConditionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues: Record<string, unknown>;
}

/**
 * The conditional write (for UpdateItem) that replaces the memory which a decision was based on. It fails with
 * ConditionalCheckFailedException if anybody has written since: then read, and ask the gate, again. So of two that
 * deliver one tick, or two ticks at once, one claims and the other finds the tick claimed.
 */
export function memoryWrite(seen: GateMemory, next: GateMemory): ConditionalWrite {
  const write = {
    UpdateExpression: 'SET #gate = :next',
    ExpressionAttributeNames: { '#gate': 'gate' },
    ExpressionAttributeValues: { ':next': next },
  };
  if (seen.version === 0) return { ...write, ConditionExpression: 'attribute_not_exists(#gate)' };
  return {
    ...write,
    ConditionExpression: '#gate.#version = :seen',
    ExpressionAttributeNames: { ...write.ExpressionAttributeNames, '#version': 'version' },
    ExpressionAttributeValues: { ...write.ExpressionAttributeValues, ':seen': seen.version },
  };
}
