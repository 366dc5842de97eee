import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ValueSum } from '../../shared/core/value-sum.ts';
import type { ValueKind } from '../../shared/sql/checksum.ts';

type Row = [key: (string | null)[], values: (string | null)[]];
const sum = (rows: Row[], kinds: ValueKind[] = ['json', 'float']) => {
  const total = new ValueSum(kinds);
  for (const [key, values] of rows) total.add(key, values);
  return total.digest();
};

const text = fc.option(fc.string({ maxLength: 3 }));
const row = fc.tuple(fc.array(text, { minLength: 2, maxLength: 2 }), fc.tuple(text, text)) as fc.Arbitrary<Row>;

test('the order of rows does not matter', () => {
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      assert.equal(sum(rows.toReversed()), sum(rows));
    }),
  );
});

test('how often a row comes does matter', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1 }), (rows) => {
      assert.notEqual(sum([...rows, ...rows]), sum(rows));
      assert.notEqual(sum(rows.slice(1)), sum(rows));
    }),
  );
});

test('two equal rows do not cancel each other out', () => {
  const x: Row = [['x'], ['1', '1']];
  const y: Row = [['y'], ['1', '1']];
  assert.equal(new Set([sum([]), sum([x, x]), sum([y, y]), sum([x, y]), sum([x, x, x, x])]).size, 5);
});

const one = (key: (string | null)[], values: (string | null)[], kinds: ValueKind[]) => sum([[key, values]], kinds);

test("NULL, '' and a text that looks like NULL's mark are three things", () => {
  assert.equal(new Set([null, '', '~', '0:'].map((key) => one([key], ['1'], ['json']))).size, 4);
});

test('a value is tied to its column and to its row', () => {
  assert.notEqual(one(['k'], ['1', null], ['json', 'json']), one(['k'], [null, '1'], ['json', 'json']));
  assert.notEqual(one(['a', 'bc'], ['1'], ['json']), one(['ab', 'c'], ['1'], ['json']));
  const left: Row[] = [
    [['a'], ['1']],
    [['b'], ['2']],
  ];
  const right: Row[] = [
    [['a'], ['2']],
    [['b'], ['1']],
  ];
  assert.notEqual(sum(left, ['json']), sum(right, ['json']));
});

test('floats are compared as the doubles they are', () => {
  const float = (value: string | null) => one([], [value], ['float']);
  assert.equal(float('0.1'), float('0.1000000000000000055511151231257827'));
  assert.equal(float('1e3'), float('1000'));
  assert.equal(float('-0'), float('0'));
  assert.notEqual(float('0.1'), float('0.10000000000000002'));
  assert.notEqual(float('1e-17'), float('2e-17'));
  assert.notEqual(float('5e-324'), float('0'));
  assert.notEqual(float(null), float('0'));
  assert.notEqual(float('NaN'), float('Infinity'));
});

test('a four-byte float is itself with all the digits of a double, too, but not its neighbour', () => {
  const real = (value: string) => one([], [value], ['real']);
  assert.equal(real('0.1'), real('0.10000000149011612'));
  assert.notEqual(real('0.1'), real('0.10000001'));
  assert.notEqual(one([], ['0.1'], ['float']), one([], ['0.10000000149011612'], ['float']));
});

test('what is not JSON equals itself only', () => {
  assert.equal(one([], ['{'], ['json']), one([], ['{'], ['json']));
  assert.notEqual(one([], ['{'], ['json']), one([], ['['], ['json']));
  assert.notEqual(one([], ['{'], ['json']), one([], ['"not JSON: {"'], ['json']));
});
