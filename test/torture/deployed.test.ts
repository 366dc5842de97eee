import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from '../job/harness.ts';
import { SERVER } from './converge.ts';
import { convergeDeployed, Moments } from './deployed.ts';

const SEEDS = 2;
const moments = new Moments();
const ground = bench({ fault: moments.fault }, SERVER);

test('what is deployed, in processes of its own, makes every table identical in the end', async () => {
  for (let seed = 1; seed <= SEEDS; seed++)
    assert.deepEqual(await convergeDeployed(ground, moments, seed), [], `seed ${seed}`);
});
