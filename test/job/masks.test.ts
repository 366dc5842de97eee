import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';

/** The source writes down whatever it is told, parameters and all. */
const server = bench({}, { log_statement: 'all', log_parameter_max_length: '-1', log_min_duration_statement: '0' });

const SALT = 'a salt that nobody else knows';
const salted = (url: string): string => JSON.stringify({ connectionString: url, salt: SALT });
const hashOf = (text: string): string =>
  createHash('sha256')
    .update(createHash('sha256').update(SALT).digest('hex') + text)
    .digest('hex');

const PEOPLE = `
  CREATE TABLE people (id bigserial PRIMARY KEY, email text, born date, notes text, secret jsonb, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON people (updated_at);
  INSERT INTO people (email, born, notes, secret) SELECT 'clear-' || n || '@example.com', '2000-01-01', 'clear note ' || n, '{"clear": 1}' FROM generate_series(1, 20) n;
  INSERT INTO people (email) VALUES ('infinity'), (''), (NULL)`;
const TREAT = { email: 'sha256', born: 'sha256', notes: 'exclude', secret: 'null' } as const;

async function peopleJob(sql = PEOPLE): Promise<TestJob> {
  const job = await server.job(sql, { url: salted, tables: { people: { treat: TREAT } } });
  await job.setup();
  return job;
}

test('masked columns arrive as salted hashes or NULL, excluded ones not at all, and the comparison knows', async () => {
  const job = await peopleJob();
  assert.equal((await job.run()).status, 'succeeded');
  const rows = await job.rows('SELECT * FROM $.people ORDER BY id');
  const [first, ...others] = rows as [Record<string, unknown>, ...Record<string, unknown>[]];
  assert.deepEqual(Object.keys(first).toSorted(), ['born', 'email', 'id', 'secret', 'updated_at']);
  assert.deepEqual(
    [first.email, first.born, first.secret],
    [hashOf('clear-1@example.com'), hashOf('2000-01-01'), null],
  );
  assert.deepEqual(
    others.slice(-3).map(({ email }) => email),
    [hashOf('infinity'), hashOf(''), null],
    "'' and NULL stay apart",
  );
  assert.deepEqual(await job.differing(), []);
  await job.source.query("UPDATE people SET email = 'other', updated_at = now() WHERE id = 1");
  assert.deepEqual(await job.differing(), ['people'], 'a masked change is seen');
  assert.equal((await job.run()).tables.people?.rows, 1);
  assert.deepEqual(await job.differing(), []);
  const idle = await job.setup();
  assert.deepEqual(
    idle.checks.filter((check) => check.includes('people')),
    [],
    'setup does not miss what is excluded',
  );
});

test('neither clear values nor the salt leave the source: not in S3, items, logs, states or the log of the server', async () => {
  const job = await peopleJob();
  await job.run();
  const files = (dir: string): string[] =>
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('secrets'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !file.endsWith('secrets.json'));
  const derived = createHash('sha256').update(SALT).digest('hex');
  const leaks = (file: string, words: string[]): string[] => {
    const content = readFileSync(file, 'latin1');
    return words.filter((word) => content.includes(word)).map((word) => `${word} in ${file}`);
  };
  const cloud = files(join(server.state, 'aws')).flatMap((file) =>
    leaks(file, [SALT, derived, 'clear note', '@example.com']),
  );
  assert.deepEqual(cloud, []);
  const logs = files(join(server.state, '..', 'source')).filter((file) => /log/.test(file) && !file.includes('pg_wal'));
  assert.ok(
    logs.some((file) => readFileSync(file, 'latin1').includes('COPY (SELECT')),
    'the log shows statements',
  );
  assert.deepEqual(
    logs.flatMap((file) => leaks(file, [SALT, derived])),
    [],
  );
});

test('a mask without a salt, on a key, or of a column that is not there is refused by name', async () => {
  const unsalted = await server.job(PEOPLE, { tables: { people: { treat: TREAT } } });
  await unsalted.setup();
  const run = await unsalted.run();
  assert.match(
    run.tables.people?.error ?? '',
    /^BadConfiguration: people: a masked column needs a salt: store \{"connectionString"/,
  );

  const job = await peopleJob();
  for (const [treat, expected] of [
    [
      { id: 'sha256' },
      /the key column "id" can't be treated as sha256, since INSERT_AND_UPDATE tells rows apart by it/,
    ],
    [{ updated_at: 'null' }, /the key column "updated_at" can't be treated as null/],
    [{ Email: 'sha256' }, /treat names "Email", which the source doesn't have/],
  ] as const) {
    await job.edit('people', { treat: { ...TREAT, ...treat } });
    assert.match((await job.run()).tables.people?.error ?? '', expected);
    assert.deepEqual(await job.rows('SELECT * FROM $.people'), []);
  }
});

test('a full sync may mask its keys, and a mask that comes later needs a column that takes it', async () => {
  const job = await server.job(
    `CREATE TABLE codes (code text PRIMARY KEY, n int); INSERT INTO codes VALUES ('clear', 1)`,
    {
      url: salted,
      tables: { codes: { treat: { code: 'sha256' } } },
    },
  );
  await job.setup();
  await job.run();
  assert.deepEqual(await job.rows('SELECT * FROM $.codes'), [{ code: hashOf('clear'), n: 1 }]);
  assert.deepEqual(await job.differing(), []);
  await job.edit('codes', { treat: { code: 'sha256', n: 'sha256' } });
  assert.match(
    (await job.run()).tables.codes?.error ?? '',
    /^ColumnsDiffer: codes: "n" was integer and is integer \(masked by sha256\), which.*– re-load the table/,
  );
  await job.reset('codes', { kind: 'reload' });
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual(await job.rows('SELECT * FROM $.codes'), [{ code: hashOf('clear'), n: hashOf('1') }]);
  assert.deepEqual(await job.differing(), []);
});

const LATER = `
  CREATE TABLE people (id int PRIMARY KEY, email text, born date, notes text, nick varchar(5), updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON people (updated_at);
  INSERT INTO people SELECT n, 'mail ' || n, '2000-01-01', 'note ' || n, 'n' || n FROM generate_series(1, 3) n`;
const peopleOf = (job: TestJob) => job.rows('SELECT id, email, born::text, notes, nick FROM $.people ORDER BY id');

test('what is no longer excluded or masked follows newColumns: older rows get it by a re-load', async () => {
  const treat = { email: 'sha256', born: 'null', notes: 'exclude', nick: 'sha256' } as const;
  const job = await server.job(LATER, { url: salted, newColumns: 'reload', tables: { people: { treat } } });
  await job.setup();
  await job.run();
  const { notes } = await done(server, 'tables.edit', {
    jobId: job.jobId,
    table: 'people',
    treat: { email: 'sha256' },
  });
  assert.deepEqual(notes, [
    'the next run loads the table again, for older rows are to have "born", "notes", "nick" as well',
  ]);
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run.tables));
  assert.match(
    run.tables.people?.schemaChanges?.join('\n') ?? '',
    /"born" is copied as it is from now on.*new column "notes"/s,
  );
  assert.deepEqual(
    await peopleOf(job),
    [1, 2, 3].map((n) => ({
      id: n,
      email: hashOf(`mail ${n}`),
      born: '2000-01-01',
      notes: `note ${n}`,
      nick: `n${n}`,
    })),
  );
  assert.deepEqual(await job.differing(), []);
});

test('without a re-load older rows keep what they had, which the edit and the run tell, and no comparison counts', async () => {
  const job = await server.job(LATER, { url: salted, tables: { people: { treat: { notes: 'exclude' } } } });
  await job.setup();
  await job.run();
  const edit = async (treat: object) =>
    (await done<{ notes: string[] }>(server, 'tables.edit', { jobId: job.jobId, table: 'people', treat })).notes;
  assert.deepEqual(await edit({ email: 'sha256', nick: 'exclude' }), [
    'the warehouse keeps what it has of "nick": drop it there if that is to go',
    'rows loaded before keep what they had in "notes", "email" until they change: reset the table to load it again',
  ]);
  await job.source.query('UPDATE people SET updated_at = now() WHERE id = 2');
  const run = await job.run();
  assert.match(
    run.tables.people?.schemaChanges?.join('\n') ?? '',
    /"email" is masked by sha256 from now on: rows loaded before keep what they had.*new column "notes" text: rows loaded before keep NULL/s,
  );
  const born = '2000-01-01';
  const [first, second] = await peopleOf(job);
  assert.deepEqual(first, { id: 1, email: 'mail 1', born, notes: null, nick: 'n1' });
  assert.deepEqual(second, { id: 2, email: hashOf('mail 2'), born, notes: 'note 2', nick: null });
  assert.deepEqual(await job.differing(), []);
  assert.deepEqual(await edit({}), [
    'rows loaded before keep what they had in "email", "nick" until they change: reset the table to load it again',
  ]);
  await job.source.query('UPDATE people SET updated_at = now() WHERE id = 3');
  assert.equal((await job.run()).status, 'succeeded');
  assert.deepEqual((await peopleOf(job))[2], { id: 3, email: 'mail 3', born, notes: 'note 3', nick: 'n3' });
  assert.deepEqual(await job.differing(), []);
});
