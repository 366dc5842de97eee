import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { foldColumnNames, foldNames, isRenamed } from '../../shared/core/names.ts';

const folded = (names: string[]): string[] => foldNames(names).map(({ name }) => name);

test('names are folded as Redshift folds them: A to Z, and no other letter', () => {
  assert.deepEqual(folded(['AlbumId', 'ÄRGER', 'İ', 'ok']), ['albumid', 'Ärger', 'İ', 'ok']);
});

test('of names that collide the first keeps the plain one', () => {
  assert.deepEqual(folded(['id', 'ID', 'Id', 'id_2']), ['id', 'id_2', 'id_3', 'id_2_2']);
});

test('a long name is shortened between characters', () => {
  const [long] = folded(['😀'.repeat(40)]);
  assert.equal(long, '😀'.repeat(31));
  const [first, second] = folded([`${'ü'.repeat(63)}x`, `${'ü'.repeat(63)}X`]);
  assert.equal(Buffer.byteLength(first ?? ''), 127);
  assert.equal(second, `${'ü'.repeat(62)}_2`);
});

test("a column may not be called like one of Redshift's system columns, a table may", () => {
  assert.deepEqual(
    foldColumnNames(['oid', 'InsertXid']).map(({ name }) => name),
    ['oid_2', 'insertxid_2'],
  );
  assert.deepEqual(folded(['oid']), ['oid']);
});

test('what a person called a table is told nobody as what folding made of it', () => {
  const { name: long = '' } = foldNames(['Ü'.repeat(80)])[0] ?? {};
  assert.ok(isRenamed({ source: 'orders', name: 'orders_2' }) && isRenamed({ source: 'Ü'.repeat(80), name: long }));
  assert.ok(!isRenamed({ source: 'Orders', name: 'orders' }) && !isRenamed({ source: 'orders', name: 'shop_orders' }));
});

const names = fc.uniqueArray(
  fc.string({ unit: fc.constantFrom('a', 'A', 'b', '_', '2', '3', 'ü', '😀'), minLength: 1, maxLength: 70 }),
);

test('whatever the names: each gets one of its own, of at most 127 bytes, and none changes when others follow', () => {
  fc.assert(
    fc.property(names, (sources) => {
      const all = folded(sources);
      assert.equal(new Set(all).size, sources.length);
      assert.ok(all.every((name) => Buffer.byteLength(name) <= 127 && !/[A-Z]/.test(name)));
      assert.deepEqual(folded(sources.slice(0, 3)), all.slice(0, 3));
    }),
  );
});
