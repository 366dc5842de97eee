import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsOf } from '../../shared/core/limits.ts';
import { tooSlow } from '../../shared/core/too-slow.ts';
import { isTransient, MAX_ATTEMPTS, pauseBefore } from '../../shared/core/transient.ts';
import { Job } from '../../shared/model/job.ts';
import { orders } from './samples.ts';

test('what the warehouse may take the next time is told from what it refuses every time', () => {
  for (const error of [
    'Query #4 failed with ERROR: 1023 DETAIL: Serializable isolation violation on table - 109000',
    'ERROR: could not serialize access due to concurrent update',
    'ERROR: deadlock detected',
    'ERROR: terminating connection due to administrator command',
    'connection to 10.0.0.1 was closed unexpectedly',
    'ERROR: system is shutting down',
    'FATAL: too many connections for database "warehouse"',
    'FATAL: connection limit "500" exceeded for non-bootstrap users',
  ])
    assert.ok(isTransient(error), error);
  for (const error of [
    'Query #3 failed with ERROR: Value too long for character type',
    'ERROR: permission denied for relation orders',
    'ERROR: relation "orders" does not exist',
    'ERROR: Divide by zero',
    "ERROR: Load into table 'orders' failed. Check 'sys_load_error_detail' system table for details.",
    'ERROR: S3ServiceException: Access Denied, Status 403',
  ])
    assert.ok(!isTransient(error), error);
});

test('what may take it the next time is waited for, longer each time, by each load for a time of its own', () => {
  const attempts = Array.from({ length: MAX_ATTEMPTS - 1 }, (_, i) => i + 1);
  assert.deepEqual(
    attempts.map((n) => pauseBefore(n, () => 0)),
    [500, 1_000, 2_000],
  );
  assert.deepEqual(
    attempts.map((n) => pauseBefore(n, () => 1)),
    [1_000, 2_000, 4_000],
  );
});

test('what the source does not hand over in time is cut into halves, down to a row', () => {
  const job = Job.parse({ jobId: 'a', secretArn: 'arn:a', destination: 'd', rowLimit: 1000, chunkSize: 100 });
  assert.deepEqual(limitsOf(job, orders), { rowLimit: 1000, chunkSize: 100 });
  assert.deepEqual(limitsOf(job, orders, 1), { rowLimit: 500, chunkSize: 50 });
  assert.deepEqual(limitsOf(job, orders, 9), { rowLimit: 1, chunkSize: 1 });
});

test('a table without a key can not be cut, and the error says what to do', () => {
  assert.match(tooSlow('orders', true).message, /smaller ones are tried/);
  const { name, message } = tooSlow('prices', false);
  assert.equal(name, 'ExtractTooSlow');
  assert.match(message, /name the columns of a unique index as its primaryKey, or exclude columns$/);
});
