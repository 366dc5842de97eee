import { isDeepStrictEqual } from 'node:util';
import type { Edits } from '../shared/aws/edits.ts';
import type { Scheduler } from '../shared/aws/scheduler.ts';
import type { Schedules } from '../shared/aws/schedules.ts';
import type { Ticks } from '../shared/aws/ticks.ts';
import { schedulerName } from '../shared/core/schedule/expression.ts';
import { type Follow, follow, followedOf } from '../shared/core/schedule/follow.ts';
import type { Edge } from './edge.ts';

export interface SyncPorts {
  edits: Edits;
  schedules: Schedules;
  ticks: Ticks;
  scheduler: Scheduler;
}

/** Which of a job's schedules: some by their ids, which may have no item any more, and perhaps all that have one. */
export interface Which {
  ids: Set<string>;
  all: boolean;
}

/** Calls of Scheduler at once. Its quotas let pass hundreds a second, the SDK tries again where they are lower. */
const AT_ONCE = 10;

/**
 * Makes Scheduler hold what a job's items say.
 * @throws what Scheduler or DynamoDB fail by, once the SDK has given up
 */
export async function syncJob(jobId: string, which: Which, ports: SyncPorts, edge: Edge): Promise<void> {
  const now = edge.now().getTime();
  const done = new Map<string, Follow | undefined>();
  // Somebody may edit, and another call follow, while this one is at work with what it has read before: until nothing differs.
  for (;;) {
    const known = await read(jobId, ports);
    const changed = [...known.follows].flatMap(([id, { problem }]) => (known.told.get(id) === problem ? [] : [id]));
    const ids = new Set([...which.ids, ...(which.all ? known.follows.keys() : []), ...changed]);
    const left = [...ids].filter((id) => !done.has(id) || !isDeepStrictEqual(done.get(id), known.follows.get(id)));
    if (left.length === 0) return;
    await eachOf(left, AT_ONCE, (id) => syncOne({ jobId, scheduleId: id }, known, ports, now));
    for (const id of left) done.set(id, known.follows.get(id));
  }
}

interface Known {
  follows: Map<string, Follow>;
  /** The problems that stand on the items. */
  told: Map<string, string | null>;
}

async function read(jobId: string, { edits, schedules }: SyncPorts): Promise<Known> {
  const item = await edits.read(jobId, 'JOB');
  const items = await schedules.list(jobId);
  return {
    follows: follow(items, item ? { disabled: item.disabled === true } : null),
    told: new Map(items.map(({ scheduleId, syncError }) => [scheduleId, syncError])),
  };
}

async function syncOne(
  ids: { jobId: string; scheduleId: string },
  { follows, told }: Known,
  { schedules, scheduler }: SyncPorts,
  now: number,
): Promise<void> {
  const decided = follows.get(ids.scheduleId);
  let problem = decided?.problem ?? null;
  if (decided?.schedule) {
    try {
      await scheduler.put(followedOf(decided.schedule, decided.enabled, now));
    } catch (error) {
      // Refused for good: it stands on the item, and the others go on.
      const { name, message } = error as Error;
      if (name !== 'ValidationException' && name !== 'ServiceQuotaExceededException') throw error;
      problem = `EventBridge Scheduler refuses it: ${message}`;
    }
  } else await scheduler.remove(schedulerName(ids));
  if (decided && told.get(ids.scheduleId) !== problem) await schedules.setSyncError(ids.jobId, ids.scheduleId, problem);
}

/** Works on all of a list, on so many at once. */
export async function eachOf<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const worker = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, worker));
}
