import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Edge } from '../../functions/edge.ts';
import type { SyncPorts } from '../../functions/sync-job.ts';
import { syncSchedules } from '../../functions/sync-schedules.ts';

const record = (sk: string, i: number) => ({
  dynamodb: { Keys: { pk: { S: 'JOB#orders' }, sk: { S: sk } }, SequenceNumber: String(i) },
});

/** A job that is gone, with all that belonged to it. @returns what Scheduler was told to delete */
async function removedBy(...sortKeys: string[]): Promise<string[]> {
  const removed: string[] = [];
  const ports = {
    edits: { read: async () => null },
    schedules: { list: async () => [] },
    scheduler: { remove: async (name: string) => void removed.push(name) },
  } as unknown as SyncPorts;
  const edge = { now: () => new Date(0) } as unknown as Edge;
  const { batchItemFailures } = await syncSchedules({ Records: sortKeys.map(record) }, ports, edge);
  assert.deepEqual(batchItemFailures, []);
  return removed.sort();
}

test("a job's deletion that arrives in one batch with its schedules' takes none of them for alive", async () => {
  const both = ['orders.main', 'orders.night'];
  assert.deepEqual(await removedBy('SCHEDULE#main', 'SCHEDULE#night', 'JOB'), both);
  assert.deepEqual(await removedBy('JOB', 'SCHEDULE#main', 'SCHEDULE#night', 'JOB'), both);
});
