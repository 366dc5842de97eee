import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from '../job/harness.ts';
import { converge, SEEDS, SERVER } from './converge.ts';
import { MUTATIONS } from './mutations.ts';

const ground = bench({}, SERVER);
/** The seed that showed each before is tried first: minutes sooner than by counting up to it. */
const SHOWN_BY: Record<keyof typeof MUTATIONS, number> = {
  'MAX(updated_at) as the fence': 3,
  'snapshot before fence': 2,
  'xip-visibility as already loaded': 3,
  'no gaps below the highest id': 14,
  'prepared transactions left out': 6,
  'rows without updated_at left out': 1,
  'no scanBack': 1,
};

for (const name of Object.keys(MUTATIONS) as (keyof typeof MUTATIONS)[])
  test(`the same schedules would show what is lost by: ${name}`, async (t) => {
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
    for (const seed of [SHOWN_BY[name], ...seeds.filter((one) => one !== SHOWN_BY[name])]) {
      const differing = await converge(ground, seed, MUTATIONS[name]);
      if (differing.length > 0) return t.diagnostic(`seed ${seed}: ${differing}`);
    }
    assert.fail(`${SEEDS} seeds lost nothing`);
  });
