import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from '../job/harness.ts';
import { converge, SEEDS, SERVER } from './converge.ts';

const ground = bench({}, SERVER);

test('whatever transactions do while ticks run, every table is identical in the end', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) assert.deepEqual(await converge(ground, seed), [], `seed ${seed}`);
});
