import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { DescribeStatementCommand, ExecuteStatementCommand } from '@aws-sdk/client-redshift-data';
import { Stage } from '../../shared/aws/stage.ts';
import { type Statement, Warehouse } from '../../shared/aws/warehouse.ts';
import { clusterIdentifier, isServerless } from '../../shared/model/destination.ts';
import { qualified } from '../../shared/sql/quote.ts';
import { copyInto } from '../../shared/sql/redshift.ts';
import { services } from './services.ts';

const at = services(setUp, cleanUp, true);
let warehouse: Warehouse;
let stage: Stage;
let made = 0;
const tables: string[] = [];

const tokenOf = (name: string) => `${at.prefix}-${name}`;

function setUp(): void {
  warehouse = new Warehouse(at.destination, at.redshift);
  stage = new Stage(at.bucket, at.s3);
}

async function cleanUp(): Promise<void> {
  if (tables.length === 0) return;
  const drops = tables.map((name) => `DROP TABLE IF EXISTS ${name}`);
  assert.equal((await ended(drops, 'drop')).status, 'finished');
  await stage.remove([`stage/${at.prefix}/refused`]);
}

async function ended(sqls: string[], name: string, token = tokenOf(`${name}-${made++}`)): Promise<Statement> {
  let statement = await warehouse.submit(sqls, tokenOf(name), token);
  while (statement.status === 'running') statement = await warehouse.follow(statement.id);
  return statement;
}

async function newTable(columns: string): Promise<string> {
  const name = qualified(at.destination.schema, `${at.prefix.replaceAll('-', '_')}_${made++}`);
  tables.push(name);
  const { status, error } = await ended([`CREATE TABLE ${name} (${columns})`], 'create');
  assert.equal(status, 'finished', error);
  return name;
}

async function rowsOf(sql: string): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  for await (const row of warehouse.query(sql)) rows.push(row);
  return rows;
}

/** Submits without waiting, as an owner does that dies before it hears of its statement. @returns its id */
async function leave(sql: string, name: string): Promise<string> {
  const { database: Database, secretArn: SecretArn, workgroupName: WorkgroupName } = at.destination;
  const where = isServerless(at.destination)
    ? { WorkgroupName }
    : { ClusterIdentifier: clusterIdentifier(at.destination) };
  const { Id = '' } = await at.redshift.send(
    new ExecuteStatementCommand({ ...where, Database, SecretArn, Sql: sql, StatementName: tokenOf(name) }),
  );
  return Id;
}

/** Runs for long on any machine: the numbers of a table joined with themselves. */
async function slowSql(rows: number, times: number): Promise<string> {
  const numbers = await newTable('n INTEGER');
  const values = Array.from({ length: rows }, (_, i) => `(${i})`).join(', ');
  assert.equal((await ended([`INSERT INTO ${numbers} VALUES ${values}`], 'numbers')).status, 'finished');
  const joined = Array.from({ length: times }, (_, i) => `${numbers} t${i}`).join(', ');
  const added = Array.from({ length: times }, (_, i) => `t${i}.n`).join(' + ');
  return `SELECT COUNT(*) FROM ${joined} WHERE MD5((${added})::VARCHAR(20)) = 'x'`;
}

test('the same token is the same statement: submitting twice runs once', async () => {
  const table = await newTable('n INTEGER');
  const first = await ended([`INSERT INTO ${table} VALUES (1)`], 'once', tokenOf('once'));
  const second = await ended([`INSERT INTO ${table} VALUES (1)`], 'once', tokenOf('once'));
  assert.equal(first.status, 'finished', first.error);
  assert.equal(second.id, first.id);
  assert.deepEqual(await rowsOf(`SELECT n FROM ${table}`), [['1']]);
  const third = await ended([`INSERT INTO ${table} VALUES (1)`], 'once', tokenOf('once-more'));
  assert.notEqual(third.id, first.id);
});

test('a batch is one transaction: a statement that fails leaves nothing of those before it, and says why', async () => {
  const table = await newTable('n INTEGER');
  const failed = await ended(
    [`INSERT INTO ${table} VALUES (1)`, 'SELECT 1 / 0', `INSERT INTO ${table} VALUES (2)`],
    'all',
  );
  assert.equal(failed.status, 'failed');
  assert.match(failed.error, /division by zero|divide by zero/i);
  assert.deepEqual(await rowsOf(`SELECT n FROM ${table}`), []);
  assert.equal(await warehouse.loadError(failed), null);
});

test('the value that COPY refused is found: its line, column, type and length', async () => {
  const table = await newTable('id INTEGER, note VARCHAR(3)');
  const key = `stage/${at.prefix}/refused`;
  await stage.put(key, zstdCompressSync('1,abc\n2,"abcd"\n'));
  const columns = [{ name: 'id' }, { name: 'note' }];
  const source = { url: stage.url(key), manifest: false, roleArn: at.copyRole, nullMarker: '~null~' };
  const failed = await ended([copyInto(table, columns, source)], 'copy');
  assert.equal(failed.status, 'failed');
  const refused = await warehouse.loadError(failed);
  assert.ok(refused, failed.error);
  assert.match(refused.message, /length exceeds/i);
  assert.match(refused.type, /^(varchar|character varying)/i);
  const { file, line, column, length } = refused;
  assert.deepEqual({ file, line, column, length }, { file: stage.url(key), line: '2', column: 'note', length: '3' });
});

test('values come as text, NULL as null, over as many pages as there are', async () => {
  const [row] = await rowsOf(
    `SELECT 9223372036854775807::BIGINT, 1.50::DECIMAL(5,2), TRUE, 'ü''"', ''::VARCHAR(5), NULL::VARCHAR(5), NULL::INTEGER`,
  );
  assert.deepEqual(row?.slice(1), ['1.50', 'true', 'ü\'"', '', null, null]);
  assert.deepEqual(await rowsOf(`SELECT 1 WHERE 1 = 0`), []);
  const table = await newTable('n INTEGER, filler VARCHAR(60000)');
  const insert = Array.from({ length: 40 }, (_, i) => `(${i}, REPEAT('x', 50000))`).join(', ');
  assert.equal((await ended([`INSERT INTO ${table} VALUES ${insert}`], 'pages')).status, 'finished');
  const rows = await rowsOf(`SELECT n, filler FROM ${table} ORDER BY n`);
  assert.deepEqual(
    rows.map(([n]) => Number(n)),
    Array.from({ length: 40 }, (_, i) => i),
  );
  assert.ok(rows.every(([, filler]) => filler?.length === 50_000));
});

test('integers beyond 2^53 are text that has lost no digit', async () => {
  const all = ['9223372036854775807', '-9223372036854775808', '9007199254740993'];
  const [row] = await rowsOf(`SELECT ${all.map((one) => `(${one})::VARCHAR(20)`).join(', ')}`);
  assert.deepEqual(row, all);
});

test('a query that is refused says so in the words of Redshift', async () => {
  await assert.rejects(rowsOf(`SELECT * FROM ${qualified(at.destination.schema, 'no_such_table')}`), {
    name: 'WarehouseRefused',
    message: /no_such_table.* does not exist/,
  });
});

test('follow answers as soon as the statement ends, and not before', async () => {
  const id = await leave(await slowSql(700, 2), 'follow');
  const { status, error } = await warehouse.follow(id);
  assert.equal(status, 'finished', error);
  const again = performance.now();
  assert.equal((await warehouse.follow(id)).status, 'finished');
  assert.ok(performance.now() - again < 5_000);
});

test('settle cancels what runs under a name prefix, waits until it has ended, and leaves the others alone', async () => {
  const slow = await slowSql(1_500, 3);
  const [orphan, second, other] = [
    await leave(slow, 'settle/load-1/a'),
    await leave(slow, 'settle/load-1/b'),
    await leave(slow, 'settle/load-2/a'),
  ];
  await warehouse.settle(tokenOf('settle/load-1/'));
  const started = performance.now();
  for (const id of [orphan, second]) {
    const { status, error } = await warehouse.follow(id);
    assert.deepEqual([status, error], ['aborted', 'its statement was cancelled']);
  }
  assert.ok(performance.now() - started < 5_000, 'they had ended before settle returned');
  const { Status = '' } = await at.redshift.send(new DescribeStatementCommand({ Id: other }));
  assert.match(Status, /^(SUBMITTED|PICKED|STARTED)$/);
  await warehouse.settle(tokenOf('settle/load-1/'));
  await warehouse.settle(tokenOf('settle/load-2/'));
  assert.equal((await warehouse.follow(other)).status, 'aborted');
});

test('settle finds what runs behind more statements of that name than are listed at once', async () => {
  const oldest = await leave(await slowSql(1_500, 3), 'many/load/a');
  for (let i = 0; i < 100; i++) assert.equal((await ended(['SELECT 1'], 'many/load/b')).status, 'finished');
  await warehouse.settle(tokenOf('many/load/'));
  const { Status } = await at.redshift.send(new DescribeStatementCommand({ Id: oldest }));
  assert.equal(Status, 'ABORTED');
});
