import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keysBelow, linesBelow } from './bucket.ts';
import { bench, type TestJob } from './harness.ts';
import { metricSum } from './metrics.ts';

const server = bench();

/** Rows 1 to 5 are ordinary but for one value each; row 6 is NULL throughout, row 7 at the ends of what fits. */
const ODD = `
  CREATE TABLE odd (id bigint PRIMARY KEY, body text, due timestamptz, day date, ratio float8, price numeric(10,2), doc jsonb, raw json, data bytea);
  INSERT INTO odd SELECT n, 'body ' || n, '2024-02-29 12:00:00.000001+00', '2024-02-29', 0.1, 9.99, '{"a": 1}', '{"b": 2}', '\\x00' FROM generate_series(1, 5) n;
  UPDATE odd SET body = repeat('ü', 40000) WHERE id = 1;
  UPDATE odd SET due = 'infinity', day = '0044-03-15 BC' WHERE id = 2;
  UPDATE odd SET due = '-infinity', ratio = 'NaN', price = 'NaN' WHERE id = 3;
  UPDATE odd SET doc = jsonb_build_object('deep', jsonb_build_array(repeat('x', 65536))), raw = '"\\u0000"' WHERE id = 4;
  UPDATE odd SET data = '', ratio = '-Infinity' WHERE id = 5;
  INSERT INTO odd (id) VALUES (6);
  INSERT INTO odd VALUES (7, repeat('ü', 32767) || 'x', '294276-12-31 23:59:59.999999+00', '0001-01-01', 5e-324, 99999999.99,
    jsonb_build_object(repeat('k', 1000), repeat('x', 65535)), '"\\\\u0000"', decode(repeat('00', 100000), 'hex'));`;

/** Names that every object of JavaScript answers to. */
const INHERITED = `
  CREATE TABLE "constructor" ("hasOwnProperty" int, "valueOf" text, "toString" bytea, PRIMARY KEY ("hasOwnProperty", "valueOf"));
  INSERT INTO "constructor" VALUES (1, 'a', ''), (2, 'a', ''), (3, 'a', '\\x00');`;

const CHANGING = { oversizeText: 'truncate', outOfRangeTime: 'clamp', oversizeDocument: 'null' } as const;

const listing = async (job: TestJob): Promise<Record<string, unknown>[]> =>
  (await linesBelow(server, `changed/${job.jobId}/`)).map((line) => JSON.parse(line));

test('by default a value that does not fit stops its table before anything is loaded, and says where it stands', async () => {
  const job = await server.job(ODD);
  await job.setup();
  const run = await job.run();
  const error = run.tables.odd?.error ?? '';
  assert.match(
    error,
    /^ValueRefused: odd: 1 value of the column "body", VARCHAR\(65535\) in the warehouse, is longer than/,
  );
  assert.match(error, /column "doc", SUPER in the warehouse, is too large for SUPER/);
  assert.match(error, /column "raw", SUPER in the warehouse, is too large for SUPER, VARBYTE or GEOMETRY/);
  assert.doesNotMatch(error, /"due"|"ratio"|"data"/, 'what becomes NULL by default stops nothing');
  assert.deepEqual(await job.rows('SELECT * FROM $.odd'), []);
  assert.deepEqual(await keysBelow(server, `stage/${job.jobId}/`), [], 'nothing is left in the stage');

  const [, find = ''] =
    /correct what (SELECT .*?;) finds, or choose the policy oversizeText: truncate or null/.exec(error) ?? [];
  assert.deepEqual(
    (await job.source.query(find)).rows.map(({ id }) => id),
    ['1'],
    'the statement finds the row',
  );
});

test('what policies change is loaded as they say, counted, listed by key, and expected by the comparison', async () => {
  const job = await server.job(`${ODD} ${INHERITED}`, { policies: CHANGING });
  await job.setup();
  const before = metricSum(server, 'ValuesChanged');
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run.tables));
  assert.equal(metricSum(server, 'ValuesChanged') - before, 12, 'a metric that can be alarmed on');
  assert.deepEqual(run.tables.odd?.changed, {
    oversizeText: 1,
    outOfRangeTime: 3,
    notANumber: 3,
    oversizeDocument: 2,
    emptyBinary: 1,
  });
  assert.deepEqual(run.tables.odd?.changedColumns, {
    body: { oversizeText: 1 },
    due: { outOfRangeTime: 2 },
    day: { outOfRangeTime: 1 },
    ratio: { notANumber: 2 },
    price: { notANumber: 1 },
    doc: { oversizeDocument: 1 },
    raw: { oversizeDocument: 1 },
    data: { emptyBinary: 1 },
  });
  assert.deepEqual(new Map(Object.entries(run.tables)).get('constructor')?.changedColumns, {
    toString: { emptyBinary: 2 },
  });
  const rows = await job.rows(`
    SELECT id, octet_length(body) AS bytes, right(body, 1) AS last, due::text, day::text, ratio, price, doc IS NULL AS doc, raw IS NULL AS raw,
      data IS NULL AS data FROM $.odd WHERE id < 6 ORDER BY id`);
  const plain = {
    bytes: 6,
    due: '2024-02-29 12:00:00.000001+00',
    day: '2024-02-29',
    ratio: 0.1,
    price: '9.99',
    doc: false,
    raw: false,
    data: false,
  };
  assert.deepEqual(rows, [
    { ...plain, id: '1', bytes: 65534, last: 'ü' },
    { ...plain, id: '2', last: '2', due: '294276-12-31 23:59:59.999999+00', day: '0001-01-01' },
    { ...plain, id: '3', last: '3', due: '0001-01-01 00:00:00+00', ratio: null, price: null },
    { ...plain, id: '4', last: '4', doc: true, raw: true },
    { ...plain, id: '5', last: '5', data: true, ratio: null },
  ]);
  assert.deepEqual(await job.differing(), []);
  const listed = (await listing(job)).map(({ key, column, policy, bytes }) => [
    Object.entries(key as object).join(),
    column,
    policy,
    bytes,
  ]);
  assert.deepEqual(listed.toSorted(), [
    ['hasOwnProperty,1,valueOf,a', 'toString', 'emptyBinary', 2],
    ['hasOwnProperty,2,valueOf,a', 'toString', 'emptyBinary', 2],
    ['id,1', 'body', 'oversizeText', 80000],
    ['id,2', 'day', 'outOfRangeTime', 13],
    ['id,2', 'due', 'outOfRangeTime', 8],
    ['id,3', 'due', 'outOfRangeTime', 9],
    ['id,3', 'price', 'notANumber', 3],
    ['id,3', 'ratio', 'notANumber', 3],
    ['id,4', 'doc', 'oversizeDocument', 65550],
    ['id,4', 'raw', 'oversizeDocument', 8],
    ['id,5', 'data', 'emptyBinary', 2],
    ['id,5', 'ratio', 'notANumber', 9],
  ]);
});

test('a value that changed behind a policy is a difference, and one that a policy refuses is never identical', async () => {
  const job = await server.job(ODD, { policies: CHANGING });
  await job.setup();
  await job.run();
  await job.warehouse.query(`UPDATE "${job.schema}".odd SET due = '2024-01-01' WHERE id = 2`);
  assert.deepEqual(await job.differing(), ['odd']);
  await job.warehouse.query(`UPDATE "${job.schema}".odd SET due = '294276-12-31 23:59:59.999999+00' WHERE id = 2`);
  assert.deepEqual(await job.differing(), []);
  await job.edit('odd', { policies: { outOfRangeTime: 'error' } });
  assert.deepEqual(await job.differing(), ['odd']);
});

test("a table's own policy comes before its job's, and a large table's chunks count and list like small deltas", async () => {
  const job = await server.job(
    `CREATE TABLE many (id bigserial PRIMARY KEY, body text, due timestamp);
     INSERT INTO many (body, due) SELECT CASE WHEN n % 1000 = 0 THEN repeat('é', 33000) ELSE 'b' || n END, CASE WHEN n % 2000 = 0 THEN 'infinity'::timestamp END
     FROM generate_series(1, 12000) n`,
    { rowLimit: 8000, chunkSize: 1500, policies: { oversizeText: 'null' } },
  );
  await job.setup();
  await job.edit('many', { policies: { oversizeText: 'truncate' } });
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run.tables));
  assert.deepEqual(run.tables.many?.changed, { oversizeText: 12, outOfRangeTime: 6 });
  assert.deepEqual(await job.differing(), []);
  assert.equal((await job.rows('SELECT count(*)::int AS n FROM $.many WHERE octet_length(body) = 65534'))[0]?.n, 12);
  assert.equal((await listing(job)).length, 18);
});

test("a key's values are never changed, whatever the policy", async () => {
  const job = await server.job(
    `CREATE TABLE moments (at timestamptz PRIMARY KEY, note text); INSERT INTO moments VALUES ('infinity', 'end'), (now(), 'now')`,
    { policies: { outOfRangeTime: 'clamp' } },
  );
  await job.setup();
  const run = await job.run();
  assert.match(
    run.tables.moments?.error ?? '',
    /^ValueRefused: moments: 1 value of the column "at".*a key's values are never changed/,
  );
  assert.deepEqual(await job.rows('SELECT * FROM $.moments'), []);
});

test('json that jsonb refuses, where no policy looks, stops its table and says what to do; the others go on', async () => {
  const job = await server.job(`
    CREATE TABLE lists (id int PRIMARY KEY, docs json[]);
    INSERT INTO lists VALUES (1, ARRAY['"\\u0000"'::json]);
    CREATE TABLE numbers (id int PRIMARY KEY, doc json);
    INSERT INTO numbers VALUES (1, '[1e200000]');
    CREATE TABLE well (id int PRIMARY KEY)`);
  await job.setup();
  const { tables } = await job.run();
  for (const name of ['lists', 'numbers'])
    assert.match(
      tables[name]?.error ?? '',
      new RegExp(
        `^TableUnreadable: public.${name}: .*a json value, .*: correct it at the source, or exclude its column by treat$`,
      ),
    );
  assert.equal(tables.well?.error, undefined);
  await job.edit('lists', { treat: { docs: 'exclude' } });
  await job.edit('numbers', { treat: { doc: 'exclude' } });
  assert.equal((await job.run()).status, 'succeeded');
});
