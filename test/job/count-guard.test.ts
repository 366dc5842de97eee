import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keysBelow, rewriteObject } from './bucket.ts';
import { bench } from './harness.ts';
import { Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';

const during = new Interruptions();
const server = bench(during.options);

const TABLES = `
  CREATE TABLE changed (id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON changed (updated_at);
  CREATE TABLE grown (id bigserial PRIMARY KEY, note text);
  CREATE TABLE whole (code text PRIMARY KEY, note text);
  INSERT INTO changed SELECT n, 'old' FROM generate_series(1, 30) n;
  INSERT INTO grown (note) SELECT 'old' FROM generate_series(1, 30) n;
  INSERT INTO whole SELECT 'c' || n, 'old' FROM generate_series(1, 30) n;
  ANALYZE`;

const WRONGS: [string, (csv: string) => string][] = [
  ['one row too few', (csv) => csv.slice(csv.indexOf('\n') + 1)],
  ['one row twice', (csv) => csv + csv.slice(0, csv.indexOf('\n') + 1)],
];

for (const [what, wrong] of WRONGS)
  test(`what has ${what} in the stage changes nothing in the warehouse, in any mode, and the next run brings it`, async () => {
    const job = await server.job(TABLES);
    await job.setup();
    await job.edit('grown', { copyMode: 'INSERT_ONLY' });
    await job.edit('whole', { copyMode: 'FULL_DATA_SYNC' });
    assert.equal((await job.run()).status, 'succeeded');
    await job.source.query(`
      UPDATE changed SET note = 'new', updated_at = now() WHERE id <= 5; UPDATE whole SET note = 'new' WHERE code = 'c5';
      INSERT INTO grown (note) VALUES ('new'), ('new')`);
    during.atState('Load', async () => {
      for (const key of await keysBelow(server, `stage/${job.jobId}/`)) await rewriteObject(server, key, wrong);
    });
    const run = await job.run();
    for (const name of ['changed', 'grown', 'whole']) {
      assert.match(
        run.tables[name]?.error ?? '',
        /: the stage holds another number of rows than were extracted, so nothing was committed: the next run tries again$/,
      );
      assert.deepEqual(await job.rows(`SELECT count(*)::int AS rows, max(note) AS note FROM $.${name}`), [
        { rows: 30, note: 'old' },
      ]);
    }
    assert.equal((await job.run()).status, 'succeeded');
    assert.deepEqual(await job.differing(), []);
    await nothingLeft(server, job);
  });

test('each batch has a mark for NULL of its own, which no text of the source can know', async () => {
  const job = await server.job(TABLES);
  await job.setup();
  const marks: string[] = [];
  const collect = async () => {
    for (const { value } of (await job.read()).states.values()) marks.push(value.batch?.nullMarker ?? '');
  };
  for (let run = 0; run < 2; run++) {
    during.atState('Load', collect);
    await job.source.query("UPDATE whole SET note = note || '.'; UPDATE changed SET note = NULL, updated_at = now()");
    await job.source.query('INSERT INTO grown (note) VALUES (NULL)');
    assert.equal((await job.run()).status, 'succeeded');
  }
  assert.equal(new Set(marks).size, 6, `${marks}`);
  for (const mark of marks) assert.match(mark, /^~[0-9a-f]{16}~$/);
  assert.deepEqual(await job.differing(), []);
});
