import type { TestColumn } from './sides.ts';

export const texts: TestColumn[] = [
  { name: 'a', type: 'text' },
  { name: 'b', type: 'text' },
];
const documents: TestColumn[] = [
  { name: 'a', type: 'text' },
  { name: 'b', type: 'jsonb' },
];
/** What must not compare equal: rows at the source, a change in the warehouse. */
export const differences: [string, TestColumn[], (string | null)[][], string][] = [
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

/** What must compare equal although the bytes differ. */
export const equalities: [string, TestColumn[], (string | null)[][], string][] = [
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
