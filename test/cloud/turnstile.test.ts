import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { turnstile } from '../../local/turnstile.ts';

test('a crowd is let in a few at a time, in order, and everybody gets in', async () => {
  const gate = turnstile(3);
  const came: number[] = [];
  let [inside, most] = [0, 0];
  const visit = async (visitor: number) => {
    await gate.enter();
    came.push(visitor);
    most = Math.max(most, ++inside);
    await turn();
    inside--;
    gate.leave();
  };
  await Promise.all(Array.from({ length: 20 }, (_, visitor) => visit(visitor)));
  assert.deepEqual(
    came,
    Array.from({ length: 20 }, (_, visitor) => visitor),
  );
  assert.equal(most, 3);
});
