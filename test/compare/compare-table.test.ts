import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareTable, type QueryRows } from '../../shared/core/compare.ts';
import type { Column } from '../../shared/model/column.ts';
import { differences, equalities, texts } from './samples.ts';
import { type Sides, startSides, type TestColumn } from './sides.ts';

let sides: Sides;
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'compare-'));
  // As root, Postgres runs as another user, who must be able to enter.
  await chmod(dir, 0o755);
  sides = await startSides(dir);
  await sides.source.query("CREATE TYPE mood AS ENUM ('sad', 'ok|fine', 'happy')");
});
after(async () => {
  await sides.stop();
  await rm(dir, { recursive: true });
});

const everything: TestColumn[] = [
  { name: 'id', type: 'bigint' },
  { name: 'small', type: 'smallint' },
  { name: 'Words', type: 'text' },
  { name: 'code', type: 'varchar(20)' },
  { name: 'padded', type: 'char(5)' },
  { name: 'amount', type: 'numeric(12,2)' },
  { name: 'anyhow', type: 'numeric' },
  { name: 'flag', type: 'boolean' },
  { name: 'day', type: 'date' },
  { name: 'clock', type: 'time' },
  { name: 'moment', type: 'timestamptz' },
  { name: 'local', type: 'timestamp' },
  { name: 'uid', type: 'uuid' },
  { name: 'bytes', type: 'bytea' },
  { name: 'mood', type: 'mood' },
  { name: 'doc', type: 'jsonb' },
  { name: 'raw', type: 'json' },
  { name: 'tags', type: 'text[]' },
  { name: 'ratio', type: 'double precision' },
  { name: 'single', type: 'real' },
];
const rows = [
  [
    '1',
    '7',
    'plain',
    'a',
    'x',
    '12.30',
    '0.10',
    't',
    '2024-02-29',
    '12:34:56.789012',
    '2024-03-31 01:30:00.123456+00',
    '2024-03-31 02:30:00.1',
    '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
    '\\x00ff',
    'ok|fine',
    '{"b": 1.0, "a": [1e2]}',
    '{"z":1, "a" : 2}',
    '{a,NULL,"b\\"c"}',
    '0.1',
    '0.1',
  ],
  [
    '2',
    '-7',
    'quote \' " | \\ \n 🎉',
    '',
    '',
    '-0.05',
    '12345678901234567890123456789012345678901234567890.5',
    'f',
    '1970-01-01',
    '00:00:00',
    '1969-12-31 23:59:59.999999+00',
    '0001-01-01 00:00:00',
    null,
    '\\x',
    'sad',
    '{"n": 9007199254740993}',
    '[]',
    '{}',
    '1e-17',
    '-0',
  ],
  ['3', ...Array<null>(19).fill(null)],
  [
    '4',
    '0',
    `${'long '.repeat(100)}|`,
    '||',
    '|',
    '0.00',
    '0',
    't',
    '9999-12-31',
    '23:59:59.999999',
    '9999-12-31 23:59:59.999999+00',
    '2000-01-01 00:00:00',
    '00000000-0000-0000-0000-000000000000',
    `\\x${'ab'.repeat(500)}`,
    'happy',
    '"just text"',
    '1.50',
    '{"",NULL}',
    '1.7976931348623157e308',
    '3.4028235e38',
  ],
];

const create = () => sides.create(everything, rows);
const checksums = async (columns: Column[]) => {
  const { identical, sourceChecksum, warehouseChecksum, sourceRows, warehouseRows } = await sides.compare(columns);
  assert.equal(identical, sourceChecksum === warehouseChecksum && sourceRows === warehouseRows);
  return { identical, sourceRows, warehouseRows };
};

test('a table that was loaded as the mapping says compares identical in all its columns', async () => {
  const columns = await create();
  for (const column of columns) assert.equal((await checksums([column])).identical, true, column.source);
  const result = await sides.compare(columns);
  assert.deepEqual(
    { ...result, sourceChecksum: '', warehouseChecksum: '' },
    {
      sourceRows: 4,
      warehouseRows: 4,
      sourceChecksum: '',
      warehouseChecksum: '',
      identical: true,
      covered: {
        text: everything.slice(0, 15).map(({ name }) => name),
        json: ['doc', 'raw', 'tags'],
        float: ['ratio', 'single'],
      },
    },
  );
  assert.equal(result.sourceChecksum, result.warehouseChecksum);
  assert.match(result.sourceChecksum, /^[0-9a-f]{32}$/);
});

/** For every column a value that is close to row 1's own. */
const nextTo: Record<string, string> = {
  id: '5',
  small: '8',
  words: "'plain '",
  code: "'A'",
  padded: "'X    '",
  amount: '12.31',
  anyhow: "'0.1'",
  flag: 'false',
  day: "'2024-03-01'",
  clock: "'12:34:56.789013'",
  moment: "'2024-03-31 01:30:00.123457+00'",
  local: "'2024-03-31 02:30:00.100001'",
  uid: "'6ba7b810-9dad-11d1-80b4-00c04fd430c9'",
  bytes: "'\\x00fe'",
  mood: "'ok;fine'",
  doc: `'{"b": 1.0, "a": [1e3]}'`,
  raw: `'{"z":1, "A" : 2}'`,
  tags: `'["a", null, "b"]'`,
  ratio: '0.10000000000000002',
  single: '0.10000001',
};

test('a change of any single column is seen', async () => {
  const columns = await create();
  for (const { name } of columns) {
    await sides.warehouse.query('BEGIN');
    await sides.warehouse.query(`UPDATE t SET "${name}" = ${nextTo[name]} WHERE id = 1`);
    assert.equal((await checksums(columns)).identical, false, `${name} = ${nextTo[name]}`);
    await sides.warehouse.query('ROLLBACK');
  }
  for (const { name } of columns) {
    await sides.warehouse.query('BEGIN');
    await sides.warehouse.query(`UPDATE t SET "${name}" = NULL WHERE id = 1`);
    assert.equal((await checksums(columns)).identical, false, `${name} is NULL`);
    await sides.warehouse.query('ROLLBACK');
  }
  assert.equal((await checksums(columns)).identical, true);
});

for (const [what, columns, content, change] of differences) {
  test(`a difference is seen: ${what}`, async () => {
    const described = await sides.create(columns, content);
    assert.equal((await checksums(described)).identical, true, 'before the change');
    await sides.warehouse.query(change);
    assert.equal((await checksums(described)).identical, false);
  });
}

for (const [what, columns, content, change] of equalities) {
  test(`no difference: ${what}`, async () => {
    const described = await sides.create(columns, content);
    await sides.warehouse.query(change);
    assert.deepEqual(await checksums(described), {
      identical: true,
      sourceRows: content.length,
      warehouseRows: content.length,
    });
  });
}

test('a restriction leaves out the same rows on both sides', async () => {
  const columns = await sides.create(texts, [
    ['1', 'x'],
    ['2', 'y'],
    ['3', 'z'],
  ]);
  await sides.warehouse.query("DELETE FROM t WHERE a = '3'");
  const result = await sides.compare(columns, { source: `"a" < '3'`, warehouse: `"a" < '3'` });
  assert.deepEqual([result.identical, result.sourceRows, result.warehouseRows], [true, 2, 2]);
  assert.equal((await sides.compare(columns)).identical, false);
});

test('empty tables are identical, and their checksum is not that of a row', async () => {
  const columns = await sides.create(texts, []);
  const empty = await sides.compare(columns);
  assert.deepEqual([empty.identical, empty.sourceRows], [true, 0]);
  const one = await sides.compare(await sides.create(texts, [[null, null]]));
  assert.notEqual(empty.sourceChecksum, one.sourceChecksum);
});

test('300 columns of long text are compared to the last', async () => {
  const wide = Array.from({ length: 300 }, (_, i) => ({ name: `c${i}`, type: 'text' }));
  const columns = await sides.create(wide, [wide.map(() => '🎉'.repeat(60))]);
  assert.equal((await checksums(columns)).identical, true);
  await sides.warehouse.query("UPDATE t SET c299 = c299 || '!'");
  assert.equal((await checksums(columns)).identical, false);
});

test('a side that fails lets the other one end before the comparison fails', async () => {
  const columns = await sides.create(texts, [['x', '1']]);
  let ended = false;
  const slow: QueryRows = {
    async *rows() {
      await sleep(50);
      ended = true;
      yield ['1', '1'];
    },
  };
  async function* failing() {
    yield* [];
    throw new Error('WarehouseUnavailable: try again');
  }
  const broken: QueryRows = {
    rows: () => failing(),
  };
  const name = { schema: 'public', name: 't' };
  const comparing = compareTable({ source: name, warehouse: name, columns }, { source: slow, warehouse: broken });
  await assert.rejects(comparing, /WarehouseUnavailable/);
  assert.ok(ended);
});
