import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translate } from '../../local/redshift/dialect.ts';
import { bench, type TestJob } from './harness.ts';
import { nothingLeft } from './nothing-left.ts';

const server = bench();

const TWO = `
  CREATE TABLE good (id bigserial PRIMARY KEY, note text);
  CREATE TABLE bad (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON bad (updated_at);
  INSERT INTO good (note) SELECT 'note ' || n FROM generate_series(1, 20) n;
  INSERT INTO bad (note) SELECT 'note ' || n FROM generate_series(1, 20) n;
  ANALYZE;`;

/** Runs the job: `bad` has failed by this very text, in the run and on the table; `good` is whole; nothing is left. */
async function fails(job: TestJob, expected: string | RegExp, table = 'bad'): Promise<void> {
  const run = await job.run();
  const match = (text: string | undefined) =>
    typeof expected === 'string' ? assert.equal(text, expected) : assert.match(text ?? '', expected);
  assert.equal(run.status, 'failed', JSON.stringify(run));
  match(run.tables[table]?.error);
  const { states } = await job.read();
  match(states.get(table)?.value.lastError);
  assert.equal(run.tables.good?.error, undefined);
  assert.deepEqual(
    await job.rows('SELECT count(*)::int AS rows FROM $.good'),
    [{ rows: 20 }],
    'the other table is there',
  );
  await nothingLeft(server, job);
}

test('a table that may not be read fails with the GRANT that it needs, and the others go on', async () => {
  const job = await server.job(
    `${TWO} CREATE ROLE "odd reader" LOGIN PASSWORD 'hush'; GRANT SELECT ON good TO "odd reader"`,
    {
      url: (url) => url.replace(/\/\/[^@]*@/, '//odd%20reader:hush@'),
    },
  );
  await job.setup();
  await fails(
    job,
    'TableUnreadable: public.bad: permission denied for table bad – run as its owner: ' +
      'GRANT USAGE ON SCHEMA "public" TO "odd reader"; GRANT SELECT ON "public"."bad" TO "odd reader";',
  );
  await job.source.query(
    'GRANT USAGE ON SCHEMA "public" TO "odd reader"; GRANT SELECT ON "public"."bad" TO "odd reader";',
  );
  assert.equal((await job.run()).status, 'succeeded');
  assert.equal((await job.read()).states.get('bad')?.value.lastError, undefined);

  const checks = async () => (await job.read()).tables.find(({ sourceName }) => sourceName === 'bad')?.checks.join();
  assert.match((await checks()) ?? '', /may not be read: GRANT SELECT/);
  await job.edit('bad', { copyMode: 'FULL_DATA_SYNC' });
  await job.setup();
  assert.doesNotMatch((await checks()) ?? '', /may not be read/, 'what is to be checked is said anew');
});

test('a table whose row security would hide rows fails, and says how to see them', async () => {
  const job = await server.job(
    `${TWO} CREATE ROLE filtered LOGIN PASSWORD 'hush'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO filtered;
     ALTER TABLE bad ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON bad USING (id < 5)`,
    { url: (url) => url.replace(/\/\/[^@]*@/, '//filtered:hush@') },
  );
  await job.setup();
  await fails(
    job,
    'TableUnreadable: public.bad: row security would hide rows from "filtered" – run as an administrator: ALTER ROLE "filtered" BYPASSRLS;',
  );
});

test('a table edited into nonsense fails alone: mode, keys, limits, names', async () => {
  const job = await server.job(TWO);
  await job.setup();
  const edit = (change: object) => job.edit('bad', change);
  const why = (problem: string) => `BadConfiguration: bad: ${problem}`;
  await edit({ copyMode: 'SOMETIMES' });
  await fails(job, why('copyMode is "SOMETIMES": choose INSERT_ONLY, INSERT_AND_UPDATE, FULL_DATA_SYNC'));
  await edit({ copyMode: 'INSERT_AND_UPDATE', rowLimit: 0, chunkSize: -1 });
  await fails(job, why('rowLimit is 0: give a whole number above 0; chunkSize is -1: give a whole number above 0'));
  await edit({ rowLimit: 10, chunkSize: 11 });
  await fails(job, why('chunkSize is larger than rowLimit: a batch is cut into chunks, so give at most rowLimit'));
  await edit({ rowLimit: 20, primaryKey: [] });
  await fails(
    job,
    why('has no primary key, which INSERT_AND_UPDATE needs to tell rows apart: name one, or choose FULL_DATA_SYNC'),
  );
  await edit({ copyMode: 'INSERT_ONLY' });
  await fails(
    job,
    why('has no primary key, which INSERT_ONLY needs to tell rows apart: name one, or choose FULL_DATA_SYNC'),
  );
  await edit({ copyMode: 'INSERT_AND_UPDATE', primaryKey: ['note'] });
  await fails(
    job,
    why(
      'the key column "note" may be NULL, and a row without a key would be inserted again by every run: declare it NOT NULL, choose another key, or FULL_DATA_SYNC',
    ),
  );
  await edit({ primaryKey: ['nope'] });
  await fails(job, why('the key column "nope" does not exist at the source: correct the table\'s keys'));
  await edit({ primaryKey: 'id' });
  await fails(job, why('primaryKey is a text: give a list'));
  await edit({ primaryKey: ['id'], sourceName: 'other' });
  await fails(job, why("sourceName is another than its item's: make it the same"));
  await edit({ sourceName: 'bad' });
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('a table that the source never had fails alone, also through setup', async () => {
  const job = await server.job(TWO);
  await job.setup();
  const [some] = (await job.read()).tables;
  assert.ok(some);
  const made = { ...some, sourceName: 'nosuch', destinationName: 'nosuch', created: false, columns: [] };
  await server.operator.store.addTable(job.jobId, made);
  const advice = 'setup never met it at the source: correct its sourceName and run setup, or disable the table';
  await job.setup();
  await fails(job, `BadConfiguration: nosuch: ${advice}`, 'nosuch');
  await job.edit('nosuch', { columns: some.columns, created: true });
  await fails(
    job,
    'TableUnreadable: public.nosuch does not exist at the source: correct its sourceName, restore it, or disable the table',
    'nosuch',
  );
});

test('a key that ends in a blank stops its table; char(n) may', async () => {
  const job = await server.job(`${TWO}
    CREATE TABLE padded (code char(4) PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO padded VALUES ('a'), ('b');
    DROP TABLE bad;
    CREATE TABLE bad (code text PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO bad VALUES ('DE'), ('DE ')`);
  await job.setup();
  await fails(
    job,
    'KeyEndsInBlank: bad: a value of the key column "code" ends in a blank, which Redshift ignores when it compares keys: ' +
      `find it by SELECT * FROM "public"."bad" WHERE "code"::text LIKE '% '; and trim it, or choose FULL_DATA_SYNC`,
  );
  assert.equal((await job.rows('SELECT * FROM $.padded')).length, 2);
  await job.source.query("DELETE FROM bad WHERE code = 'DE '");
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.differing(), []);
});

test('a value that does not fit, by its policy or by what the warehouse has, fails its table with column and what to do', async () => {
  const job = await server.job(TWO);
  await job.setup();
  await job.source.query("UPDATE bad SET note = repeat('x', 70000) WHERE id = 7");
  await fails(
    job,
    /^ValueRefused: bad: 1 value of the column "note", VARCHAR\(65535\) in the warehouse, is longer than the VARCHAR: correct what SELECT \* FROM "public"\."bad" t WHERE .*; finds, or choose the policy oversizeText: truncate or null$/,
  );
  await job.source.query("UPDATE bad SET note = 'fine' WHERE id = 7");
  assert.equal((await job.run()).status, 'succeeded');

  const narrower = translate(`ALTER TABLE "${job.schema}".bad ALTER COLUMN note TYPE VARCHAR(10)`);
  if (narrower.kind === 'sql') for (const sql of narrower.sql) await job.warehouse.query(sql);
  await job.source.query("UPDATE bad SET note = 'more than ten' WHERE id = 7");
  await fails(
    job,
    /– line \d+, column note \S+\(10\) of s3:\S+: widen the warehouse's column by ALTER TABLE "t\d+"\."bad" ALTER COLUMN "note" TYPE VARCHAR\(65535\); or find/,
  );
});
