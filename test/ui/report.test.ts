import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { renderReport } from '../../local/ui/report.ts';
import { allIdentical, Report, type TableReport } from '../../local/ui/report-schema.ts';

const checksum = 'd41d8cd98f00b204e9800998ecf8427e';
const table = (
  name: string,
  mode: TableReport['mode'],
  rows: number,
  more: Partial<TableReport> = {},
): TableReport => ({
  name,
  mode,
  rows,
  bytes: rows * 34,
  seconds: rows / 160_000,
  sourceRows: rows,
  warehouseRows: rows,
  sourceChecksum: checksum,
  warehouseChecksum: checksum,
  watermark: null,
  error: null,
  ...more,
});
const failed = { sourceRows: null, warehouseRows: null, sourceChecksum: null, warehouseChecksum: null };
const report: Report = {
  warehouse: 'postgres://reader@127.0.0.1:54320/warehouse',
  run: 'initial',
  tables: [
    table('countries', 'FULL_DATA_SYNC', 35),
    table('events', 'INSERT_ONLY', 159_990),
    table('orders', 'INSERT_AND_UPDATE', 12_389_979),
  ],
  calls: { lambda: 42, redshiftData: 31, s3: 28, dynamodb: 120, transitions: 57 },
  seconds: 14.23,
};
const plain = (given: Report, width: number) => renderReport(given, { color: false, width }).split('\n');

test('80 columns show what was copied and that it is identical', () => {
  assert.deepEqual(plain(report, 80), [
    '',
    '  Initial run  12,550,004 rows · 3 tables · 427 MB · 14 s',
    '',
    '  table      copy mode                rows     size    time',
    '  ──────────────────────────────────────────────────────────────────────',
    '  countries  FULL_DATA_SYNC             35  1.19 kB  0.00 s  identical ✓',
    '  events     INSERT_ONLY           159,990  5.44 MB   1.0 s  identical ✓',
    '  orders     INSERT_AND_UPDATE  12,389,979   421 MB  1m 17s  identical ✓',
    '',
    '  ✓ All 3 tables are identical, 12,550,004 rows compared on both sides.',
    '',
    '  AWS calls  42 Lambda · 31 Redshift · 28 S3 · 120 DynamoDB · 57 transitions',
    '',
  ]);
});

test('120 columns show both sides, too, and where to connect while it is up', () => {
  assert.deepEqual(plain({ ...report, control: 'http://127.0.0.1:8080', run: 'incremental' }, 120), [
    '',
    '  Incremental run  12,550,004 rows · 3 tables · 427 MB · 14 s',
    '',
    '  table      copy mode                rows     size    time      source   warehouse',
    '  ──────────────────────────────────────────────────────────────────────────────────────────────',
    '  countries  FULL_DATA_SYNC             35  1.19 kB  0.00 s          35          35  identical ✓',
    '  events     INSERT_ONLY           159,990  5.44 MB   1.0 s     159,990     159,990  identical ✓',
    '  orders     INSERT_AND_UPDATE  12,389,979   421 MB  1m 17s  12,389,979  12,389,979  identical ✓',
    '',
    '  ✓ All 3 tables are identical, 12,550,004 rows compared on both sides.',
    '',
    '  AWS calls  42 Lambda · 31 Redshift · 28 S3 · 120 DynamoDB · 57 transitions',
    '  Warehouse  postgres://reader@127.0.0.1:54320/warehouse',
    '  Control    http://127.0.0.1:8080',
    '',
  ]);
});

test('differences and errors stand below the table, whole', () => {
  const error =
    'SourceUnavailable: cannot reach orders_db:5432 – check the security group of the function and that the database ' +
    'accepts connections\nconnect ECONNREFUSED 10.0.0.1:5432';
  const tables = [
    table('countries', 'FULL_DATA_SYNC', 35, { ...failed }),
    table('events', 'INSERT_ONLY', 10_000, {
      warehouseRows: 9_999,
      warehouseChecksum: '0cc175b9c0f1b6a831c399e269772661',
    }),
    table('orders', 'INSERT_AND_UPDATE', 0, { ...failed, error }),
    table('stock', 'FULL_DATA_SYNC', 1),
  ];
  assert.deepEqual(plain({ ...report, tables }, 80).slice(3, -3), [
    '  table      copy mode            rows     size    time',
    '  ───────────────────────────────────────────────────────────────────',
    '  countries  FULL_DATA_SYNC         35  1.19 kB  0.00 s  not compared',
    '  events     INSERT_ONLY        10,000   340 kB  0.06 s  DIFFERENT ✗',
    '  orders     INSERT_AND_UPDATE       0      0 B  0.00 s  FAILED ✗',
    '  stock      FULL_DATA_SYNC          1     34 B  0.00 s  identical ✓',
    '',
    '  ✗ events',
    `    source     10,000 rows  checksum ${checksum}`,
    '    warehouse   9,999 rows  checksum 0cc175b9c0f1b6a831c399e269772661',
    '',
    '  ✗ orders',
    '    SourceUnavailable: cannot reach orders_db:5432 – check the security group of',
    '    the function and that the database accepts connections',
    '    connect ECONNREFUSED 10.0.0.1:5432',
    '',
    '  ✗ 3 of 4 tables not proved identical.',
  ]);
});

test('equal counts with different checksums are different', () => {
  const tables = [table('orders', 'INSERT_ONLY', 5, { warehouseChecksum: 'other' })];
  assert.match(renderReport({ ...report, tables }, { color: false, width: 80 }), /DIFFERENT ✗/);
  assert.equal(allIdentical({ ...report, tables }), false);
});

test('colours change nothing but colours', () => {
  for (const width of [60, 80, 100, 140]) {
    const colored = renderReport(report, { color: true, width });
    assert.notEqual(stripVTControlCharacters(colored), colored);
    assert.equal(
      stripVTControlCharacters(colored).replaceAll(/ +$/gm, ''),
      renderReport(report, { color: false, width }).replaceAll(/ +$/gm, ''),
    );
  }
});

test('long names make the copy mode shorter first, then they are shortened themselves', () => {
  const tables = [table('customer_address_history', 'INSERT_AND_UPDATE', 9_999_999), table('b', 'INSERT_ONLY', 0)];
  assert.deepEqual(plain({ ...report, tables }, 80).slice(3, 7), [
    '  table                   copy mode            rows    size    time',
    '  ──────────────────────────────────────────────────────────────────────────────',
    '  customer_ad…ss_history  insert, update  9,999,999  340 MB  1m 02s  identical ✓',
    '  b                       insert only             0     0 B  0.00 s  identical ✓',
  ]);
});

test('no line of the table is longer than the terminal, however long the names', () => {
  const tables = [table('n'.repeat(63), 'INSERT_AND_UPDATE', 123_456_789), table('b', 'FULL_DATA_SYNC', 1)];
  for (const width of [80, 100, 120, 140]) {
    const lines = plain({ ...report, tables }, width).filter((line) => !/AWS calls/.test(line));
    assert.ok(Math.max(...lines.map((line) => [...line].length)) <= width, `${width}:\n${lines.join('\n')}`);
  }
});

test('values that policies changed are told by policy, with the columns that had them', () => {
  const changed = { oversizeText: 1_002, emptyBinary: 1 };
  const changedColumns = { body: { oversizeText: 1_000 }, note: { oversizeText: 2 }, data: { emptyBinary: 1 } };
  const lines = plain({ ...report, tables: [table('odd', 'INSERT_ONLY', 5_000, { changed, changedColumns })] }, 120);
  const at = lines.indexOf('  ! odd');
  assert.deepEqual(lines.slice(at, at + 4), [
    '  ! odd',
    '    1,002 values longer than the VARCHAR became truncated text or NULL in columns body (1,000), note (2) (policy',
    '    oversizeText)',
    '    1 value of no bytes became NULL in column data (policy emptyBinary)',
  ]);
});

test('a report without tables says so and is no success', () => {
  assert.match(renderReport({ ...report, tables: [] }, { color: false, width: 80 }), /No table was copied/);
  assert.equal(allIdentical({ ...report, tables: [] }), false);
});

test('only tables that were compared and are equal count as identical', () => {
  const one = (more: Partial<TableReport>) => allIdentical({ ...report, tables: [table('t', 'INSERT_ONLY', 1, more)] });
  assert.equal(one({}), true);
  assert.equal(one({ error: 'X' }), false);
  assert.equal(one(failed), false);
  assert.equal(one({ sourceChecksum: null, warehouseChecksum: null }), false);
  assert.equal(one({ warehouseRows: 2 }), false);
  assert.equal(one({ warehouseChecksum: 'other' }), false);
});

test('the schema takes a report as scripts know it, and refuses what they could not read', () => {
  assert.deepEqual(Report.parse(JSON.parse(JSON.stringify(report))), report);
  const refused = (change: object) => assert.equal(Report.safeParse({ ...report, ...change }).success, false);
  refused({ warehouse: 'mysql://x' });
  refused({ run: 'first' });
  refused({ tables: [{ ...report.tables[0], rows: -1 }] });
  refused({ tables: [{ ...report.tables[0], mode: 'APPEND' }] });
  refused({ tables: [{ ...report.tables[0], error: undefined }] });
  refused({ calls: { lambda: 1 } });
});
