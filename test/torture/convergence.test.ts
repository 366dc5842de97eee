import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from '../job/harness.ts';
import { converge, SERVER } from './converge.ts';
import { convergeDeployed, Moments } from './deployed.ts';
import { MUTATIONS } from './mutations.ts';

const SEEDS = 20;
/** Of the whole of what is deployed. */
const DEPLOYED = 2;
const moments = new Moments();
const ground = bench({ fault: moments.fault }, SERVER);

test('whatever transactions do while ticks run, every table is identical in the end', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) assert.deepEqual(await converge(ground, seed), [], `seed ${seed}`);
});

test('and so they are by what is deployed, in processes of its own', async () => {
  for (let seed = 1; seed <= DEPLOYED; seed++)
    assert.deepEqual(await convergeDeployed(ground, moments, seed), [], `seed ${seed}`);
});

for (const [name, mutation] of Object.entries(MUTATIONS))
  test(`the same schedules would show what is lost by: ${name}`, async (t) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const differing = await converge(ground, seed, mutation);
      if (differing.length > 0) return t.diagnostic(`seed ${seed}: ${differing}`);
    }
    assert.fail(`${SEEDS} seeds lost nothing`);
  });
