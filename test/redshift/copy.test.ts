import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { COPY_ROLE, openWarehouse, type Warehouse } from './warehouse.ts';

let warehouse: Warehouse;
let count = 0;
/** A fresh table and key prefix for each test */
let name = '';
before(async () => {
  warehouse = await openWarehouse();
});
beforeEach(() => {
  name = `t${++count}`;
});
after(() => warehouse[Symbol.asyncDispose]());

const copy = (key: string, options = '') =>
  warehouse.run(`COPY ${name} FROM 's3://stage/${key}' IAM_ROLE '${COPY_ROLE}' FORMAT AS CSV ${options}`);

/** Creates the table, loads the text, and answers with the rows or the error. */
async function load(columns: string, csv: string | Buffer, options = ''): Promise<unknown[][] | string> {
  await warehouse.ok(`CREATE TABLE ${name} (${columns})`);
  warehouse.put(name, csv);
  const { Status, Error: text = '' } = await copy(name, options);
  return Status === 'FINISHED' ? warehouse.rows(`SELECT * FROM ${name} ORDER BY 1`) : text;
}

const firstError = async () =>
  (await warehouse.pool.query('SELECT * FROM redshift.load_errors WHERE table_name = $1', [name])).rows[0];

/** A load that has to fail, and why. */
async function loadError(columns: string, csv: string | Buffer, options = ''): Promise<string> {
  assert.equal(
    await load(columns, csv, options),
    `ERROR: Load into table '${name}' failed.  Check 'sys_load_error_detail' system table for details.`,
  );
  assert.deepEqual(await warehouse.rows(`SELECT COUNT(*) FROM ${name}`), [[0]]);
  const { line_number, column_name, error_code, error_message } = await firstError();
  return `${line_number} ${column_name} ${error_code} ${error_message}`;
}

test('an empty unquoted field is an empty string in VARCHAR and NULL in other types', async () => {
  assert.deepEqual(await load('a VARCHAR(5), b INT, c DATE, d SUPER', ',,,\n"",1,2024-02-29,""\n'), [
    ['', null, null, null],
    ['', 1, '2024-02-29', null],
  ]);
});

test('EMPTYASNULL and BLANKSASNULL make NULL of text, too', async () => {
  assert.deepEqual(await load('a INT, b VARCHAR(5), c VARCHAR(5)', '1,,   \n', 'EMPTYASNULL BLANKSASNULL'), [
    [1, null, null],
  ]);
});

test('the NULL marker is NULL where it stands unquoted, and text in quotes', async () => {
  assert.deepEqual(await load('a INT, b VARCHAR(5)', '1,~\n2,"~"\n', `NULL AS '~'`), [
    [1, null],
    [2, '~'],
  ]);
});

test('the default marker is \\N', async () => {
  assert.deepEqual(await load('a INT, b VARCHAR(5)', '1,\\N\n'), [[1, null]]);
});

test('quotes double, and delimiters and newlines stand inside quotes', async () => {
  assert.deepEqual(await load('a INT, b VARCHAR(50)', '1,"say ""a, b""\r\nand\n\\."\n2,\\\n'), [
    [1, 'say "a, b"\r\nand\n\\.'],
    [2, '\\'],
  ]);
});

test('a line that ends the data for Postgres is a value like any other', async () => {
  assert.deepEqual(await load('a VARCHAR(9)', '1\n\\.\n2\n'), [['1'], ['2'], ['\\.']]);
});

test('the careful way reads quotes and newlines like the fast one', async () => {
  assert.deepEqual(await load('a INT, b VARCHAR(50), c VARBYTE', '1,"say ""a, b""\r\nand\n\\.\t",00fF\r\n2,\\,\r\n'), [
    [1, 'say "a, b"\r\nand\n\\.\t', '00ff'],
    [2, '\\', null],
  ]);
});

test('DELIMITER, QUOTE and IGNOREHEADER are followed', async () => {
  assert.deepEqual(await load('a INT, b VARCHAR(9)', `a;b\n1;'x;''y'\n`, `DELIMITER ';' QUOTE '''' IGNOREHEADER 1`), [
    [1, `x;'y`],
  ]);
});

test('VARCHAR counts bytes', async () => {
  assert.equal(await loadError('a INT, b VARCHAR(3)', '1,éa\n2,éé\n'), '2 b 1204 String length exceeds DDL length');
});

test('TRUNCATECOLUMNS cuts at a whole character', async () => {
  assert.deepEqual(await load('a INT, b VARCHAR(3)', '1,éé\n', 'TRUNCATECOLUMNS'), [[1, 'é']]);
});

test('CHAR takes single-byte characters only', async () => {
  assert.match(await loadError('a INT, b CHAR(9)', '1,é\n'), /^1 b 1220 Multibyte character not supported for CHAR/);
});

test('decimals are cut off, with ROUNDEC rounded', async () => {
  assert.deepEqual(await load('a DECIMAL(8,2)', '20.259\n-0.999\n5\n'), [['-0.99'], ['5.00'], ['20.25']]);
  name += 'r';
  assert.deepEqual(await load('a DECIMAL(8,2)', '20.259\n', 'ROUNDEC'), [['20.26']]);
});

test('a decimal that does not fit fails the load', async () => {
  assert.match(await loadError('a DECIMAL(4,2)', '100\n'), /^1 a 1204 Numeric data overflow/);
});

test('VARBYTE is hexadecimal text of at most its bytes', async () => {
  assert.match(await loadError('a VARBYTE(2)', '0102\n010203\n'), /^2 a 1204 /);
  name += 'r';
  assert.match(await loadError('a VARBYTE(2)', 'xy\n'), /^1 a 1219 /);
});

test('SUPER is JSON within its limits', async () => {
  assert.deepEqual(await load('a INT, b SUPER', '1,"{""a"": [1, ""x""]}"\n2,null\n'), [
    [1, '{"a":[1,"x"]}'],
    [2, 'null'],
  ]);
  name += 'r';
  assert.match(await loadError('b SUPER', '{oops\n'), /^1 b 1224 Invalid JSON/);
});

test('SUPER strings of more than 65,535 bytes and more than 1,000 levels are refused', async () => {
  assert.match(
    await loadError('a INT, b SUPER', `1,"[""${'x'.repeat(65_536)}""]"\n`),
    /1224 String value exceeds the max size/,
  );
  name += 'r';
  assert.match(await loadError('a INT, b SUPER', `1,"${'['.repeat(1002)}${']'.repeat(1002)}"\n`), /1224 SUPER nesting/);
  name += 'r';
  await warehouse.ok(`CREATE TABLE ${name} (a INT, b SUPER)`);
  warehouse.put(name, `1,"[""${'x'.repeat(65_535)}""]"\n`);
  assert.equal((await copy(name)).ResultRows, 1);
});

const FAULTS: [columns: string, csv: string | Buffer, error: string][] = [
  ['a INT', 'x1\n', `1 a 1207 Invalid digit, Value 'x', Pos 0, Type: Integer `],
  ['a INT, b SMALLINT', '1,40000\n', '1 b 1222 Overflow, Type: Short'],
  ['a BIGINT', '9223372036854775808\n', '1 a 1222 Overflow, Type: Long'],
  ['a INT NOT NULL, b INT', '1,1\n,2\n', '2 a 1213 Missing data for not-null field'],
  ['a INT, b INT', '1,1\n2\n', '2 b 1214 Delimiter not found'],
  ['a INT', '1\n2,3\n', '2 null 1202 Extra column(s) found'],
  ['a VARCHAR(9)', 'ok\n"open\n', '2 null 1214 Invalid quote formatting for CSV'],
  ['a BOOLEAN', 'perhaps\n', '1 a 1210 Unknown boolean format'],
  ['a DATE', '2023-02-29\n', '1 a 1205 Invalid Date Format or value'],
  ['a TIMESTAMP', 'infinity\n', '1 a 1206 Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]'],
  ['a DOUBLE PRECISION', '1.x\n', `1 a 1207 Invalid digit, Value 'x', Pos 2, Type: Double `],
  [
    'a VARCHAR(9)',
    Buffer.from([0x61, 0xff, 0x0a]),
    '1 a 1220 String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: ff 0a (error 3)',
  ],
];
for (const [columns, csv, error] of FAULTS) {
  test(`a load fails by name: ${error}`, async () => {
    const found = await loadError(columns, csv);
    assert.equal(found.replace(/ 0a \(error/, ' (error'), error.replace(/ 0a \(error/, ' (error'));
  });
}

test('NaN and infinity are values of DOUBLE PRECISION, also over the wire', async () => {
  assert.deepEqual(await load('a DOUBLE PRECISION', '-Infinity\n1.5\nNaN\n'), [[-Infinity], [1.5], [NaN]]);
});

test('ACCEPTINVCHARS replaces byte by byte', async () => {
  assert.deepEqual(
    await load('a VARCHAR(9)', Buffer.from([0x61, 0xff, 0xfe, 0xc3, 0xa9, 0x0a]), `ACCEPTINVCHARS AS '^'`),
    [['a^^é']],
  );
});

test('MAXERROR leaves out fewer rows than it says, and lists them', async () => {
  assert.deepEqual(await load('a INT', '1\nx\n3\n', 'MAXERROR 2'), [[1], [3]]);
  assert.equal((await firstError()).line_number, '2');
  name += 'r';
  assert.match(String(await load('a INT', 'y\nx\n3\n', 'MAXERROR 2')), /failed/);
});

test('load errors outlive the rollback and can be read by their query id', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(name, '1\nx\n');
  const { RedshiftQueryId, Status } = await copy(name);
  assert.equal(Status, 'FAILED');
  const rows = await warehouse.rows(
    `SELECT file_name, line_number, column_name, column_type, error_code, error_message FROM sys_load_error_detail WHERE query_id = ${RedshiftQueryId}`,
  );
  assert.deepEqual(rows, [
    [`s3://stage/${name}`, 2, 'a', 'int4', 1207, `Invalid digit, Value 'x', Pos 0, Type: Integer `],
  ]);
});

test('without MANIFEST the path is a key prefix', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(`${name}/1.csv`, '1');
  warehouse.put(`${name}/10.csv`, '10\n');
  assert.equal((await copy(`${name}/1`)).ResultRows, 2);
  assert.equal(
    (await copy(`${name}/nothing`)).Error,
    `ERROR: The specified S3 prefix '${name}/nothing' does not exist`,
  );
});

const entry = (key: string, mandatory?: boolean) => ({
  url: `s3://stage/${key}`,
  ...(mandatory === undefined ? {} : { mandatory }),
});

test('a manifest: a file listed twice is loaded twice, a missing one only fails where mandatory', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(`${name}/a`, '1\n', 'gzip');
  const list = (...entries: object[]) => warehouse.put(`${name}/m`, JSON.stringify({ entries }));
  list(entry(`${name}/a`), entry(`${name}/a`, true), entry(`${name}/missing`));
  assert.equal((await copy(`${name}/m`, 'MANIFEST GZIP')).ResultRows, 2);
  list(entry(`${name}/a`), entry(`${name}/missing`, true));
  assert.match(
    (await copy(`${name}/m`, 'MANIFEST GZIP')).Error ?? '',
    /missing: S3ServiceException:The specified key does not exist/,
  );
  assert.deepEqual(await warehouse.rows(`SELECT COUNT(*) FROM ${name}`), [[2]]);
});

test('a manifest that is none, and one that is not there, fail by name', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(`${name}/m`, '{"files": []}');
  assert.match((await copy(`${name}/m`, 'MANIFEST')).Error ?? '', /Problem reading manifest file/);
  assert.match((await copy(`${name}/none`, 'MANIFEST')).Error ?? '', /COPY with MANIFEST parameter requires full path/);
});

test('a file that is not compressed as the statement says fails by name, and leaves the session usable', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(name, '1\n');
  assert.match((await copy(name, 'GZIP')).Error ?? '', /^ERROR: Invalid GZIP file/);
  assert.match((await copy(name, 'ZSTD')).Error ?? '', /^ERROR: Invalid ZSTD file/);
  warehouse.put(name, '1\n', 'zstd');
  assert.equal((await copy(name, 'ZSTD')).ResultRows, 1);
});

test('a file of several gzip members loads whole; several zstd frames are refused rather than cut', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(name, Buffer.concat([gzipSync('1\n'), gzipSync('2\n')]));
  assert.equal((await copy(name, 'GZIP')).ResultRows, 2);
  warehouse.put(name, Buffer.concat([zstdCompressSync('1\n'), zstdCompressSync('2\n')]));
  assert.match((await copy(name, 'ZSTD')).Error ?? '', /^ERROR: Invalid ZSTD file: .* bytes follow its first frame/);
});

test('a zstd file that breaks off fails the load', async () => {
  const rows = Array.from({ length: 20_000 }, (_, at) => `${at * 7919}`).join('\n');
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(name, zstdCompressSync(Buffer.from(rows)).subarray(0, 9_000));
  assert.match((await copy(name, 'ZSTD')).Error ?? '', /^ERROR: Invalid ZSTD file/);
  assert.deepEqual(await warehouse.rows(`SELECT COUNT(*) FROM ${name}`), [[0]]);
});

test('COPY reads with its own role: what that may not read is denied', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(name, '1\n');
  warehouse.forbidden.add(name);
  assert.match(
    (await copy(name)).Error ?? '',
    /^ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied,/,
  );
  const other = 'arn:aws:iam::000000000000:role/Other';
  const { Error: text } = await warehouse.run(`COPY ${name} FROM 's3://stage/${name}' IAM_ROLE '${other}' CSV`);
  assert.match(text ?? '', /not attached to the warehouse/);
});

test('columns left out take their DEFAULT, and must not be NOT NULL', async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT, b VARCHAR(9) DEFAULT 'none', c INT NOT NULL)`);
  warehouse.put(name, '1,2\n');
  const from = `FROM 's3://stage/${name}' IAM_ROLE default CSV`;
  assert.equal((await warehouse.run(`COPY ${name} (c, a) ${from}`)).ResultRows, 1);
  assert.deepEqual(await warehouse.rows(`SELECT a, b, c FROM ${name}`), [[2, 'none', 1]]);
  assert.match((await warehouse.run(`COPY ${name} (a, b) ${from}`)).Error ?? '', /NOT NULL column without DEFAULT/);
  assert.match((await warehouse.run(`COPY ${name} (a, zz) ${from}`)).Error ?? '', /column "zz" .* does not exist/);
});

test("pg_last_copy_count() tells the rows of the session's last COPY", async () => {
  await warehouse.ok(`CREATE TABLE ${name} (a INT)`);
  warehouse.put(name, '1\n2\n');
  const result = await warehouse.batch([
    `COPY ${name} FROM 's3://stage/${name}' IAM_ROLE default CSV`,
    'SELECT 1 / CASE WHEN pg_last_copy_count() = 2 THEN 1 ELSE 0 END',
  ]);
  assert.equal(result.Status, 'FINISHED');
});
