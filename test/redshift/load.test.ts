import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { COPY_ROLE, openWarehouse, type Warehouse } from './warehouse.ts';

let warehouse: Warehouse;
before(async () => {
  warehouse = await openWarehouse();
});
after(() => warehouse[Symbol.asyncDispose]());

const copy = (table: string, key: string, options = '') =>
  `COPY ${table} FROM 's3://stage/${key}' IAM_ROLE '${COPY_ROLE}' FORMAT AS CSV ${options}`;

test('a load of a large table: stage, copy by manifest, deduplicate, merge, all in one transaction', async () => {
  await warehouse.ok(
    'CREATE TABLE IF NOT EXISTS "film" ("id" INTEGER NOT NULL, "title" VARCHAR(40), "at" TIMESTAMP, "data" SUPER, PRIMARY KEY ("id")) DISTSTYLE AUTO SORTKEY AUTO',
    `INSERT INTO film (id, title) VALUES (1, 'old'), (9, 'stays')`,
  );
  warehouse.put('a.zst', '1,"new",2024-01-02 03:04:05.678901,"{""a"": 1}"\n2,"",~,~\n', 'zstd');
  warehouse.put('b.zst', '1,"newest",~,~\n3,"é ""q""\nline",~,[1]', 'zstd');
  const url = (key: string) => ({ url: `s3://stage/${key}`, mandatory: true });
  warehouse.put('m.json', JSON.stringify({ entries: [url('a.zst'), url('b.zst')] }));
  const result = await warehouse.batch([
    'CREATE TEMP TABLE stage (LIKE film)',
    copy(
      'stage ("id", "title", "at", "data")',
      'm.json',
      `MANIFEST ZSTD NULL AS '~' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF`,
    ),
    `CREATE TEMP TABLE "newest" AS SELECT "id", "title", "at", "data" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "id" ORDER BY "at" DESC NULLS LAST) AS "place" FROM "stage") AS s WHERE "place" = 1`,
    `MERGE INTO "public"."film" USING "newest" AS s ON "film"."id" = s."id" WHEN MATCHED THEN UPDATE SET "title" = s."title", "at" = s."at", "data" = s."data" WHEN NOT MATCHED THEN INSERT ("id", "title", "at", "data") VALUES (s."id", s."title", s."at", s."data")`,
    'SELECT 1 / CASE WHEN (SELECT COUNT(*) FROM "stage") = 4 THEN 1 ELSE 0 END',
    'DROP TABLE stage',
  ]);
  assert.equal(result.Error, undefined);
  assert.equal(result.Status, 'FINISHED');
  assert.deepEqual(
    result.SubStatements?.map(({ ResultRows }) => ResultRows),
    [-1, 4, -1, 3, 1, -1],
  );
  assert.deepEqual(await warehouse.rows('SELECT id, title, "at", data FROM film ORDER BY id'), [
    [1, 'new', '2024-01-02 03:04:05.678901', '{"a":1}'],
    [2, '', null, null],
    [3, 'é "q"\nline', null, '[1]'],
    [9, 'stays', null, null],
  ]);
});

test('an append of small deltas: anti-join insert of what is not there yet', async () => {
  await warehouse.ok(
    'CREATE TABLE events (id BIGINT NOT NULL, what VARCHAR(10))',
    `INSERT INTO events VALUES (1, 'one')`,
  );
  warehouse.put('delta/1.zst', '1,"one"\n2,"two"\n', 'zstd');
  const result = await warehouse.batch([
    'CREATE TEMP TABLE "stage" (LIKE events)',
    copy('stage (id, what)', 'delta/1.zst', 'ZSTD'),
    'INSERT INTO events (id, what) SELECT s.id, s.what FROM stage s WHERE NOT EXISTS (SELECT 1 FROM events t WHERE t.id = s.id)',
  ]);
  assert.equal(result.Status, 'FINISHED');
  assert.deepEqual(await warehouse.rows('SELECT id, what FROM events ORDER BY 1'), [
    [1, 'one'],
    [2, 'two'],
  ]);
});

test('a failing statement undoes the whole batch, and the rest is aborted', async () => {
  await warehouse.ok('CREATE TABLE whole (id INT)');
  const result = await warehouse.batch([
    'INSERT INTO whole VALUES (1)',
    'SELECT 1 / 0',
    'INSERT INTO whole VALUES (2)',
  ]);
  assert.equal(result.Status, 'FAILED');
  assert.equal(result.Error, 'Query #2 failed with ERROR: division by zero');
  assert.deepEqual(
    result.SubStatements?.map(({ Status }) => Status),
    ['FINISHED', 'FAILED', 'ABORTED'],
  );
  assert.deepEqual(await warehouse.rows('SELECT COUNT(*) FROM whole'), [[0]]);
});
