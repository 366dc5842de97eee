import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gapsUpTo, stillOpen, watchGaps } from '../../shared/core/gaps.ts';
import type { Gap } from '../../shared/model/state.ts';

const gap = (from: number, to: number, seen = '2026-11-01T00:00:00.000Z'): Gap => ({
  from: String(from),
  to: String(to),
  seen,
});

test('a gap is open until the fence has passed its last day', () => {
  assert.equal(stillOpen(gap(1, 2), '2026-11-07T23:59:59.999999Z', 7), true);
  assert.equal(stillOpen(gap(1, 2), '2026-11-08T00:00:00.000000Z', 7), false);
});

test('neighbours become one range, and the younger date counts for both', () => {
  const young = '2026-11-05T00:00:00.000Z';
  assert.deepEqual(watchGaps([gap(5, 5), gap(9, 12, young)]).gaps, [gap(5, 12, young)]);
  assert.deepEqual(watchGaps([gap(5, 5, young), gap(9, 12)]).gaps, [gap(5, 12, young)]);
});

test('what lies too far apart to be probed as one stays apart', () => {
  assert.equal(watchGaps([gap(1, 1), gap(1_000, 1_000)]).gaps.length, 1);
  assert.equal(watchGaps([gap(1, 1), gap(1_001, 1_001)]).gaps.length, 2);
  assert.deepEqual(watchGaps([gap(1, 5_000), gap(5_002, 5_003)]).gaps, [gap(1, 5_000), gap(5_002, 5_003)]);
});

test('gaps of a batch that failed are not kept beside those that its repetition finds', () => {
  const committed = gap(10, 20);
  const found = [gap(3_000, 3_010), gap(9_000, 9_010)];
  const again = [...gapsUpTo([committed, ...found], '2500'), ...found];
  assert.deepEqual(watchGaps(again).gaps, [committed, ...found]);
  assert.deepEqual(gapsUpTo(found, null), [], 'nothing is committed');
  assert.deepEqual(gapsUpTo([gap(95, 108)], '104'), [gap(95, 104)], 'what lies below stays watched');
});

test('every missing id stays watched', () => {
  const missing = Array.from({ length: 900 }, (_, i) => gap(i * 700, i * 700 + (i % 3)));
  const { gaps, dropped } = watchGaps(missing);
  assert.equal(dropped, 0);
  for (const { from, to } of missing)
    assert.ok(
      gaps.some((one) => BigInt(one.from) <= BigInt(from) && BigInt(to) <= BigInt(one.to)),
      `${from} is watched`,
    );
});

test('of too many gaps the oldest are given up, and counted', () => {
  const { gaps, dropped } = watchGaps(Array.from({ length: 1_010 }, (_, i) => gap(i * 5_000, i * 5_000)));
  assert.deepEqual([gaps.length, dropped, gaps[0]?.from], [1_000, 10, '50000']);
});

test('the ranges that were given are left as they were', () => {
  const given = [gap(1, 1), gap(3, 3)];
  watchGaps(given);
  assert.deepEqual(given, [gap(1, 1), gap(3, 3)]);
});
