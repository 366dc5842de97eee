import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Column } from '../../shared/model/column.ts';
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

const texts: TestColumn[] = [
  { name: 'a', type: 'text' },
  { name: 'b', type: 'text' },
];
const documents: TestColumn[] = [
  { name: 'a', type: 'text' },
  { name: 'b', type: 'jsonb' },
];
/** What must not compare equal: rows at the source, a change in the warehouse. */
const differences: [string, TestColumn[], (string | null)[][], string][] = [
  ["'' instead of NULL", texts, [['x', null]], "UPDATE t SET b = ''"],
  ["NULL instead of ''", texts, [['x', '']], 'UPDATE t SET b = NULL'],
  [
    'values swapped between two rows',
    texts,
    [
      ['x', '1'],
      ['y', '2'],
    ],
    "UPDATE t SET b = CASE b WHEN '1' THEN '2' ELSE '1' END",
  ],
  [
    'documents swapped between two rows of a table without a key',
    documents,
    [
      ['x', '1'],
      ['y', '2'],
    ],
    "UPDATE t SET b = CASE b WHEN '1' THEN '2'::jsonb ELSE '1' END",
  ],
  [
    'a row twice',
    texts,
    [
      ['x', '1'],
      ['y', '2'],
    ],
    "INSERT INTO t SELECT * FROM t WHERE a = 'x'",
  ],
  [
    'a row twice instead of another',
    texts,
    [
      ['x', '1'],
      ['y', '2'],
    ],
    "UPDATE t SET a = 'x', b = '1'",
  ],
  [
    'two equal pairs of rows, exchanged',
    texts,
    [
      ['x', '1'],
      ['x', '1'],
      ['y', '2'],
      ['z', '3'],
    ],
    "UPDATE t SET a = 'y', b = '2' WHERE ctid = (SELECT min(ctid) FROM t)",
  ],
  [
    'a row twice, of documents',
    documents,
    [
      ['x', '1'],
      ['y', '2'],
    ],
    "INSERT INTO t SELECT * FROM t WHERE a = 'x'",
  ],
  [
    'a lost row',
    texts,
    [
      ['x', '1'],
      ['y', '2'],
    ],
    "DELETE FROM t WHERE a = 'y'",
  ],
  [
    'a lost row of NULLs',
    texts,
    [
      ['x', '1'],
      [null, null],
    ],
    'DELETE FROM t WHERE a IS NULL',
  ],
  ['an empty table', texts, [['x', '1']], 'DELETE FROM t'],
  ['an empty table of documents', documents, [['x', '1']], 'DELETE FROM t'],
  ['values moved to the next column', texts, [['x', '']], "UPDATE t SET a = '', b = 'x'"],
  ['a letter moved to the next column', texts, [['ab', 'c']], "UPDATE t SET a = 'a', b = 'bc'"],
  ['NULL moved to the next column', texts, [['x', null]], "UPDATE t SET a = NULL, b = 'x'"],
  ["the encoding's own marks", texts, [['a|;b', 'c']], "UPDATE t SET a = 'a', b = 'b|;c'"],
  ["the encoding's marks doubled", texts, [['a||', ';']], "UPDATE t SET a = 'a|', b = '|;'"],
  ["the encoding's NULL", texts, [['|~', 'x']], 'UPDATE t SET a = NULL'],
  ['a long text and its hash', texts, [['l'.repeat(129), 'x']], 'UPDATE t SET a = md5(a)'],
  ['a long text and its hash with the mark', texts, [['l'.repeat(129), 'x']], "UPDATE t SET a = md5(a) || '|#'"],
  ['the last letter of a long text', texts, [['l'.repeat(60_000), 'x']], "UPDATE t SET a = left(a, -1) || 'L'"],
  ['a trailing blank', texts, [['x', 'y']], "UPDATE t SET b = 'y '"],
  ['one letter, two spellings', texts, [['\u00e9', 'y']], "UPDATE t SET a = U&'e\\0301'"],
  ['1e-17 more in a float', [{ name: 'f', type: 'float8' }], [['1e-17']], 'UPDATE t SET f = 2e-17'],
  ['the last bit of a float', [{ name: 'f', type: 'float8' }], [['0.1']], "UPDATE t SET f = '0.10000000000000002'"],
  ['0 instead of a tiny float', [{ name: 'f', type: 'float8' }], [['5e-324']], 'UPDATE t SET f = 0'],
  [
    'a number in JSON beyond 2⁵³',
    documents,
    [['x', '{"n": 9007199254740992}']],
    `UPDATE t SET b = '{"n": 9007199254740993}'`,
  ],
  ['a fraction in JSON beyond a double', documents, [['x', '[0.1]']], `UPDATE t SET b = '[0.10000000000000000001]'`],
  ['a number as text in JSON', documents, [['x', '[1]']], `UPDATE t SET b = '["1"]'`],
  ['JSON elements in another order', documents, [['x', '[1, 2]']], `UPDATE t SET b = '[2, 1]'`],
  ['JSON names moved', documents, [['x', '{"a": {"b": 1}}']], `UPDATE t SET b = '{"a": 1, "b": {}}'`],
  ['null in JSON instead of nothing', documents, [['x', '{"a": null}']], `UPDATE t SET b = '{}'`],
];

for (const [what, columns, content, change] of differences) {
  test(`a difference is seen: ${what}`, async () => {
    const described = await sides.create(columns, content);
    assert.equal((await checksums(described)).identical, true, 'before the change');
    await sides.warehouse.query(change);
    assert.equal((await checksums(described)).identical, false);
  });
}

/** What must compare equal although the bytes differ. */
const equalities: [string, TestColumn[], (string | null)[][], string][] = [
  [
    'rows in another order',
    texts,
    [
      ['x', '1'],
      ['y', '2'],
      ['z', null],
    ],
    "UPDATE t SET a = a WHERE a = 'x'",
  ],
  [
    'documents in another order',
    documents,
    [
      ['x', '1'],
      ['y', '2'],
    ],
    "UPDATE t SET a = a WHERE a = 'x'",
  ],
  ['JSON numbers of one value', documents, [['x', '[1.0, 1e2, -0, 0.50]']], `UPDATE t SET b = '[1, 100, 0.0, 0.5]'`],
  ['zero with and without a sign', [{ name: 'f', type: 'float8' }], [['-0']], 'UPDATE t SET f = 0'],
];

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
