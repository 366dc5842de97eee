import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsOf } from '../../shared/core/limits.ts';
import { namedBy } from '../../shared/core/relations.ts';
import { Job } from '../../shared/model/job.ts';
import { Table } from '../../shared/model/table.ts';

const job = Job.parse({ jobId: 'j', secretArn: 'arn:x', destination: 'd' });

test('a job that says nothing copies a million rows at once, in chunks of a hundred thousand', () => {
  const table = Table.parse({
    sourceName: 't',
    destinationName: 't',
    primaryKey: ['id'],
    copyMode: 'INSERT_ONLY',
    updatedKey: null,
    columns: [],
  });
  assert.deepEqual(limitsOf(job, table, undefined), { rowLimit: 1_000_000, chunkSize: 100_000 });
});

test('and leaves out what frameworks and people keep for themselves', () => {
  const left = ['schema_migrations', 'ar_internal_metadata', 'tmp_orders', 'orders', 'my_tmp_orders'].filter(
    namedBy(job.exclude),
  );
  assert.deepEqual(left, ['schema_migrations', 'ar_internal_metadata', 'tmp_orders']);
});
