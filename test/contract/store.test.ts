import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { Edits } from '../../shared/aws/edits.ts';
import { Runs } from '../../shared/aws/runs.ts';
import { Store } from '../../shared/aws/store.ts';
import { tooLarge } from '../../shared/core/item-size.ts';
import type { Column } from '../../shared/model/column.ts';
import { Job } from '../../shared/model/job.ts';
import type { Run } from '../../shared/model/run.ts';
import type { TableState } from '../../shared/model/state.ts';
import { Table } from '../../shared/model/table.ts';
import { services } from './services.ts';

const jobs: string[] = [];
const at = services(setUp, cleanUp);
let store: Store;
let runs: Runs;
let raw: DynamoDBDocumentClient;
/** Bytes of the longest update expression sent: DynamoDB takes 4 KB, its stand-in any. */
let longestUpdate = 0;
let answersLost = false;

function setUp(): void {
  // What is made of one client shares its options: those of the store count, which comes last.
  raw = DynamoDBDocumentClient.from(at.dynamodb);
  store = new Store(at.table, at.dynamodb);
  runs = new Runs(at.table, at.dynamodb);
  // An answer that is lost makes a client send again.
  at.dynamodb.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (answersLost && commandName === 'PutItemCommand') await next(args);
        return next(args);
      },
    { step: 'initialize' },
  );
  at.dynamodb.middlewareStack.add(
    (next) => (args) => {
      const { UpdateExpression = '' } = args.input as { UpdateExpression?: string };
      longestUpdate = Math.max(longestUpdate, Buffer.byteLength(UpdateExpression));
      return next(args);
    },
    { step: 'initialize' },
  );
}

async function cleanUp(): Promise<void> {
  for (const jobId of jobs) await new Edits(at.table, at.dynamodb).deleteJob(jobId);
}

/** A job of this test alone. */
async function newJob(): Promise<Job> {
  const jobId = `${at.prefix}-${jobs.length}`;
  jobs.push(jobId);
  const secretArn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:none';
  const job = Job.parse({ jobId, secretArn, destination: 'warehouse' });
  await new Edits(at.table, at.dynamodb).putJob(job);
  return job;
}

const tableNamed = (sourceName: string, more: Partial<Table> = {}): Table =>
  Table.parse({
    sourceName,
    destinationName: sourceName,
    primaryKey: ['id'],
    updatedKey: null,
    copyMode: 'FULL_DATA_SYNC',
    columns: [],
    ...more,
  });

const FULL_STATE: TableState = {
  sourceName: 'Bestellungen "2024" – 注文 🛒',
  watermark: {
    mode: 'INSERT_AND_UPDATE',
    oid: 4_294_967_295,
    keys: ['updated_at', 'id'],
    key: null,
    taken: '2026-11-22T10:00:05.123456Z',
    fence: '2026-11-22T10:00:00.123456Z',
    snapshot: {
      xmin: '18446744073709551615',
      xmax: '18446744073709551616',
      xip: ['1', '2'],
      system: '7',
      timeline: 1,
      standby: false,
    },
    gaps: [{ from: '-9223372036854775808', to: '9223372036854775807', seen: '2026-11-22T10:00:00.000000Z' }],
  },
  batch: {
    shape: '0123456789abcdef',
    nullMarker: '~0~',
    objects: [{ key: 'stage/a', rows: 0, bytes: 1e15 }],
    cursor: [null, '', "it's"],
    last: true,
  },
  lease: { owner: 'run-1', until: 1_800_000_000 },
};

test('a state comes back as it was saved: nested lists, NULLs, empty text, large numbers, any name', async () => {
  const { jobId } = await newJob();
  assert.equal(await store.saveState(jobId, FULL_STATE, 0), 1);
  assert.deepEqual(await store.readState(jobId, FULL_STATE.sourceName), { value: FULL_STATE, revision: 1 });
  const { states } = await store.readJob(jobId);
  assert.deepEqual(states.get(FULL_STATE.sourceName), { value: FULL_STATE, revision: 1 });
});

test('a state that was never saved has revision 0, and what is undefined is left out', async () => {
  const { jobId } = await newJob();
  assert.deepEqual(await store.readState(jobId, 'orders'), { value: { sourceName: 'orders' }, revision: 0 });
  await store.saveState(jobId, { sourceName: 'orders', lastError: undefined }, 0);
  assert.deepEqual((await store.readState(jobId, 'orders')).value, { sourceName: 'orders' });
});

test('a state is saved only at the revision that was seen: a lost race returns null and changes nothing', async () => {
  const { jobId } = await newJob();
  const state = { sourceName: 'orders' };
  assert.equal(await store.saveState(jobId, { ...state, lastError: 'first' }, 0), 1);
  for (const seen of [0, 2, 7]) assert.equal(await store.saveState(jobId, { ...state, lastError: 'late' }, seen), null);
  assert.equal((await store.readState(jobId, 'orders')).value.lastError, 'first');
  assert.equal(await store.saveState(jobId, { ...state, lastError: 'second' }, 1), 2);
});

test('a save whose answer was lost, and that was sent again, has been done; what somebody else saved has not', async () => {
  const { jobId } = await newJob();
  const state: TableState = { sourceName: 'orders', lease: { owner: 'a', until: 1 }, lastError: undefined };
  answersLost = true;
  try {
    assert.equal(await store.saveState(jobId, state, 0), 1);
    assert.equal(await store.saveState(jobId, { ...state, lastError: 'why' }, 1), 2);
    assert.equal(await store.saveState(jobId, { ...state, lastError: 'else' }, 1), null);
  } finally {
    answersLost = false;
  }
  assert.deepEqual((await store.readState(jobId, 'orders')).value, { ...state, lastError: 'why' });
});

test('of many that save at once, one wins', async () => {
  const { jobId } = await newJob();
  const owners = Array.from({ length: 8 }, (_, i) => `run-${i}`);
  const saved = await Promise.all(
    owners.map((owner) => store.saveState(jobId, { sourceName: 'orders', lease: { owner, until: 1 } }, 0)),
  );
  assert.deepEqual(
    saved.filter((revision) => revision !== null),
    [1],
  );
  const winner = owners[saved.indexOf(1)];
  assert.equal((await store.readState(jobId, 'orders')).value.lease?.owner, winner);
});

test('changes by many at once all take effect', async () => {
  const { jobId } = await newJob();
  const seen = await store.readState(jobId, 'orders');
  const append = (letter: string) =>
    store.changeState(jobId, seen, (state) => ({ ...state, lastError: `${state.lastError ?? ''}${letter}` }));
  await Promise.all([...'abcd'].map(append));
  const { value } = await store.readState(jobId, 'orders');
  assert.deepEqual([...(value.lastError ?? '')].sort(), ['a', 'b', 'c', 'd']);
});

test('a job is read whole, though it fills several pages', async () => {
  const { jobId } = await newJob();
  const names = Array.from({ length: 7 }, (_, i) => `large_${i}`);
  // A page of DynamoDB ends after 1 MB, an item may have 400 KB.
  const why = 'x'.repeat(390_000);
  for (const name of names) assert.equal(await store.addTable(jobId, tableNamed(name, { why })), true);
  await store.saveState(jobId, { sourceName: 'large_6' }, 0);
  const { tables, states } = await store.readJob(jobId);
  assert.deepEqual(
    tables.map(({ sourceName }) => sourceName),
    names,
  );
  assert.ok(tables.every((table) => table.why.length === why.length));
  assert.deepEqual([...states.keys()], ['large_6']);
  assert.deepEqual([...(await store.readStates(jobId)).keys()], ['large_6']);
});

test('a table that is said to fit into its item fits, and one that is said not to would not have fitted by far', async () => {
  const { jobId } = await newJob();
  const columnsOf = (count: number): Column[] =>
    Array.from({ length: count }, (_, i) => ({
      source: `${`c${i}`.padEnd(40, 'ü')}`,
      name: `${`c${i}`.padEnd(40, 'ü')}_${i % 2}`,
      sourceType: {
        name: 'varchar',
        schema: 'pg_catalog',
        kind: 'base',
        typmod: 24,
        declared: 'character varying(20)',
      },
      type: 'VARCHAR(80)',
      attnum: i + 1,
      ...(i % 3 === 0 ? { mask: 'sha256' as const } : {}),
    }));
  const wide = (count: number) => tableNamed(`wide_${count}`, { columns: columnsOf(count), dropped: columnsOf(100) });
  let most = 3_000;
  while (tooLarge(wide(most))) most -= 50;
  assert.equal(await store.addTable(jobId, wide(most)), true);
  // The stand-in counts only a part of what is within lists and maps.
  const next = wide(2 * most);
  assert.match(
    tooLarge(next) ?? '',
    /name fewer columns, shorten their names at the source, or copy a materialized view/,
  );
  await assert.rejects(store.addTable(jobId, next), { name: 'BadConfiguration' });
});

test('a table that is there stays as a person left it; updateTable changes what it is told, reserved words included', async () => {
  const { jobId } = await newJob();
  assert.equal(await store.addTable(jobId, tableNamed('order', { rowLimit: 5 })), true);
  assert.equal(await store.addTable(jobId, tableNamed('order', { rowLimit: 9 })), false);
  await store.updateTable(jobId, 'order', { created: true, timezone: 'Europe/Zurich' });
  const [table] = (await store.readJob(jobId)).tables;
  assert.deepEqual(table, tableNamed('order', { rowLimit: 5, created: true, timezone: 'Europe/Zurich' }));
});

test('a table item that makes no sense is named, and the others are read', async () => {
  const { jobId } = await newJob();
  await store.addTable(jobId, tableNamed('good'));
  const Item = { pk: `JOB#${jobId}`, sk: 'TABLE#bad', ...tableNamed('bad'), copyMode: 'ALL' };
  await raw.send(new PutCommand({ TableName: at.table, Item }));
  const { tables, broken } = await store.readJob(jobId);
  assert.deepEqual(
    tables.map(({ sourceName }) => sourceName),
    ['good'],
  );
  assert.match(broken.get('bad')?.message ?? '', /copyMode is "ALL": choose/);
});

test('a job that is not there is refused with what to do', async () => {
  await assert.rejects(store.readJob(`${at.prefix}-none`), {
    name: 'BadConfiguration',
    message: /there is no job .*: create it first/,
  });
});

const RUN: Run = {
  runId: 'r1',
  trigger: 'hand',
  scheduledTime: '2026-11-22T10:00:00.000Z',
  startedAt: '2026-11-22T10:00:00.000Z',
  status: 'running',
  warnings: [],
  tables: {},
  expected: ['job', 'large "one"'],
  expiresAt: 4_000_000_000,
};
const NOW = new Date('2026-11-22T10:05:00.000Z');
const ROWS = { rows: 3, bytes: 4, seconds: 0.5 };

test('a run ends when all its parts have, as failed where one of them did, however often a part is written', async () => {
  const { jobId } = await newJob();
  await runs.begin(jobId, RUN);
  const part = (name: string) => ({ jobId, runId: RUN.runId, startedAt: RUN.startedAt, part: name });
  const first = await runs.finish(part('job'), { 'a.b#c': ROWS }, null, NOW);
  assert.equal(first.status, 'running');
  assert.equal((await runs.finish(part('job'), { 'a.b#c': ROWS }, null, NOW)).status, 'running');
  const failed = { 'large "one"': { ...ROWS, error: 'no room' } };
  const last = await runs.finish(part('large "one"'), failed, null, NOW);
  assert.equal(last.status, 'failed');
  assert.deepEqual(await runs.finish(part('large "one"'), failed, null, NOW), last);
  const [kept, ...others] = await runs.list(jobId, 10);
  assert.deepEqual(others, []);
  assert.equal(kept?.status, 'failed');
  assert.equal(kept?.finishedAt, NOW.toISOString());
  assert.deepEqual(kept?.tables, { 'a.b#c': ROWS, ...failed });
});

test('a run begins once more while no end of it was told, and never after', async () => {
  const { jobId } = await newJob();
  const part = { jobId, runId: RUN.runId, startedAt: RUN.startedAt, part: 'large "one"' };
  assert.equal(await runs.begin(jobId, RUN), true);
  assert.equal(await runs.begin(jobId, { ...RUN, status: 'idle' }), true);
  assert.equal(await runs.hasEnded(jobId, RUN, part.part), false);
  await runs.finish(part, { 'large "one"': ROWS }, null, NOW);
  assert.deepEqual([await runs.hasEnded(jobId, RUN, part.part), await runs.hasEnded(jobId, RUN, 'job')], [true, false]);
  assert.equal(await runs.begin(jobId, RUN), false);
  assert.deepEqual((await runs.list(jobId, 1))[0]?.tables, { 'large "one"': ROWS });
});

test('a run that failed before it was recorded is recorded as failed', async () => {
  const { jobId } = await newJob();
  const part = { jobId, runId: 'r1', startedAt: RUN.startedAt, part: 'job' };
  const { status, error } = await runs.finish(part, {}, 'SourceRefused: no password', NOW);
  assert.deepEqual({ status, error }, { status: 'failed', error: 'SourceRefused: no password' });
});

test('a run whose tables have more to tell than an item holds tells it in brief, also what came before', async () => {
  const { jobId } = await newJob();
  await runs.begin(jobId, { ...RUN, expected: ['large', 'job'] });
  const part = (name: string) => ({ jobId, runId: RUN.runId, startedAt: RUN.startedAt, part: name });
  const error = `TableUnreadable: ${'why '.repeat(500)}`;
  await runs.finish(part('large'), { large: { ...ROWS, error, unchanged: true, schemaChanges: ['new'] } }, null, NOW);
  const tables = Object.fromEntries(Array.from({ length: 450 }, (_, i) => [`table_${i}`, { ...ROWS, error }]));
  assert.equal((await runs.finish(part('job'), tables, null, NOW)).status, 'failed');
  const [run] = await runs.list(jobId, 1);
  assert.deepEqual(Object.keys(run?.tables ?? {}).sort(), ['large', ...Object.keys(tables)].sort());
  const brief = { ...ROWS, error: `${error.slice(0, 100)}…` };
  assert.deepEqual(run?.tables.large, { ...brief, unchanged: true });
  for (const name of ['table_0', 'table_449']) assert.deepEqual(run?.tables[name], brief, name);
});

test('a run may have more tables than one update of an item takes', async () => {
  const { jobId } = await newJob();
  await runs.begin(jobId, { ...RUN, expected: ['job'] });
  const tables = Object.fromEntries(Array.from({ length: 450 }, (_, i) => [`table_${i}`, ROWS]));
  const part = { jobId, runId: RUN.runId, startedAt: RUN.startedAt, part: 'job' };
  assert.equal((await runs.finish(part, tables, null, NOW)).status, 'succeeded');
  const [run] = await runs.list(jobId, 1);
  assert.deepEqual(run?.tables, tables);
  assert.ok(longestUpdate > 0 && longestUpdate <= 4_096, `${longestUpdate} bytes`);
});

test('runs are listed newest first', async () => {
  const { jobId } = await newJob();
  for (const hour of ['10', '12', '11'])
    await runs.begin(jobId, { ...RUN, runId: `r${hour}`, startedAt: `2026-11-22T${hour}:00:00.000Z` });
  assert.deepEqual(
    (await runs.list(jobId, 2)).map(({ runId }) => runId),
    ['r12', 'r11'],
  );
});
