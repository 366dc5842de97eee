import assert from 'node:assert/strict';
import { keysBelow } from './bucket.ts';
import type { Bench, TestJob } from './harness.ts';

/** After a failure: every lease is free, and nothing is staged, in S3 (but for what a table's error names) or in the warehouse. */
export async function nothingLeft(bench: Bench, job: TestJob): Promise<void> {
  await bench.installation.cloud.idle();
  const { states } = await job.read();
  for (const [name, { value }] of states) assert.equal(value.lease, undefined, `${name} is free`);
  const told = [...states.values()].flatMap(({ value: { lastError } }) => lastError ?? []);
  const left = await keysBelow(bench, `stage/${job.jobId}/`);
  assert.deepEqual(
    left.filter((key) => !told.some((error) => error.includes(key))),
    [],
    'no object is left',
  );
  assert.deepEqual(await job.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%'"), []);
}
