import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openWarehouse, type Warehouse } from './warehouse.ts';

let warehouse: Warehouse;
before(async () => {
  warehouse = await openWarehouse();
});
after(() => warehouse[Symbol.asyncDispose]());

const fails = async (sql: string, message: RegExp) =>
  assert.match((await warehouse.run(sql)).Error ?? 'succeeded', message);

test('declared keys are informational: duplicates go in, NULL does not', async () => {
  await warehouse.ok('CREATE TABLE keys (id INT PRIMARY KEY, b INT UNIQUE)', 'INSERT INTO keys VALUES (1, 1), (1, 1)');
  await fails('INSERT INTO keys VALUES (NULL, 1)', /Cannot insert a NULL value into column id/);
  await warehouse.ok('CREATE TABLE keys2 (a INT, b INT, PRIMARY KEY (b, a))');
  await fails('INSERT INTO keys2 VALUES (1, NULL)', /Cannot insert a NULL value into column b/);
});

test('VARCHAR counts bytes in INSERT, UPDATE, after LIKE and after AS', async () => {
  await warehouse.ok('CREATE TABLE bytes (id INT NOT NULL, a VARCHAR(3))', `INSERT INTO bytes VALUES (1, 'abc')`);
  await fails(`INSERT INTO bytes VALUES (2, 'éé')`, /Value too long for character type/);
  await fails(`UPDATE bytes SET a = 'éé'`, /Value too long for character type/);
  await warehouse.ok('CREATE TABLE bytes_like (LIKE bytes)');
  await fails(`INSERT INTO bytes_like VALUES (2, 'éé')`, /Value too long for character type/);
  await fails(`INSERT INTO bytes_like VALUES (NULL, 'a')`, /Cannot insert a NULL value into column id/);
  await warehouse.ok('CREATE TABLE bytes_as AS SELECT id, a FROM bytes');
  await fails(`INSERT INTO bytes_as VALUES (2, 'éé')`, /Value too long for character type/);
});

test('a cast to VARCHAR(n) cuts at n bytes, at a whole character', async () => {
  assert.deepEqual(
    await warehouse.rows(`SELECT 'aéé'::VARCHAR(4), CAST('abc' AS VARCHAR(2)), CAST(NULL AS VARCHAR(2))`),
    [['aé', 'ab', null]],
  );
});

test('a VARCHAR can be resized, under the conditions of the manual', async () => {
  await warehouse.ok(
    `CREATE TABLE wide (id VARCHAR(9) PRIMARY KEY, a VARCHAR(3), d VARCHAR(3) DEFAULT 'x', e VARCHAR(3) ENCODE text255)`,
    'ALTER TABLE wide ALTER COLUMN a TYPE VARCHAR(8)',
    `INSERT INTO wide (id, a) VALUES ('1', 'ééé')`,
  );
  await fails(`INSERT INTO wide (id, a) VALUES ('1', 'ééééé')`, /Value too long/);
  await fails('ALTER TABLE wide ALTER COLUMN a TYPE VARCHAR(5)', /existing values are longer/);
  await fails('ALTER TABLE wide ALTER COLUMN id TYPE VARCHAR(20)', /PRIMARY KEY/);
  await fails('ALTER TABLE wide ALTER COLUMN d TYPE VARCHAR(20)', /DEFAULT/);
  await fails('ALTER TABLE wide ALTER COLUMN e TYPE VARCHAR(20)', /ENCODE text255/);
  const batch = await warehouse.batch(['SELECT 1', 'ALTER TABLE wide ALTER COLUMN a TYPE VARCHAR(10)']);
  assert.equal(
    batch.Error,
    'Query #2 failed with ERROR: ALTER TABLE ALTER COLUMN TYPE cannot run inside a transaction block',
  );
});

test('a column that is a sort or distribution key can not be dropped, whatever it is called by then', async () => {
  await warehouse.ok(
    'CREATE TABLE sorted (a INT, b INT, c INT, s SUPER) DISTSTYLE KEY DISTKEY (a) SORTKEY (b, c)',
    'CREATE TABLE IF NOT EXISTS sorted2 (a INT DISTKEY SORTKEY, b INT)',
    'ALTER TABLE sorted RENAME COLUMN b TO d',
  );
  await fails('ALTER TABLE sorted DROP COLUMN a', /cannot drop distkey column "a"/);
  await fails('ALTER TABLE sorted DROP COLUMN d', /cannot drop sortkey column "d"/);
  await fails('ALTER TABLE sorted DROP COLUMN c CASCADE', /cannot drop sortkey column "c"/);
  await fails('ALTER TABLE sorted2 DROP COLUMN a', /cannot drop distkey column "a"/);
  await fails('ALTER TABLE sorted ALTER SORTKEY (nope)', /column "nope" named in key does not exist/);
  await fails('ALTER TABLE sorted ALTER SORTKEY (s)', /column "s" cannot be a distribution or sort key/);
  await warehouse.ok(
    'ALTER TABLE sorted ALTER SORTKEY NONE',
    'ALTER TABLE sorted DROP COLUMN d',
    'ALTER TABLE sorted ALTER DISTSTYLE EVEN',
    'ALTER TABLE sorted DROP COLUMN a',
    'ALTER TABLE sorted ALTER SORTKEY (c)',
  );
  await fails('ALTER TABLE sorted DROP COLUMN c', /cannot drop sortkey column "c"/);
});

test('a renamed column keeps its limit, and can be resized', async () => {
  await warehouse.ok('CREATE TABLE renamed (a VARCHAR(2))', 'ALTER TABLE renamed RENAME COLUMN a TO b');
  await fails(`INSERT INTO renamed VALUES ('éa')`, /Value too long/);
  await warehouse.ok('ALTER TABLE renamed ALTER COLUMN b TYPE VARCHAR(4)', `INSERT INTO renamed VALUES ('éa')`);
});

test('CREATE TABLE IF NOT EXISTS leaves a table that is there as it is, keys and all', async () => {
  await warehouse.ok(
    'CREATE TABLE once (a VARCHAR(3))',
    'CREATE TABLE IF NOT EXISTS once (a VARCHAR(3) PRIMARY KEY, b INT)',
  );
  await warehouse.ok('ALTER TABLE once ALTER COLUMN a TYPE VARCHAR(5)', 'INSERT INTO once VALUES (NULL)');
});

test('TRUNCATE and VACUUM are refused in a batch and run alone', async () => {
  await warehouse.ok('CREATE TABLE alone (a INT)', 'INSERT INTO alone VALUES (1)');
  for (const sql of ['TRUNCATE alone', 'VACUUM alone']) {
    assert.match((await warehouse.batch([sql])).Error ?? '', /cannot run inside a transaction block/);
    await warehouse.ok(sql);
  }
  assert.deepEqual(await warehouse.rows('SELECT COUNT(*) FROM alone'), [[0]]);
});

test('a temporary table lives for one call', async () => {
  await warehouse.ok('CREATE TEMP TABLE fleeting (a INT)');
  await fails('SELECT * FROM fleeting', /relation "fleeting" does not exist/);
});

test("infinity and values beyond Redshift's range are refused", async () => {
  await warehouse.ok('CREATE TABLE range (a TIMESTAMP, b DATE, c DECIMAL(19,2), d DECIMAL(10,2))');
  await fails(`INSERT INTO range (a) VALUES ('infinity')`, /out of range/);
  await fails(`INSERT INTO range (b) VALUES ('-infinity')`, /out of range/);
  await fails(`INSERT INTO range (c) VALUES (92233720368547758.08)`, /out of range/);
  await fails(`INSERT INTO range (d) VALUES ('NaN')`, /out of range/);
  await warehouse.ok(
    `INSERT INTO range VALUES ('294276-12-31 23:59:59.999999', '294276-12-31', 92233720368547758.07, 1)`,
  );
});

test("SUPER refuses what it can't hold, by INSERT as by COPY", async () => {
  await warehouse.ok('CREATE TABLE holds (a SUPER)', `INSERT INTO holds SELECT JSON_PARSE('["x"]')`);
  await fails(
    `INSERT INTO holds SELECT JSON_PARSE('["' || REPEAT('x', 65536) || '"]')`,
    /Invalid SUPER value in column a/,
  );
  await fails(
    `INSERT INTO holds SELECT JSON_PARSE(REPEAT('[', 1002) || REPEAT(']', 1002))`,
    /Invalid SUPER value in column a/,
  );
});

test("the catalog shows Redshift's types, and lengths in bytes", async () => {
  await warehouse.ok(
    'CREATE SCHEMA cat',
    'CREATE TABLE cat.t (a VARCHAR(30) NOT NULL, b SUPER, c VARBYTE(20), d DECIMAL(12,3), e TIMESTAMPTZ, f CHAR(4))',
  );
  const wanted = [
    ['a', 'character varying', 30, 'NO'],
    ['b', 'super', null, 'YES'],
    ['c', 'binary varying', 20, 'YES'],
    ['d', 'numeric', null, 'YES'],
    ['e', 'timestamp with time zone', null, 'YES'],
    ['f', 'character', 4, 'YES'],
  ];
  for (const view of ['svv_columns', 'information_schema.columns', 'pg_catalog.svv_columns']) {
    const sql = `SELECT column_name, data_type, character_maximum_length, is_nullable FROM ${view} WHERE table_schema = 'cat' AND table_name = 't' ORDER BY ordinal_position`;
    assert.deepEqual(await warehouse.rows(sql), wanted, view);
  }
  assert.deepEqual(
    await warehouse.rows(`SELECT data_type FROM svv_redshift_columns WHERE table_name = 't' AND column_name = 'd'`),
    [['numeric(12,3)']],
  );
  assert.deepEqual(await warehouse.rows(`SELECT table_name FROM svv_tables WHERE table_schema = 'cat'`), [['t']]);
  assert.deepEqual(await warehouse.rows('SHOW TABLES FROM SCHEMA warehouse.cat'), [['warehouse', 'cat', 't', 'TABLE']]);
  assert.deepEqual(await warehouse.rows(`SELECT COUNT(*) FROM pg_table_def WHERE tablename = 't'`), [[0]]);
});

test('MERGE updates what matches, inserts the rest, and both of two equal new rows', async () => {
  await warehouse.ok('CREATE TABLE target (id INT, name CHAR(10))', 'CREATE TABLE source (id INT, name CHAR(10))');
  await warehouse.ok(
    `INSERT INTO target VALUES (101, 'Bob'), (102, 'John')`,
    `INSERT INTO source VALUES (102, 'Tony'), (104, 'Al'), (104, 'Al')`,
  );
  const merge = `MERGE INTO target USING source ON target.id = source.id WHEN MATCHED THEN UPDATE SET id = source.id, name = source.name
    WHEN NOT MATCHED THEN INSERT VALUES (source.id, source.name)`;
  assert.equal((await warehouse.run(merge)).ResultRows, 3);
  assert.deepEqual(await warehouse.rows('SELECT id, RTRIM(name) FROM target ORDER BY id'), [
    [101, 'Bob'],
    [102, 'Tony'],
    [104, 'Al'],
    [104, 'Al'],
  ]);
  await warehouse.ok(`INSERT INTO source VALUES (101, 'x'), (101, 'y')`);
  await fails(merge, /^ERROR: Found multiple matches to update the same tuple\.$/);
  await fails('MERGE INTO target USING source ON target.id = source.id REMOVE DUPLICATES', /Found multiple matches/);
});

test('MERGE REMOVE DUPLICATES does as in the manual', async () => {
  await warehouse.ok('CREATE TABLE target2 (id INT, name CHAR(10))', 'CREATE TABLE source2 (id INT, name CHAR(10))');
  await warehouse.ok(
    `INSERT INTO target2 VALUES (30, 'Tony'), (30, 'Daisy'), (11, 'Alice'), (23, 'Bill'), (23, 'Nikki')`,
  );
  await warehouse.ok(`INSERT INTO source2 VALUES (23, 'David'), (22, 'Clarence')`);
  await warehouse.ok('MERGE INTO target2 USING source2 ON target2.id = source2.id REMOVE DUPLICATES');
  assert.deepEqual(await warehouse.rows('SELECT id, RTRIM(name) FROM target2 ORDER BY 1, 2'), [
    [11, 'Alice'],
    [22, 'Clarence'],
    [23, 'David'],
    [30, 'Daisy'],
    [30, 'Tony'],
  ]);
});

test('a view is bound to its table: the table can be dropped only with it', async () => {
  await warehouse.ok('CREATE TABLE seen (a INT)', 'CREATE VIEW sees AS SELECT a FROM seen');
  await fails('DROP TABLE seen', /other objects depend on it/);
  await warehouse.ok('DROP TABLE seen CASCADE');
});

const VALUES: [expression: string, value: unknown][] = [
  [`STRTOL('deadbeef', 16)`, 3735928559],
  [`STRTOL('-7f', 16)`, -127],
  [`SHA2('abc', 256)`, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [`MD5('')`, 'd41d8cd98f00b204e9800998ecf8427e'],
  [`LEN('né')`, 2],
  [`OCTET_LENGTH('né')`, 3],
  [`NVL(NULL, 'x')`, 'x'],
  [`NVL2(NULL, 'a', 'b')`, 'b'],
  [`DECODE(NULL, 1, 'one', NULL, 'none')`, 'none'],
  [`CONCAT('a', NULL)`, null],
  [`TO_HEX(255)`, 'ff'],
  [`FROM_VARBYTE(TO_VARBYTE('00ff', 'hex'), 'hex')`, '00ff'],
  [`FROM_HEX('00ff')`, '00ff'],
  [`JSON_SERIALIZE(JSON_PARSE('{"b": [1, 2.50], "a": "x y"}'))`, '{"a":"x y","b":[1,2.50]}'],
  [`CONVERT_TIMEZONE('UTC', 'Europe/Rome', '2024-07-01 12:00:00'::TIMESTAMP)::VARCHAR`, '2024-07-01 14:00:00'],
  [`DATEDIFF(day, '2023-12-31 23:59:00', '2024-01-01 00:00:00')`, 1],
  [`DATEDIFF(quarter, '2023-12-31', '2024-04-01')`, 2],
  [`DATEADD(month, 1, '2024-01-31'::TIMESTAMP)::VARCHAR`, '2024-02-29 00:00:00'],
  [`(SELECT LISTAGG(x.a, '-') WITHIN GROUP (ORDER BY x.a DESC) FROM (SELECT 1 AS a UNION ALL SELECT 2) AS x)`, '2-1'],
  [`TRUE`, true],
  [`1.5::DOUBLE PRECISION`, 1.5],
  [`1.50::DECIMAL(5,2)`, '1.50'],
  [`TRIM(BOTH 'x' FROM 'xax')`, 'a'],
  [`POSITION('b' IN 'abc')`, 2],
  [`EXTRACT(epoch FROM TIMESTAMP '1970-01-02')::INT`, 86400],
  [`NOT (1 = 2 OR NULL IS NOT NULL)`, true],
  [`CASE 1 WHEN 1 THEN 'y' END`, 'y'],
  [`CONVERT(INTEGER, '5')`, 5],
];
for (const [expression, value] of VALUES) {
  test(`${expression} is ${JSON.stringify(value)}`, async () =>
    assert.deepEqual(await warehouse.rows(`SELECT ${expression}`), [[value]]));
}
