import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderVerification } from '../../local/ui/verification.ts';
import type { VerifiedTable } from '../../shared/model/verification.ts';

const table = (name: string, change: Partial<VerifiedTable> = {}): VerifiedTable => ({
  table: name,
  status: 'identical',
  rows: 1_000,
  values: 1_000,
  missing: 0,
  extra: 0,
  different: 0,
  replaced: 0,
  object: null,
  error: null,
  ...change,
});
const lines = (tables: VerifiedTable[], named = new Map<string, unknown[]>()) =>
  renderVerification({ verifyId: 'v', status: 'failed', tables }, { color: false, width: 80 }, named).split('\n');

test('a line a table; below it what is wrong, and the rows', () => {
  const named = new Map([
    [
      'orders',
      [
        { what: 'missing', key: { id: '3' } },
        { what: 'different', row: '77ab' },
      ],
    ],
  ]);
  const error = 'SourceUnavailable: cannot reach orders_db:5432 – check the security group of the function';
  assert.deepEqual(
    lines(
      [
        table('countries'),
        table('orders', { status: 'different', rows: 1_234_567, missing: 1, object: 'compare/o' }),
        table('events', { status: 'different', different: 2, object: 'compare/e' }),
        table('logs', { status: 'failed', rows: null, error }),
      ],
      named,
    ),
    [
      '',
      '  table           rows  missing  extra  different',
      '  ────────────────────────────────────────────────────────────',
      '  countries      1,000        0      0          0  identical ✓',
      '  orders     1,234,567        1      0          0  DIFFERENT ✗',
      '  events         1,000        0      0          2  DIFFERENT ✗',
      '  logs               –        0      0          0  FAILED ✗',
      '',
      '  ✗ orders',
      '    missing    id = "3"',
      '    different  the row whose hash is 77ab',
      '',
      '  ✗ events',
      "    the rows are named in compare/e of the staging bucket: zstd, a row's JSON",
      '    text a line',
      '',
      '  ✗ logs',
      '    SourceUnavailable: cannot reach orders_db:5432 – check the security group of',
      '    the function',
      '',
      '  ✗ 3 of 4 tables not identical: jobs verify --repair replaces what differs.',
      '',
    ],
  );
});

test('tables that are all the same are told in one line', () => {
  assert.equal(lines([table('a'), table('b')]).at(-2), '  ✓ 2 tables identical, 2,000 rows compared on both sides.');
});

test('tables that were repaired are no longer told as wrong, others still are', () => {
  const repaired = table('a', { status: 'repaired', different: 1 });
  assert.equal(lines([repaired, table('b')]).at(-2), '  ! 1 of 2 tables differed: repaired, verify again.');
  const wrong = '  ✗ 1 of 2 tables not identical';
  assert.equal(
    lines([repaired, table('b', { status: 'different' })]).at(-2),
    `${wrong}: jobs verify --repair replaces what differs.`,
  );
  assert.equal(lines([repaired, table('b', { status: 'failed', error: 'why' })]).at(-2), `${wrong}.`);
});

test('of rows that the run in between replaced it is told that they differed', () => {
  assert.deepEqual(lines([table('stock', { replaced: 2 })]).slice(3, -1), [
    '  stock  1,000        0      0          0  identical ✓',
    '',
    '  ! stock',
    '    2 rows differed until the run in between copied the table anew: changed at',
    '    the source since its last sync, or wrong in the warehouse before',
    '',
    '  ✓ 1 table identical, 1,000 rows compared on both sides.',
  ]);
});

test('rows that the warehouse keeps on purpose are explained', () => {
  assert.deepEqual(lines([table('orders', { extra: 3 })]).slice(5, 8), [
    '  ! orders',
    "    3 rows only in the warehouse: it keeps what the source deleted (the table's",
    '    deletes: ignore)',
  ]);
});
