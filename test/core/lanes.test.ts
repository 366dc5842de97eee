import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inLanes } from '../../shared/core/lanes.ts';

test('few large tables share the connections, many take turns, and together they never open more', () => {
  const lane = (table: string, ...waiting: string[]) => ({ table, waiting });
  assert.deepEqual(inLanes([], 8), { lanes: [], connections: 8 });
  assert.deepEqual(inLanes(['a'], 8), { lanes: [lane('a')], connections: 8 });
  assert.deepEqual(inLanes(['a', 'b', 'c'], 8), { lanes: [lane('a'), lane('b'), lane('c')], connections: 2 });
  assert.deepEqual(inLanes(['a', 'b', 'c', 'd', 'e'], 2), {
    lanes: [lane('a', 'c', 'e'), lane('b', 'd')],
    connections: 1,
  });
});
