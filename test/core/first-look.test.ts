import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sums } from '../../shared/core/drift.ts';
import { firstLook } from '../../shared/core/first-look.ts';

const side = (rows: Record<string, [number, string]>): Sums => rows;
const source = side({ a: [4, '1'], b: [4, '1'], c: [4, '1'], d: [4, '1'] });
const SQL = { valued: false, nextBucket: 0 };

test('no more is looked at than one comparison holds, and what is left counts as covered by none', () => {
  const warehouse = side({ a: [3, '1'], b: [6, '1'], c: [4, '1'], d: [5, '1'] });
  const { chosen, looked, unfinished } = firstLook({ kind: 'reconcile', runId: 'r' }, { source, warehouse }, SQL, 6);
  assert.deepEqual(chosen, ['b']);
  assert.deepEqual(looked, {
    rows: { source: 16, warehouse: 18 },
    surplus: 3,
    covered: { rows: 8, values: 8, nextBucket: 0, left: 9, looked: 4 },
  });
  assert.equal(unfinished, true);
});

test('where all that differs is looked at nothing is left; a comparison of keys leaves only what is to be removed', () => {
  const warehouse = side({ a: [3, '1'], b: [6, '1'], c: [4, '1'], d: [4, '1'] });
  const look = (kind: 'reconcile' | 'verify', budget: number) =>
    firstLook({ kind, runId: 'r' }, { source, warehouse }, SQL, budget);
  assert.equal(look('reconcile', 6).unfinished, false, 'of a the warehouse only lacks rows');
  assert.equal(look('verify', 6).unfinished, true);
  const whole = look('verify', 10);
  assert.deepEqual([whole.chosen.toSorted(), whole.unfinished], [['a', 'b'], false]);
  assert.deepEqual(whole.looked.covered, { rows: 16, values: 16, nextBucket: 0 });
});

test('each verification begins with other buckets that differ, so that each has its turn', () => {
  const warehouse = side({});
  const first = Array.from({ length: 50 }, (_, i) => {
    const { chosen } = firstLook({ kind: 'verify', runId: `run ${i}` }, { source, warehouse }, SQL, 4);
    return chosen.join();
  });
  assert.deepEqual([...new Set(first)].sort(), ['a', 'b', 'c', 'd']);
});

test('values that no SQL can hash are looked at in turns, after what differs', () => {
  const warehouse = side({ ...source, c: [4, '2'] });
  const turn = (nextBucket: number, budget: number) => {
    const { chosen, looked } = firstLook(
      { kind: 'verify', runId: 'r' },
      { source, warehouse },
      { valued: true, nextBucket },
      budget,
    );
    return [chosen, looked.covered.values, looked.covered.nextBucket];
  };
  assert.deepEqual(turn(0, 8), [['c', 'a'], 8, 1]);
  assert.deepEqual(turn(1, 8), [['c', 'b'], 8, 2]);
  assert.deepEqual(turn(3, 12), [['c', 'd', 'a'], 12, 1]);
});
