import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  BatchExecuteStatementCommand,
  CancelStatementCommand,
  DescribeStatementCommand,
  ExecuteStatementCommand,
  GetStatementResultCommand,
  ListStatementsCommand,
} from '@aws-sdk/client-redshift-data';
import { openWarehouse, PLACE, plain, type Warehouse, WORKGROUP } from './warehouse.ts';

let warehouse: Warehouse;
before(async () => {
  warehouse = await openWarehouse();
  await warehouse.ok('CREATE TABLE slow (n INT)');
  await warehouse.pool.query('INSERT INTO slow SELECT generate_series(1, 2000)');
});
after(() => warehouse[Symbol.asyncDispose]());

const execute = (input: Partial<ConstructorParameters<typeof ExecuteStatementCommand>[0]>) =>
  warehouse.client.send(new ExecuteStatementCommand({ ...PLACE, Sql: 'SELECT 1', ...input }));
const describe = (Id: string | undefined, WaitTimeSeconds = 20) =>
  warehouse.client.send(new DescribeStatementCommand({ Id, WaitTimeSeconds }));
const invalid = (message: RegExp) => ({ name: 'ValidationException', message });

/** Takes about this many seconds, with what Redshift's dialect has. */
const SLOW = `SELECT COUNT(*) FROM slow a, slow b, slow c WHERE MD5((a.n + b.n + c.n)::VARCHAR(20)) = 'x'`;

test('a statement is described with its times, rows and destination', async () => {
  const before = Date.now();
  const submitted = await execute({ Sql: `SELECT 1 AS a, 'x' AS b`, StatementName: 'first' });
  assert.match(submitted.Id ?? '', /^[0-9a-f-]{36}$/);
  const found = await describe(submitted.Id);
  assert.equal(found.Status, 'FINISHED');
  assert.equal(found.HasResultSet, true);
  assert.equal(found.ResultRows, 1);
  assert.equal(found.WorkgroupName, 'test');
  assert.equal(found.Database, 'warehouse');
  assert.equal(found.QueryString, `SELECT 1 AS a, 'x' AS b`);
  assert.ok((found.Duration ?? 0) > 0 && (found.RedshiftPid ?? 0) > 0 && (found.RedshiftQueryId ?? 0) > 0);
  assert.ok(Math.abs((found.CreatedAt?.getTime() ?? 0) - before) < 5_000);
});

test('submitting returns at once; waiting returns as soon as the statement ends', async () => {
  const start = performance.now();
  const { Id, Status } = await execute({ Sql: SLOW });
  assert.ok(Status === 'SUBMITTED' || Status === 'PICKED' || Status === 'STARTED', Status);
  assert.ok(performance.now() - start < 1_000);
  assert.equal((await describe(Id, 1)).Status, 'STARTED');
  assert.ok(performance.now() - start >= 1_000);
  await warehouse.client.send(new CancelStatementCommand({ Id }));
  const quick = await execute({ WaitTimeSeconds: 30 });
  assert.equal(quick.Status, 'FINISHED');
  assert.equal(quick.HasResultSet, true);
  assert.ok(performance.now() - start < 5_000);
});

test('CancelStatement really ends the work, and the statement is ABORTED', async () => {
  const { Id } = await warehouse.client.send(
    new BatchExecuteStatementCommand({ ...PLACE, Sqls: ['CREATE TABLE cancelled (a INT)', SLOW, 'SELECT 2'] }),
  );
  while ((await describe(Id, 0)).SubStatements?.[1]?.Status !== 'STARTED');
  const pid = (await describe(Id, 0)).RedshiftPid;
  assert.equal((await warehouse.client.send(new CancelStatementCommand({ Id }))).Status, true);
  const found = await describe(Id);
  assert.equal(found.Status, 'ABORTED');
  assert.deepEqual(
    found.SubStatements?.map(({ Status }) => Status),
    ['FINISHED', 'ABORTED', 'ABORTED'],
  );
  const { rows } = await warehouse.pool.query('SELECT state FROM pg_stat_activity WHERE pid = $1', [pid]);
  assert.notEqual(rows[0]?.state, 'active');
  assert.match((await warehouse.run('SELECT * FROM cancelled')).Error ?? '', /does not exist/);
  await assert.rejects(warehouse.client.send(new CancelStatementCommand({ Id })), invalid(/already in ABORTED state/));
});

test('the same client token returns the same statement, whatever became of it', async () => {
  const input = { Sql: 'SELECT 1 / 0', ClientToken: 'token-1' };
  const { Id } = await execute(input);
  assert.equal((await describe(Id)).Status, 'FAILED');
  assert.equal((await execute(input)).Id, Id);
  assert.equal((await execute({ ...input, Sql: 'SELECT 2' })).Id, Id);
  assert.notEqual((await execute({ ...input, ClientToken: 'token-2' })).Id, Id);
});

test('typed values: numbers, booleans, NULL, text, decimals and times', async () => {
  const [row] = await warehouse.rows(
    `SELECT 1::SMALLINT, 9007199254740991, TRUE, NULL, 'é', 1.10::DECIMAL(5,2), DATE '2024-02-29', TIMESTAMPTZ '2024-01-01 00:00:00+02'`,
  );
  assert.deepEqual(row, [1, 9007199254740991, true, null, 'é', '1.10', '2024-02-29', '2023-12-31 22:00:00+00']);
});

test('a large result comes in pages of at most 1 MB', async () => {
  const { Id } = await execute({
    Sql: `SELECT n, REPEAT('x', 1500) AS filler FROM slow ORDER BY n`,
    WaitTimeSeconds: 30,
  });
  const seen: unknown[] = [];
  let pages = 0;
  let NextToken: string | undefined;
  do {
    const page = await warehouse.client.send(new GetStatementResultCommand({ Id, NextToken }));
    assert.equal(page.TotalNumRows, 2000);
    assert.deepEqual(
      page.ColumnMetadata?.map(({ name, typeName }) => [name, typeName]),
      [
        ['n', 'int4'],
        ['filler', 'varchar'],
      ],
    );
    seen.push(...(page.Records ?? []).map(([n]) => n && plain(n)));
    NextToken = page.NextToken;
    pages++;
  } while (NextToken);
  assert.ok(pages >= 3);
  assert.deepEqual(
    seen,
    Array.from({ length: 2000 }, (_, at) => at + 1),
  );
});

test("a batch's results are read by sub-statement", async () => {
  const { Id } = await warehouse.batch(['SELECT 1', 'SELECT 2']);
  const { Records } = await warehouse.client.send(new GetStatementResultCommand({ Id: `${Id}:2` }));
  assert.deepEqual(
    Records?.map((record) => record.map(plain)),
    [[2]],
  );
  assert.equal((await describe(`${Id}:1`)).QueryString, 'SELECT 1');
  await assert.rejects(warehouse.client.send(new GetStatementResultCommand({ Id })), {
    name: 'ResourceNotFoundException',
  });
});

test('AUTO_COMMIT keeps what succeeded', async () => {
  const { Id } = await warehouse.client.send(
    new BatchExecuteStatementCommand({
      ...PLACE,
      ExecutionMode: 'AUTO_COMMIT',
      Sqls: ['CREATE TABLE kept (a INT)', 'SELECT 1 / 0', 'INSERT INTO kept VALUES (1)'],
    }),
  );
  const found = await describe(Id);
  assert.equal(found.Status, 'FAILED');
  assert.deepEqual(
    found.SubStatements?.map(({ Status }) => Status),
    ['FINISHED', 'FAILED', 'FINISHED'],
  );
  assert.deepEqual(await warehouse.rows('SELECT * FROM kept'), [[1]]);
});

test('parameters are values, never SQL', async () => {
  const { Id } = await execute({
    Sql: 'SELECT :a || :b',
    Parameters: [
      { name: 'a', value: `x'` },
      { name: 'b', value: ':a' },
    ],
    WaitTimeSeconds: 10,
  });
  const { Records } = await warehouse.client.send(new GetStatementResultCommand({ Id }));
  assert.deepEqual(
    Records?.map((record) => record.map(plain)),
    [[`x':a`]],
  );
});

const INVALID: [string, Parameters<typeof execute>[0], RegExp][] = [
  ['an empty parameter', { Sql: 'SELECT :a', Parameters: [{ name: 'a', value: '' }] }, /must not be empty/],
  ['a parameter nobody uses', { Parameters: [{ name: 'a', value: 'x' }] }, /unused parameters/],
  ['a token of 65 characters', { ClientToken: 'x'.repeat(65) }, /ClientToken/],
  ['a wait of 31 seconds', { WaitTimeSeconds: 31 }, /WaitTimeSeconds/],
  [
    'a statement of more than 200 KB',
    { Sql: `SELECT '${'x'.repeat(204_800)}'` },
    /must not be longer than 204800 bytes/,
  ],
  ['both workgroup and cluster', { ClusterIdentifier: 'c' }, /Exactly one of/],
  ['a workgroup that does not exist', { WorkgroupName: 'nowhere' }, /nowhere/],
  ['a database that does not exist', { Database: 'nowhere' }, /database "nowhere" does not exist/],
  ['no database', { Database: undefined }, /Database is required/],
  ['a session', { SessionKeepAliveSeconds: 10 }, /Sessions/],
];
for (const [what, input, message] of INVALID) {
  test(`${what} is refused at once`, () => assert.rejects(execute(input), invalid(message)));
}

test('more than 40 statements are refused at once', async () => {
  const Sqls = Array.from({ length: 41 }, () => 'SELECT 1');
  await assert.rejects(warehouse.client.send(new BatchExecuteStatementCommand({ ...PLACE, Sqls })), invalid(/Sqls/));
  assert.equal((await warehouse.batch(Sqls.slice(1))).Status, 'FINISHED');
});

test('statements are listed by name prefix; only finished ones unless asked', async () => {
  const names = (Status?: 'ALL' | 'FAILED') =>
    warehouse.client
      .send(new ListStatementsCommand({ StatementName: 'list-', Status }))
      .then(({ Statements }) => Statements?.map(({ StatementName }) => StatementName));
  await execute({ StatementName: 'list-good', WaitTimeSeconds: 10 });
  await execute({ StatementName: 'list-bad', Sql: 'SELECT 1 / 0', WaitTimeSeconds: 10 });
  await execute({ StatementName: 'List-other', WaitTimeSeconds: 10 });
  assert.deepEqual(await names(), ['list-good']);
  assert.deepEqual(await names('FAILED'), ['list-bad']);
  assert.deepEqual(await names('ALL'), ['list-bad', 'list-good']);
});

test("each role is a user of its own: it sees neither the others' statements nor their tables", async () => {
  await warehouse.ok('CREATE TABLE mine (a INT)');
  const { Id } = await execute({ Sql: 'SELECT CURRENT_USER', WaitTimeSeconds: 10 });
  const { Records } = await warehouse.client.send(new GetStatementResultCommand({ Id }));
  assert.deepEqual(
    Records?.map((record) => record.map(plain)),
    [['IAMR:Loader']],
  );
  const other = warehouse.as('Other');
  await assert.rejects(other.send(new DescribeStatementCommand({ Id })), { name: 'ResourceNotFoundException' });
  await assert.rejects(other.send(new GetStatementResultCommand({ Id })), { name: 'ResourceNotFoundException' });
  const theirs = async (Sql: string) => {
    const { Id } = await other.send(new ExecuteStatementCommand({ ...PLACE, Sql, WaitTimeSeconds: 10 }));
    return (await other.send(new DescribeStatementCommand({ Id }))).Error ?? 'succeeded';
  };
  assert.equal(await theirs('SELECT * FROM mine'), 'ERROR: permission denied for relation mine');
  assert.match(await theirs('DROP TABLE mine'), /must be owner of/);
  await warehouse.ok('GRANT SELECT ON mine TO "IAMR:Other"');
  assert.equal(await theirs('SELECT * FROM mine'), 'succeeded');
});

test('WithEvent tells when a statement has ended', async () => {
  const { Id } = await execute({ StatementName: 'told', WithEvent: true, WaitTimeSeconds: 10 });
  await execute({ StatementName: 'not told', WaitTimeSeconds: 10 });
  assert.deepEqual(warehouse.changes, [
    { statementId: Id, statementName: 'told', state: 'FINISHED', principal: 'arn:aws:iam::000000000000:role/Loader' },
  ]);
});

test("writers of one table follow one another, readers don't wait", async () => {
  await warehouse.ok('CREATE TABLE busy (id INT)', 'INSERT INTO busy VALUES (0)');
  const add = () => execute({ Sql: 'INSERT INTO busy SELECT MAX(id) + 1 FROM busy' });
  const ids = await Promise.all([add(), add(), add(), add()]);
  for (const { Id } of ids) assert.equal((await describe(Id)).Status, 'FINISHED');
  assert.deepEqual(await warehouse.rows('SELECT id FROM busy ORDER BY 1'), [[0], [1], [2], [3], [4]]);
});

test("two overlapping anti-joins double rows, as under Redshift's SNAPSHOT isolation", async () => {
  await warehouse.ok('CREATE TABLE doubled (id INT)');
  const load = (Sqls: string[]) => warehouse.client.send(new BatchExecuteStatementCommand({ ...PLACE, Sqls }));
  const insert =
    'INSERT INTO doubled SELECT s.id FROM stage s WHERE NOT EXISTS (SELECT 1 FROM doubled d WHERE d.id = s.id)';
  const slowly = 'SELECT COUNT(*) FROM slow a, slow b WHERE a.n + b.n = -1';
  const first = await load(['CREATE TEMP TABLE stage AS SELECT 1 AS id', insert, slowly]);
  const second = await load(['CREATE TEMP TABLE stage AS SELECT 1 AS id', slowly, insert]);
  assert.equal((await describe(first.Id)).Status, 'FINISHED');
  assert.equal((await describe(second.Id)).Status, 'FINISHED');
  assert.deepEqual(await warehouse.rows('SELECT id FROM doubled'), [[1], [1]]);
});

test('a first CREATE TABLE makes the snapshot, a first write makes it after its wait for the lock', async () => {
  await warehouse.ok('CREATE TABLE waited (id INT)');
  const load = (Sqls: string[]) => warehouse.client.send(new BatchExecuteStatementCommand({ ...PLACE, Sqls }));
  const insert = 'INSERT INTO waited SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM waited)';
  const first = await load([insert, 'SELECT COUNT(*) FROM slow a, slow b WHERE a.n + b.n = -1']);
  while ((await describe(first.Id, 0)).SubStatements?.[0]?.Status !== 'FINISHED');
  const second = await load(['CREATE TEMP TABLE stage (id INT)', insert]);
  const third = await load([insert]);
  for (const { Id } of [first, second, third]) assert.equal((await describe(Id)).Status, 'FINISHED');
  assert.deepEqual(await warehouse.rows('SELECT id FROM waited'), [[1], [1]]);
});

test('a merge into rows that changed meanwhile fails with error 1023', async () => {
  await warehouse.ok('CREATE TABLE contended (id INT, v INT)', 'INSERT INTO contended VALUES (1, 1)');
  const load = (Sqls: string[]) => warehouse.client.send(new BatchExecuteStatementCommand({ ...PLACE, Sqls }));
  const slowly = 'SELECT COUNT(*) FROM slow a, slow b WHERE a.n + b.n = -1';
  const update = 'UPDATE contended SET v = v + 1';
  const first = await load(['SELECT 1', update, slowly]);
  const second = await load(['SELECT 1', slowly, update]);
  assert.equal((await describe(first.Id)).Status, 'FINISHED');
  assert.match((await describe(second.Id)).Error ?? '', /ERROR: 1023 DETAIL: Serializable isolation violation/);
});

test('the work goes on when the caller is gone', async () => {
  await warehouse.ok('GRANT SELECT ON slow TO PUBLIC');
  const { Id } = await warehouse.as('Gone').send(
    new ExecuteStatementCommand({
      ...PLACE,
      Sql: 'CREATE TABLE gone AS SELECT COUNT(*) AS n FROM slow a, slow b WHERE a.n + b.n = -1',
    }),
  );
  warehouse.as('Gone').destroy();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const { rows } = await warehouse.pool.query('SELECT tableowner FROM pg_tables WHERE tablename = $1', ['gone']);
  assert.ok(Id);
  assert.deepEqual(rows, [{ tableowner: 'IAMR:Gone' }]);
});

test('a long list comes in pages', async () => {
  for (let n = 0; n < 3; n++) await execute({ StatementName: `page-${n}`, WaitTimeSeconds: 10 });
  const page = (NextToken?: string) =>
    warehouse.client.send(new ListStatementsCommand({ StatementName: 'page-', MaxResults: 2, NextToken }));
  const first = await page();
  assert.deepEqual(
    first.Statements?.map(({ StatementName }) => StatementName),
    ['page-2', 'page-1'],
  );
  const second = await page(first.NextToken);
  assert.deepEqual(
    second.Statements?.map(({ StatementName }) => StatementName),
    ['page-0'],
  );
  assert.equal(second.NextToken, undefined);
});

test('what runs when the warehouse stops is cancelled', async () => {
  const start = performance.now();
  {
    await using short = await openWarehouse();
    await short.ok('CREATE TABLE slow (n INT)');
    await short.pool.query('INSERT INTO slow SELECT generate_series(1, 2000)');
    await short.client.send(new ExecuteStatementCommand({ ...PLACE, Sql: SLOW }));
  }
  assert.ok(performance.now() - start < 10_000);
});

test('IAM has to allow the call and the credentials behind it', async () => {
  const { createRedshiftData } = await import('../../local/redshift/service.ts');
  const data = createRedshiftData({
    url: 'postgres://unused',
    destinations: [
      { workgroupName: 'test', database: 'warehouse', arn: WORKGROUP },
      { clusterIdentifier: 'c', database: 'dev', arn: 'arn:aws:redshift:us-east-1:000000000000:cluster:c' },
    ],
    attachedRoles: [],
    objects: { read: () => Promise.reject(new Error()), list: async () => [] },
  });
  const needs = (action: string, input: Record<string, unknown>) =>
    data
      .permissions({ action, input, caller: { arn: 'a', accessKeyId: 'k' } })
      .map(({ action, resource }) => `${action} ${resource}`);
  assert.deepEqual(needs('BatchExecuteStatement', PLACE), [
    `redshift-data:BatchExecuteStatement ${WORKGROUP}`,
    `redshift-serverless:GetCredentials ${WORKGROUP}`,
  ]);
  assert.deepEqual(needs('ExecuteStatement', { ClusterIdentifier: 'c', Database: 'dev' }), [
    'redshift-data:ExecuteStatement arn:aws:redshift:us-east-1:000000000000:cluster:c',
    'redshift:GetClusterCredentialsWithIAM arn:aws:redshift:us-east-1:000000000000:dbname:c/dev',
  ]);
  assert.deepEqual(needs('DescribeStatement', { Id: 'x' }), ['redshift-data:DescribeStatement *']);
  await data.stop();
});
