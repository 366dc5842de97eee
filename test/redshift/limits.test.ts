import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BatchExecuteStatementCommand,
  CancelStatementCommand,
  ExecuteStatementCommand,
  GetStatementResultCommand,
} from '@aws-sdk/client-redshift-data';
import { openWarehouse, PLACE } from './warehouse.ts';

test('500 statements may be active, not one more', async () => {
  await using warehouse = await openWarehouse();
  await warehouse.ok('CREATE TABLE slow (n INT)');
  await warehouse.pool.query('INSERT INTO slow SELECT generate_series(1, 2000)');
  const submit = (Sql: string, WaitTimeSeconds = 0) =>
    warehouse.client.send(new ExecuteStatementCommand({ ...PLACE, Sql, WaitTimeSeconds }));
  const slowly = `SELECT COUNT(*) FROM slow a, slow b, slow c WHERE MD5((a.n + b.n + c.n)::VARCHAR(20)) = 'x'`;
  const slow = await Promise.all(Array.from({ length: 8 }, () => submit(slowly)));
  await Promise.all(Array.from({ length: 492 }, () => submit('SELECT 1')));
  await assert.rejects(submit('SELECT 1'), { name: 'ActiveStatementsExceededException' });
  await Promise.all(slow.map(({ Id }) => warehouse.client.send(new CancelStatementCommand({ Id }))));
  assert.equal((await warehouse.run('SELECT 1')).Status, 'FINISHED');
});

test('a client token is forgotten after 8 hours, a result after 24', async () => {
  let hours = 0;
  await using late = await openWarehouse({ now: () => new Date(1.7e12 + hours * 3_600_000) });
  const input = { ...PLACE, Sql: 'SELECT 1', ClientToken: 'x', WaitTimeSeconds: 10 };
  const send = () => late.client.send(new ExecuteStatementCommand(input));
  const { Id } = await send();
  hours = 7.9;
  assert.equal((await send()).Id, Id);
  hours = 8.1;
  assert.notEqual((await send()).Id, Id);
  assert.ok(await late.client.send(new GetStatementResultCommand({ Id })));
  hours = 24.1;
  await send();
  await assert.rejects(late.client.send(new GetStatementResultCommand({ Id })), { name: 'ResourceNotFoundException' });
});

test('the quotas per second are kept', async () => {
  await using strict = await openWarehouse({ throttle: true });
  const send = () => strict.client.send(new BatchExecuteStatementCommand({ ...PLACE, Sqls: ['SELECT 1'] }));
  const results = await Promise.allSettled(Array.from({ length: 25 }, send));
  const refused = results.filter((result) => result.status === 'rejected').map((result) => result.reason.name);
  assert.deepEqual(
    refused,
    Array.from({ length: 5 }, () => 'ThrottlingException'),
  );
});
