import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Comparisons } from '../../shared/aws/comparisons.ts';
import { Edits } from '../../shared/aws/edits.ts';
import { Findings } from '../../shared/aws/findings.ts';
import { Stage } from '../../shared/aws/stage.ts';
import { services } from './services.ts';

const at = services(undefined, async () => {
  await new Edits(at.table, at.dynamodb).deleteJob(jobId());
  await new Stage(at.bucket, at.s3).remove(written);
});
const written: string[] = [];
const jobId = () => `${at.prefix}-compare`;
const TABLE = 'Weird "name"/with# everything';

const findings = (runId = 'run') =>
  new Findings(at.bucket, { jobId: jobId(), runId, kind: 'verify', table: TABLE }, at.s3);

async function all(lines: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

test('what two kinds of comparison tell of one table stands side by side, and goes attribute by attribute', async () => {
  const comparisons = new Comparisons(at.table, at.dynamodb);
  assert.deepEqual(await comparisons.read(jobId(), TABLE), { sourceName: TABLE });
  const suspects = { object: 'o', rows: 1, seen: '2026-11-22T10:00:00Z', repair: false, question: 'q' };
  await Promise.all([
    comparisons.change(jobId(), TABLE, { verifyBegun: 'v', suspects }),
    comparisons.change(jobId(), TABLE, { reconcileBegun: 'r', deleted: 3 }),
  ]);
  const { verifyBegun, reconcileBegun, deleted } = await comparisons.read(jobId(), TABLE);
  assert.deepEqual([verifyBegun, reconcileBegun, deleted], ['v', 'r', 3]);
  await comparisons.change(jobId(), TABLE, { suspects: undefined, verifyEnded: 'w' });
  const after = await comparisons.read(jobId(), TABLE);
  assert.deepEqual([after.suspects, after.verifyEnded, after.deleted], [undefined, 'w', 3]);
});

test('what was seen must still be so, or nothing is changed', async () => {
  const comparisons = new Comparisons(at.table, at.dynamodb);
  const table = 'seen';
  const change = (seen: object) => comparisons.change(jobId(), table, { deleted: 1 }, seen);
  assert.equal(await change({ stopped: undefined }), true);
  await comparisons.change(jobId(), table, { stopped: 'run-1', claimedBy: 'run-1' });
  assert.equal(await change({ stopped: undefined }), false);
  assert.equal(await change({ stopped: 'run-2' }), false);
  assert.equal(await change({ claimedBy: 'run-2' }), false);
  assert.equal(await change({ stopped: 'run-1', claimedBy: 'run-1' }), true);
});

test('what was found comes back line by line, whatever the values of keys are', async () => {
  const rows = [
    { key: ['a\u2028b', 'c\nd', '"', '€'], sum: '1' },
    ...Array.from({ length: 5_000 }, (_, i) => ({ key: [String(i), 'x'.repeat(100)], sum: String(i) })),
  ];
  const key = await findings().write('rows', rows);
  written.push(key);
  assert.equal(key, findings().key('rows'));
  assert.deepEqual(await all(findings().lines({ name: 'rows' })), rows);
  assert.deepEqual(await all(findings('later').lines({ key })), rows, "another comparison's, by its key");
  assert.deepEqual(await findings().read('rows'), rows[0]);
});

test('an object that is gone is told of by name, with what to do', async () => {
  await assert.rejects(all(findings('never').lines({ name: 'found' })), {
    name: 'FindingsGone',
    message: /compare\/.*never-verify\/found.* is no longer there: verify the table anew/,
  });
});
