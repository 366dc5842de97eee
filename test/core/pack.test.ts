import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadSize, loadStatements } from '../../shared/core/load-statements.ts';
import { MAX_SQL_BYTES, MAX_STATEMENTS, pack } from '../../shared/core/pack.ts';
import { COPY_MODES } from '../../shared/model/table.ts';
import { orders, passOf, prices } from './samples.ts';

const parcel = fc.record({
  table: fc.string({ minLength: 1 }),
  statements: fc.integer({ min: 1, max: 60 }),
  sqlBytes: fc.integer({ min: 1, max: 90_000 }),
  alters: fc.boolean(),
});

test('every table travels once, in the order of names, those last that alter their columns, and no company exceeds what a batch takes', () => {
  fc.assert(
    fc.property(fc.uniqueArray(parcel, { selector: ({ table }) => table, maxLength: 80 }), (parcels) => {
      const loads = pack(parcels);
      const named = (some: typeof parcels) => some.map(({ table }) => table).toSorted((a, b) => (a < b ? -1 : 1));
      assert.deepEqual(loads.flat(), [
        ...named(parcels.filter(({ alters }) => !alters)),
        ...named(parcels.filter(({ alters }) => alters)),
      ]);
      for (const load of loads.filter(({ length }) => length > 1)) {
        const own = parcels.filter(({ table }) => load.includes(table));
        assert.ok(own.reduce((sum, { statements }) => sum + statements, 1) <= MAX_STATEMENTS);
        assert.ok(own.reduce((sum, { sqlBytes }) => sum + sqlBytes, 0) <= MAX_SQL_BYTES);
        assert.ok(!own.some(({ alters }) => alters), 'nobody waits with one that alters its columns');
      }
    }),
  );
});

test('a load that fits exactly is not cut', () => {
  const parcels = ['a', 'b', 'c'].map((table) => ({ table, statements: 13, sqlBytes: 20_000, alters: false }));
  assert.deepEqual(pack(parcels), [['a', 'b', 'c']]);
  assert.deepEqual(pack(parcels, 2), [['a', 'b'], ['c']]);
});

test('what a load was taken to need is never less than what it is', () => {
  const wide = Array.from({ length: 300 }, (_, i) => ({
    ...(orders.columns[1] ?? assert.fail()),
    name: `column_${i}`,
  }));
  const batch = {
    shape: 's',
    nullMarker: '~0123456789abcdef~',
    objects: [{ key: 'k', rows: 9_999, bytes: 1 }],
    cursor: null,
    last: true,
  };
  for (const copyMode of COPY_MODES)
    for (const fresh of [true, false])
      for (const distinct of [true, false]) {
        const table = { ...prices, copyMode, columns: [...orders.columns, ...wide] };
        const pass = passOf(table, { fresh, distinct });
        const cargo = {
          table,
          pass,
          batch,
          copyUrl: `s3://redshift-loader-staging-000000000000/stage/job/${'r'.repeat(36)}/${'t'.repeat(16)}/delta.csv.zst`,
          stageName: 'loader_0123456789abcdef',
          abandoned: true,
          replace: [],
          minShare: 0.5,
        };
        const sqls = loadStatements([cargo], {
          schema: 'public',
          copyRoleArn: 'arn:aws:iam::000000000000:role/redshift-loader-copy',
        });
        const expected = loadSize(table, pass, true);
        const label = JSON.stringify({ copyMode, fresh, distinct });
        assert.ok(sqls.length - 1 <= expected.statements, `${sqls.length - 1} ≤ ${expected.statements} for ${label}`);
        const bytes = Buffer.byteLength(sqls.join(''));
        assert.ok(bytes <= expected.sqlBytes, `${bytes} ≤ ${expected.sqlBytes} for ${label}`);
      }
});
