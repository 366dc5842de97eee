import assert from 'node:assert/strict';
import { keysBelow } from './bucket.ts';
import type { Bench, TestJob } from './harness.ts';

/** After a failure: every lease is free, and nothing is staged, in S3 or in the warehouse. */
export async function nothingLeft(bench: Bench, job: TestJob): Promise<void> {
  await bench.installation.cloud.idle();
  const { states } = await job.read();
  for (const [name, { value }] of states) assert.equal(value.lease, undefined, `${name} is free`);
  assert.deepEqual(await keysBelow(bench, `stage/${job.jobId}/`), [], 'no object is left');
  assert.deepEqual(await job.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%'"), []);
}
