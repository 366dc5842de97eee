import type { GateMemory, Tick } from '../../model/schedule.ts';

const later = (a: string | null, b: string): string => (a !== null && Date.parse(a) > Date.parse(b) ? a : b);

/** The memory once a tick that `isDue` let through has been claimed. */
export const claimTick = (memory: GateMemory, tick: Tick): GateMemory => ({
  ...memory,
  version: memory.version + 1,
  claimed: { scheduledTime: tick.scheduledTime, onlyFailed: tick.onlyFailed, running: true },
});

function failuresAfter({ failures, lastSuccess }: GateMemory, { scheduledTime, onlyFailed }: Tick) {
  const known = failures?.wholeTick ?? null;
  return {
    count: (failures?.count ?? 0) + 1,
    lastScheduledTime: later(failures?.lastScheduledTime ?? null, scheduledTime),
    wholeTick: onlyFailed ? (known ?? lastSuccess ?? scheduledTime) : later(known, scheduledTime),
  };
}

/**
 * The memory once a claimed tick has ended. A retry that succeeds completes the whole tick it repeats, which counts as
 * the one that succeeded: the rhythm stays what it was. A run that was aborted or crashed has failed.
 *
 * Ticks may end in any order, as a run may outlast its successor.
 *
 * @param outcome `failed` if at least one table did; a tick that found nothing to do, or no table free, succeeded
 */
export function settleTick(memory: GateMemory, tick: Tick, outcome: 'succeeded' | 'failed'): GateMemory {
  const { claimed, failures, lastSuccess } = memory;
  const isNewest = claimed?.scheduledTime === tick.scheduledTime;
  const next = {
    ...memory,
    version: memory.version + 1,
    claimed: isNewest && claimed ? { ...claimed, running: false } : claimed,
  };
  if (outcome === 'failed') return { ...next, failures: failuresAfter(memory, tick) };
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
