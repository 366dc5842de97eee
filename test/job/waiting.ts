import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestJob } from './harness.ts';

/** Waits until a statement of the loader waits in the warehouse for the test's transaction. @returns its session */
export async function waitingStatement(job: TestJob): Promise<number> {
  for (let wait = 0; wait < 300; wait++) {
    const { rows } = await job.warehouse.query('SELECT pid FROM pg_locks WHERE NOT granted LIMIT 1');
    if (rows.length > 0) return rows[0].pid;
    await sleep(100);
  }
  return assert.fail('no statement came to wait');
}
