import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from '../job/harness.ts';
import { converge, SERVER } from './converge.ts';
import { MUTATIONS } from './mutations.ts';

const ground = bench({}, SERVER);
/** Each shortcut loses rows in about every fourth schedule: that none of so many shows it is one case in ten thousand. */
const SEEDS = 40;
/** The seed that showed each before is tried first: minutes sooner than by counting up to it. */
const SHOWN_BY: Record<keyof typeof MUTATIONS, number> = {
  'MAX(updated_at) as the fence': 1,
  'snapshot before fence': 8,
  'xip-visibility as already loaded': 1,
  'no gaps below the highest id': 14,
  'prepared transactions left out': 2,
  'rows without updated_at left out': 2,
  'no scanBack': 2,
};

for (const name of Object.keys(MUTATIONS) as (keyof typeof MUTATIONS)[])
  test(`such schedules would show what is lost by: ${name}`, async (t) => {
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
    for (const seed of new Set([SHOWN_BY[name], ...seeds])) {
      const differing = await converge(ground, seed, MUTATIONS[name]);
      if (differing.length > 0) return t.diagnostic(`seed ${seed}: ${differing}`);
    }
    assert.fail(`${SEEDS} seeds lost nothing`);
  });
