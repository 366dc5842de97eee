import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { COMMANDS, type Result } from '../../cli/commands.ts';
import type { FaultyCall } from '../../local/gate.ts';
import { bench, type TestJob } from './harness.ts';
import { Interruptions } from './interruptions.ts';
import { metricSum } from './metrics.ts';
import { ticking } from './ticking.ts';

const during = new Interruptions();
const server = bench(during.options);

/** A table of each mode; keys of one integer, of text, of several columns; values that only code can compare. */
const TABLES = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE events (id bigserial PRIMARY KEY, body text);
  CREATE TABLE lines (shop text, no date, note text, updated_at timestamp DEFAULT now(), PRIMARY KEY (shop, no));
  CREATE INDEX ON lines (updated_at);
  CREATE TABLE docs (code varchar(20) PRIMARY KEY, doc jsonb, weight float8);
  CREATE TABLE words (word text, n int);
  INSERT INTO orders (note, updated_at) SELECT 'o' || n, now() - interval '1 h' FROM generate_series(1, 50) n;
  INSERT INTO events (body) SELECT 'e' || n FROM generate_series(1, 50) n;
  INSERT INTO lines SELECT 'shop "' || n % 3 || '", ü', date '2026-01-01' + n, 'l' || n FROM generate_series(1, 49) n;
  INSERT INTO lines VALUES ('never stamped', '2026-03-01', 'l50', NULL);
  INSERT INTO docs SELECT 'd' || n, jsonb_build_object('n', n, 'a', jsonb_build_array(1.0, 2)), n / 3.0 FROM generate_series(1, 50) n;
  INSERT INTO words SELECT 'w' || n % 25, n % 25 FROM generate_series(1, 50) n;
  ANALYZE;`;

async function loadedJob(): Promise<TestJob> {
  const job = await server.job(TABLES);
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  await job.edit('lines', { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at', timezone: 'Asia/Tokyo' });
  await job.edit('docs', { copyMode: 'FULL_DATA_SYNC' });
  assert.equal((await job.run()).status, 'succeeded');
  return job;
}

const verify = (job: TestJob, more = {}) => server.operator.compare(job.jobId, more);
const named = async (job: TestJob, table: string) =>
  (await server.operator.named(job.jobId, table)).map((one) => JSON.stringify(one)).sort();
/** The second look is begun by the next run whose pass, or look, came after the first. */
async function secondLook(job: TestJob): Promise<TestJob> {
  await job.run();
  await server.operator.compared();
  return job;
}
const compared = async (job: TestJob, table: string) => (await job.read()).compared.get(table);

const byAdmin =
  (what: string) =>
  ({ action, moment, caller }: FaultyCall): boolean =>
    caller.arn.includes('admin') && `${moment} ${action}` === what;
const startedByAdmin = byAdmin('before StartExecution');
const readByAdmin = byAdmin('after Query');

test('tables that are the same are found the same, whatever their mode, key and values', async () => {
  const job = await loadedJob();
  const found = await verify(job);
  for (const name of ['orders', 'events', 'lines', 'docs', 'words']) {
    const { suspects, verifyError, found: differences, covered } = found.get(name) ?? assert.fail(name);
    assert.deepEqual([suspects, verifyError, covered?.rows, covered?.values], [undefined, undefined, 50, 50], name);
    assert.deepEqual(differences, { missing: 0, extra: 0, different: 0, object: null, repaired: false }, name);
  }
});

test('rows that are missing, extra or different are named once they survive a second look, and repaired where that is asked', async () => {
  const job = await loadedJob();
  const { schema } = job;
  await job.edit('lines', { deletes: 'remove', repair: true });
  await job.edit('events', { repair: true });
  await job.warehouse.query(`
    DELETE FROM "${schema}".orders WHERE id = 3; UPDATE "${schema}".orders SET note = 'wrong' WHERE id = 5;
    INSERT INTO "${schema}".orders SELECT 70, 'extra', updated_at FROM "${schema}".orders WHERE id = 9;
    DELETE FROM "${schema}".events WHERE id = 4; UPDATE "${schema}".events SET body = NULL WHERE id = 6;
    INSERT INTO "${schema}".events SELECT * FROM "${schema}".events WHERE id = 7;
    DELETE FROM "${schema}".lines WHERE no = '2026-01-05'; UPDATE "${schema}".lines SET note = '' WHERE no = '2026-01-09';
    INSERT INTO "${schema}".lines SELECT 'nowhere', no, note, updated_at FROM "${schema}".lines WHERE no = '2026-01-11'`);
  const first = await verify(job, { tables: ['orders', 'events', 'lines'] });
  assert.deepEqual(
    ['orders', 'events', 'lines'].map((name) => first.get(name)?.suspects?.rows),
    [3, 3, 3],
  );
  assert.equal(first.get('orders')?.found, undefined, 'nothing counts before the second look');
  const before = metricSum(server, 'RowsDrifted');
  await secondLook(job);
  // Of orders, which keep what the source deletes, two count; of events three, of lines three.
  assert.equal(metricSum(server, 'RowsDrifted') - before, 8, 'which an alarm watches');

  assert.deepEqual((await compared(job, 'orders'))?.found?.missing, 1);
  assert.deepEqual(await named(job, 'orders'), [
    '{"what":"different","key":{"id":"5"}}',
    '{"what":"extra","key":{"id":"70"}}',
    '{"what":"missing","key":{"id":"3"}}',
  ]);
  assert.deepEqual(await named(job, 'events'), [
    '{"what":"different","key":{"id":"6"}}',
    '{"what":"different","key":{"id":"7"}}',
    '{"what":"missing","key":{"id":"4"}}',
  ]);
  assert.deepEqual(await named(job, 'lines'), [
    '{"what":"different","key":{"shop":"shop \\"2\\", ü","no":"2026-01-09"}}',
    '{"what":"extra","key":{"shop":"nowhere","no":"2026-01-11"}}',
    '{"what":"missing","key":{"shop":"shop \\"1\\", ü","no":"2026-01-05"}}',
  ]);
  assert.deepEqual(await job.differing(), ['orders'], 'the others are repaired');
  const { states } = await job.read();
  for (const [name, { value }] of states) assert.equal(value.lease, undefined, name);
  await verify(job, { tables: ['events', 'lines'] });
  assert.equal((await compared(job, 'lines'))?.suspects, undefined);
});

test('JSON and floats are compared by value, a doubled row of a table without a key is found, and a full sync heals both', async () => {
  const job = await loadedJob();
  const { schema } = job;
  // Of what changed since the last sync nobody can tell what was wrong before.
  await job.source.query("UPDATE docs SET weight = 0 WHERE code = 'd9'; INSERT INTO words VALUES ('new', 0)");
  await job.warehouse.query(`
    UPDATE "${schema}".docs SET doc = '{"a": [1, 2], "n": 4}' WHERE code IN ('d4', 'd5');
    UPDATE "${schema}".docs SET weight = weight + 1e-9 WHERE code = 'd8';
    INSERT INTO "${schema}".words VALUES ('w1', 1), ('other', 1)`);
  const first = await verify(job, { tables: ['docs', 'words'] });
  assert.equal(first.get('docs')?.suspects?.rows, 3, 'd5, d8 and d9: d4 has the same value');
  assert.equal(first.get('words')?.suspects?.rows, 3);
  await secondLook(job);
  await secondLook(job);
  assert.deepEqual(await named(job, 'docs'), [], 'the pass in between brought every row anew');
  assert.equal((await compared(job, 'docs'))?.found?.replaced, 3, 'which is told');
  assert.equal((await compared(job, 'words'))?.suspects, undefined);
  assert.deepEqual(await job.differing(), []);
});

test('a table that is copied whole is judged at once while the source has not changed since: rows are named before a sync replaces them', async () => {
  const job = await loadedJob();
  const { schema } = job;
  await job.warehouse.query(`
    UPDATE "${schema}".docs SET doc = '{"a": [1, 2], "n": 5}' WHERE code = 'd5'; DELETE FROM "${schema}".docs WHERE code = 'd7';
    UPDATE "${schema}".docs SET doc = '{"a": [1, 2], "n": 4}' WHERE code = 'd4';
    INSERT INTO "${schema}".docs SELECT 'x', doc, weight FROM "${schema}".docs WHERE code = 'd9';
    UPDATE "${schema}".docs SET weight = 1 WHERE code = 'd8'; INSERT INTO "${schema}".words VALUES ('w1', 1)`);
  const { status, tables } = await server.operator.verify(job.jobId, { tables: ['docs', 'words'] });
  const verdicts = (all: typeof tables) =>
    all.map(({ table, status: verdict, missing, extra, different, replaced }) => [
      table,
      verdict,
      missing,
      extra,
      different,
      replaced,
    ]);
  assert.equal(status, 'failed');
  assert.deepEqual(verdicts(tables), [
    ['docs', 'different', 1, 1, 1, 0],
    ['words', 'different', 0, 0, 1, 0],
  ]);
  assert.deepEqual(await named(job, 'docs'), [
    '{"what":"different","key":{"code":"d8"}}',
    '{"what":"extra","key":{"code":"x"}}',
    '{"what":"missing","key":{"code":"d7"}}',
  ]);
  assert.deepEqual(await job.differing(), ['docs', 'words'], 'no run came in between');
  const shown = await server.operator.ask('tables.show', { jobId: job.jobId, table: 'docs' });
  assert.match(
    COMMANDS['tables.show'].show(shown as Result<'tables.show'>, { color: false, width: 1_000 }),
    /it found +1 missing, 1 extra, 1 different, named in compare\/\S+\n/,
  );
  const repaired = await server.operator.verify(job.jobId, { tables: ['docs', 'words'], repair: true });
  assert.deepEqual(
    repaired.tables.map(({ rows }) => rows),
    [50, 50],
  );
  assert.deepEqual(
    verdicts(repaired.tables).map(([, verdict]) => verdict),
    ['repaired', 'repaired'],
  );
  assert.deepEqual(await job.differing(), ['words'], 'which has no key to name rows by: its next run copies it anew');
  assert.equal((await job.run()).tables.words?.rows, 50);
  assert.deepEqual(await job.differing(), []);
});

test('what a verification found wrong in a table that is copied whole, the next sync puts right though the source has not changed', async () => {
  const job = await loadedJob();
  await job.warehouse.query(`DELETE FROM "${job.schema}".docs WHERE code < 'd3'`);
  const { tables } = await server.operator.verify(job.jobId, { tables: ['docs'] });
  assert.deepEqual([tables[0]?.status, tables[0]?.missing], ['different', 22]);
  await job.run();
  assert.deepEqual(await job.differing(), []);
});

test('a table that repairs what its own verifications find does so at once, too, where it is copied whole', async () => {
  const job = await loadedJob();
  await job.edit('docs', { repair: true });
  await job.warehouse.query(`DELETE FROM "${job.schema}".docs WHERE code = 'd7'`);
  const { found, covered } = (await verify(job, { tables: ['docs'] })).get('docs') ?? assert.fail();
  assert.deepEqual([found?.missing, found?.repaired, covered?.rows], [1, true, 50]);
  assert.deepEqual(await job.differing(), []);
});

test('rows that changed since the last pass, between the looks, or while they are taken are no differences', async () => {
  const job = await loadedJob();
  await job.source.query(`UPDATE orders SET note = 'later', updated_at = now() WHERE id <= 20;
    DELETE FROM docs WHERE code < 'd2'; INSERT INTO events (body) VALUES ('later')`);
  let writing = true;
  const writer = (async () => {
    while (writing) {
      await job.source.query("UPDATE orders SET note = note || '+', updated_at = clock_timestamp() WHERE id > 25");
      await job.source.query("INSERT INTO orders (note) VALUES ('more')");
      await job.source.query("INSERT INTO events (body) VALUES ('more')");
      await job.source.query(
        "UPDATE lines SET note = note || '+', updated_at = now() AT TIME ZONE 'Asia/Tokyo' WHERE shop LIKE '%2%'",
      );
    }
  })();
  await verify(job);
  for (let i = 0; i < 3; i++) await secondLook(job);
  writing = false;
  await writer;
  await secondLook(job);
  await secondLook(job);
  for (const name of ['orders', 'events', 'lines', 'docs', 'words']) {
    const { suspects, found, verifyError } = (await compared(job, name)) ?? assert.fail(name);
    assert.deepEqual(
      [suspects, found?.missing, found?.extra, found?.different, verifyError],
      [undefined, 0, 0, 0, undefined],
      name,
    );
  }
});

test('a table is verified when its time has come, by the run that finds it due; an idle run in between does nothing more', async () => {
  const job = await loadedJob();
  for (const name of ['docs', 'words', 'lines', 'events']) await job.edit(name, { disabled: true });
  await job.edit('orders', { verifyEvery: 3_600 });
  await secondLook(job);
  const { verifyEnded } = (await compared(job, 'orders')) ?? assert.fail();
  assert.ok(verifyEnded);
  const before = job.calls();
  assert.equal((await job.run()).status, 'idle');
  const after = job.calls();
  assert.deepEqual([after.lambda - before.lambda, after.redshiftData - before.redshiftData], [1, 0]);
  assert.equal((await compared(job, 'orders'))?.verifyEnded, verifyEnded);
});

test('a verification that is asked for runs the second look itself, names what differs, and repairs it where that is asked', async () => {
  const job = await loadedJob();
  const statuses = async (options = {}) => {
    const { status, tables } = await server.operator.verify(job.jobId, options);
    return { status, tables: Object.fromEntries(tables.map((one) => [one.table, one])) };
  };
  const same = await statuses();
  assert.equal(same.status, 'succeeded', JSON.stringify(same));
  assert.deepEqual(
    Object.values(same.tables).map(({ status, rows }) => [status, rows]),
    Array(5).fill(['identical', 50]),
  );
  await job.warehouse.query(`
    DELETE FROM "${job.schema}".orders WHERE id = 3; UPDATE "${job.schema}".orders SET note = 'wrong' WHERE id IN (5, 6);
    INSERT INTO "${job.schema}".orders SELECT 70, 'extra', updated_at FROM "${job.schema}".orders WHERE id = 9`);
  await job.source.query("INSERT INTO events (body) VALUES ('brought by the run in between')");
  const found = await statuses({ tables: ['orders', 'events'] });
  const { status, missing, extra, different } = found.tables.orders ?? assert.fail();
  assert.deepEqual([found.status, status, missing, extra, different], ['failed', 'different', 1, 1, 2]);
  assert.deepEqual([found.tables.events?.status, Object.keys(found.tables).length], ['identical', 2]);
  assert.deepEqual(await named(job, 'orders'), [
    '{"what":"different","key":{"id":"5"}}',
    '{"what":"different","key":{"id":"6"}}',
    '{"what":"extra","key":{"id":"70"}}',
    '{"what":"missing","key":{"id":"3"}}',
  ]);
  const repaired = await statuses({ tables: ['orders'], repair: true });
  assert.deepEqual([repaired.status, repaired.tables.orders?.status], ['failed', 'repaired']);
  const after = await statuses({ tables: ['orders'] });
  assert.deepEqual(
    [after.status, after.tables.orders?.extra],
    ['succeeded', 1],
    'deleted rows stay where that is the choice',
  );
  await assert.rejects(server.operator.verify(job.jobId, { tables: ['ordres'] }), /ordres: no such table is loaded/);
});

test('rows that differ are not judged before a load has come in between', async () => {
  const job = await loadedJob();
  await job.warehouse.query(`DELETE FROM "${job.schema}".events WHERE id = 3`);
  const blocked = new pg.Client({ connectionString: job.url });
  await blocked.connect();
  try {
    during.atState('Plan', async () => void (await blocked.query('BEGIN; LOCK TABLE events')));
    const { status, tables } = await server.operator.verify(job.jobId, { tables: ['events'] });
    assert.deepEqual([status, tables[0]?.status], ['failed', 'failed']);
    assert.match(
      tables[0]?.error ?? '',
      /^1 of its rows differed, and were not looked at again, since no load .*is locked by somebody else/,
    );
  } finally {
    await blocked.end();
  }
  const { tables } = await server.operator.verify(job.jobId, { tables: ['events'] });
  assert.deepEqual([tables[0]?.status, tables[0]?.missing], ['different', 1]);
});

test('a row that was set back by more than scanBack, which no pass reads again, is found and repaired', async () => {
  const job = await loadedJob();
  await job.source.query("UPDATE orders SET note = 'set back', updated_at = now() - interval '1 day' WHERE id = 7");
  await job.run();
  assert.deepEqual(await job.differing(), ['orders']);
  const { tables } = await server.operator.verify(job.jobId, { tables: ['orders'], repair: true });
  assert.deepEqual([tables[0]?.status, tables[0]?.different], ['repaired', 1]);
  assert.deepEqual(await named(job, 'orders'), ['{"what":"different","key":{"id":"7"}}']);
  assert.deepEqual(await job.differing(), []);
});

test('rows that share a key are compared each by itself', async () => {
  const job = await server.job(
    `CREATE TABLE parent (id int PRIMARY KEY, note text); CREATE TABLE child () INHERITS (parent);
     INSERT INTO parent VALUES (1, 'one'), (2, 'two'); INSERT INTO child VALUES (1, 'other one')`,
    { exclude: ['child'] },
  );
  await job.setup();
  await job.run();
  const status = async () => (await server.operator.verify(job.jobId, {})).tables.map((one) => one.status);
  assert.deepEqual(await status(), ['identical']);
  await job.warehouse.query(`UPDATE "${job.schema}".parent SET note = 'one' WHERE note = 'other one'`);
  assert.deepEqual(await status(), ['different']);
});

test('a second look that ends while somebody asks for it is judged by what it found', async () => {
  const job = await loadedJob();
  await job.warehouse.query(`DELETE FROM "${job.schema}".events WHERE id = 3`);
  // Another run is to compare the table, so that the one in between does not begin the second look.
  const claim = { claimedBy: 'another', claimedAt: new Date().toISOString() };
  during.atState('Plan', async () => void (await ticking(server).at().comparisons.change(job.jobId, 'events', claim)));
  // The comparison, the run, and the second look.
  for (let i = 0; i < 2; i++) during.atCall(startedByAdmin, () => undefined);
  during.atCall(startedByAdmin, () => {
    // Whoever starts it reads once more; who asks next reads what is known by then, and waits for the look to end.
    during.atCall(readByAdmin, () => undefined);
    during.atCall(readByAdmin, () => server.operator.compared());
  });
  const { tables } = await server.operator.verify(job.jobId, { tables: ['events'] });
  assert.deepEqual([tables[0]?.status, tables[0]?.missing, tables[0]?.error], ['different', 1, null]);
});
