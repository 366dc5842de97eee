import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, type TestJob } from './harness.ts';
import { Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';

const during = new Interruptions();
const server = bench(during.options);

const verify = (job: TestJob, more = {}) => server.operator.compare(job.jobId, more);

test('what is compared is what both sides have: columns that went or are masked from now on are left out, and one that came is in once all rows have it', async () => {
  const job = await server.job(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
     CREATE INDEX ON orders (updated_at);
     CREATE TABLE events (id bigserial PRIMARY KEY, body text);
     INSERT INTO orders (note, updated_at) SELECT 'o' || n, now() - interval '1 h' FROM generate_series(1, 50) n;
     INSERT INTO events (body) SELECT 'e' || n FROM generate_series(1, 50) n;
     ANALYZE`,
    { url: (connectionString) => JSON.stringify({ connectionString, salt: 'of sixteen letters' }) },
  );
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  assert.equal((await job.run()).status, 'succeeded');
  await job.source.query('ALTER TABLE orders DROP COLUMN note');
  await job.edit('events', { treat: { body: 'sha256' } });
  assert.equal((await job.run()).status, 'idle');
  for (const table of ['orders', 'events']) {
    const found = (await verify(job, { tables: [table] })).get(table);
    assert.deepEqual([found?.verifyError, found?.suspects, found?.covered?.rows], [undefined, undefined, 50], table);
  }
  await job.warehouse.query(`UPDATE "${job.schema}".orders SET updated_at = '2026-01-01' WHERE id = 7`);
  assert.equal((await verify(job, { tables: ['orders'] })).get('orders')?.suspects?.rows, 1, 'the others are compared');

  await job.source.query("ALTER TABLE orders ADD COLUMN kind text DEFAULT 'k'; INSERT INTO orders DEFAULT VALUES");
  assert.equal((await job.run()).status, 'succeeded');
  await server.operator.compared();
  const kind = async () =>
    (await job.read()).tables
      .find(({ sourceName }) => sourceName === 'orders')
      ?.columns.find(({ source }) => source === 'kind');
  assert.equal((await kind())?.partial, true);
  await job.edit('orders', { copyMode: 'INSERT_ONLY' });
  await assert.rejects(
    verify(job, { tables: ['orders'] }),
    /copy mode, keys or zone were edited, since its last load: run the job, then verify/,
  );
  await job.edit('orders', { copyMode: 'FULL_DATA_SYNC', updatedKey: null });
  assert.equal((await job.run()).status, 'succeeded');
  assert.equal((await job.run()).status, 'succeeded');
  assert.equal((await kind())?.partial, undefined, 'once a full sync has brought all of it');
});

async function wrongRows(): Promise<TestJob> {
  const job = await server.job(`
    CREATE TABLE notes (id bigserial PRIMARY KEY, a text, b text);
    INSERT INTO notes (a, b) SELECT 'a' || n, 'b' || n FROM generate_series(1, 50) n; ANALYZE`);
  await job.setup();
  await job.edit('notes', { copyMode: 'INSERT_ONLY' });
  assert.equal((await job.run()).status, 'succeeded');
  await job.warehouse.query(`
    DELETE FROM "${job.schema}".notes WHERE id = 3; UPDATE "${job.schema}".notes SET a = 'wrong' WHERE id = 5;
    UPDATE "${job.schema}".notes SET b = 'wrong' WHERE id = 7`);
  return job;
}

/** Before the n-th step of the source's side. */
function before(nth: number, act: () => Promise<unknown>): void {
  during.atState('Source side', async () => {
    if (nth === 1) await act();
    else before(nth - 1, act);
  });
}

const repair = async ({ jobId }: TestJob) => (await server.operator.verify(jobId, { repair: true })).tables[0];
const found = async (job: TestJob) => (await job.read()).compared.get('notes')?.found;

for (const [n, look] of ['sums', 'rows'].entries())
  test(`a column that goes at the source while the first look is at its ${look} turns it around: it ends without the column`, async () => {
    const job = await wrongRows();
    before(n + 1, () => job.source.query('ALTER TABLE notes DROP COLUMN b'));
    assert.match(
      (await repair(job))?.error ?? '',
      /^ColumnsDiffer: notes: rows can't be repaired while columns of them are gone at the source.*: b – run setup/,
    );
    const { missing, different, extra } = (await found(job)) ?? {};
    assert.deepEqual([missing, different, extra], [1, 1, 0], 'of row 7 nothing else is wrong');
    await job.setup();
    assert.equal((await repair(job))?.status, 'repaired');
    assert.deepEqual(await job.differing(), []);
    await nothingLeft(server, job);
  });

const CHANGES: [string, (job: TestJob) => Promise<unknown>][] = [
  ['a column goes', ({ source }) => source.query('ALTER TABLE notes DROP COLUMN b')],
  ['a column is renamed', ({ source }) => source.query('ALTER TABLE notes RENAME b TO c')],
  ['a column is masked', (job) => job.edit('notes', { treat: { b: 'null' } })],
];

for (const [what, change] of CHANGES)
  test(`${what} between the two looks: no row that differed is taken for one that changed, and none for right`, async () => {
    const job = await wrongRows();
    before(3, () => change(job));
    const looked = await repair(job);
    assert.deepEqual(
      [looked?.status, looked?.error?.replace(/,.*–/, ' …')],
      ['failed', 'ColumnsDiffer: notes: its columns … verify it again'],
    );
    await job.setup();
    await repair(job);
    assert.deepEqual(await job.rows('SELECT id::int, a FROM $.notes WHERE id IN (3, 5) ORDER BY id'), [
      { id: 3, a: 'a3' },
      { id: 5, a: 'a5' },
    ]);
    await nothingLeft(server, job);
  });

test('a column is masked between two looks at a table that is copied whole, of which the second comes at once: nor is it then', async () => {
  const job = await wrongRows();
  await job.edit('notes', { copyMode: 'FULL_DATA_SYNC' });
  assert.equal((await job.run()).status, 'succeeded');
  await job.warehouse.query(`DELETE FROM "${job.schema}".notes WHERE id = 3`);
  before(3, () => job.edit('notes', { treat: { b: 'null' } }));
  const { verifyError, found: named } =
    (await server.operator.compare(job.jobId, { kind: 'verify' }).catch(async () => (await job.read()).compared)).get(
      'notes',
    ) ?? assert.fail();
  assert.match(
    verifyError ?? '',
    /^ColumnsDiffer: notes: its columns, their masks or its key changed between the two looks/,
  );
  assert.equal(named, undefined);
});

test('what the source deleted goes though a column is masked in another way by now: only rows that come need it', async () => {
  const job = await wrongRows();
  await job.edit('notes', { deletes: 'remove', treat: { b: 'null' } });
  await job.source.query('DELETE FROM notes WHERE id = 9');
  const compared = await server.operator.compare(job.jobId, { kind: 'reconcile' });
  const { deleted, reconcileError } = compared.get('notes') ?? {};
  assert.deepEqual([deleted, reconcileError], [1, undefined]);
  assert.deepEqual(await job.rows('SELECT id FROM $.notes WHERE id = 9'), []);
});
