import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Edits } from '../../shared/aws/edits.ts';
import { tableKey } from '../../shared/aws/keys.ts';
import { Store } from '../../shared/aws/store.ts';
import { Job } from '../../shared/model/job.ts';
import { Table } from '../../shared/model/table.ts';
import { services } from './services.ts';

const at = services(
  () => undefined,
  () => edits().deleteJob(jobId()),
);
const edits = () => new Edits(at.table, at.dynamodb);
const jobId = () => `${at.prefix}-edits`;
const KEY = tableKey('orders');

test('an edit counts only at the revision that its editor saw: of two one is told', async () => {
  const job = Job.parse({ jobId: jobId(), secretArn: 'arn:none', destination: 'warehouse', revision: 1 });
  const created = await Promise.all([edits().createJob(job), edits().createJob({ ...job, gapDays: 9 })]);
  assert.deepEqual(created.toSorted(), [false, true]);
  const both = await Promise.all([1, 2].map((gapDays) => edits().edit(jobId(), 'JOB', { gapDays }, 1)));
  assert.deepEqual(both.toSorted(), [false, true]);
  assert.equal((await edits().read(jobId(), 'JOB'))?.revision, 2);
  assert.equal(await edits().edit(jobId(), 'JOB', { gapDays: 3 }, 1), false);
  assert.equal(await edits().edit(jobId(), 'nothing', { gapDays: 3 }, 0), false);
  assert.equal(await edits().read(jobId(), 'nothing'), null);
  assert.ok((await edits().listJobs()).includes(jobId()));
});

test("setup's own writes neither outdate an edit nor get lost by it; a field can be taken away", async () => {
  const store = new Store(at.table, at.dynamodb);
  const decided = { sourceName: 'orders', destinationName: 'orders', primaryKey: ['id'], updatedKey: null };
  await store.addTable(jobId(), Table.parse({ ...decided, copyMode: 'FULL_DATA_SYNC', rowLimit: 5, columns: [] }));
  await store.updateTable(jobId(), 'orders', { created: true });
  assert.equal(await edits().edit(jobId(), KEY, { rowLimit: undefined, disabled: true }, 0), true);
  const { created, disabled, revision, ...item } = (await edits().read(jobId(), KEY)) ?? {};
  assert.deepEqual([created, disabled, revision, 'rowLimit' in item], [true, true, 1, false]);
});

test('a deleted job leaves nothing, and is no longer listed', async () => {
  assert.equal(await edits().deleteJob(jobId()), 2);
  assert.equal(await edits().read(jobId(), KEY), null);
  assert.ok(!(await edits().listJobs()).includes(jobId()));
});
