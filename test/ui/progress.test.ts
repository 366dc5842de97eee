import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { createProgress } from '../../local/ui/progress.ts';

/** An output that keeps what is written, and a clock that a test moves, timers and all. */
const stage = ({ mock }: TestContext, live: boolean, width = 80) => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'], now: 0 });
  let written = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  const progress = createProgress({ stream, terminal: { color: false, width, live }, now: () => Date.now() });
  return {
    progress,
    pass: (ms: number) => {
      // A tick shows its callbacks the clock as it is at its end.
      for (let left = ms; left > 0; left -= 100) mock.timers.tick(Math.min(left, 100));
    },
    take: () => written,
  };
};

test('where nobody watches, every finished table is one line, and an error is cut to one', (t) => {
  const { progress, pass, take } = stage(t, false);
  progress.start('orders', 400_000);
  progress.start('events', null);
  pass(500);
  progress.update('orders', { rows: 100_000, bytes: 3_400_000 });
  pass(1_900);
  progress.finish('orders', { rows: 389_979, bytes: 13_259_286 });
  progress.finish('events', { rows: 0, bytes: 0 }, `SourceUnavailable: ${'cannot reach it, '.repeat(9)}\nmore`);
  progress.finish('unannounced', { rows: 1, bytes: 12 });
  progress.stop();
  assert.deepEqual(take().split('\n'), [
    '✓ orders                     389,979 rows  13.3 MB   2.4 s  162,491 rows/s',
    '✗ events                    SourceUnavailable: cannot reach it, cannot reach it…',
    '✓ unannounced                       1 row     12 B  0.00 s',
    '',
  ]);
});

test('a long silence is broken by a sign of life, at most every ten seconds', (t) => {
  const { progress, pass, take } = stage(t, false);
  progress.start('orders', 400_000);
  progress.start('events', null);
  progress.update('orders', { rows: 1_000, bytes: 10_000 });
  pass(9_000);
  assert.equal(take(), '');
  progress.finish('events', { rows: 500, bytes: 1_000 });
  pass(9_000);
  progress.update('orders', { rows: 2_000, bytes: 20_000 });
  pass(13_000);
  progress.finish('orders', { rows: 3_000, bytes: 30_000 });
  pass(60_000);
  progress.stop();
  pass(60_000);
  assert.deepEqual(take().split('\n'), [
    '✓ events                         500 rows  1.00 kB   9.0 s  56 rows/s',
    '… 19 s: 2,500 rows, 21.0 kB so far; loading orders',
    '… 29 s: 2,500 rows, 21.0 kB so far; loading orders',
    '✓ orders                       3,000 rows  30.0 kB    31 s  97 rows/s',
    '',
  ]);
});

test('where somebody watches, running tables are bars and finished ones scroll away above them', (t) => {
  const { progress, pass, take } = stage(t, true);
  progress.start('orders', 400_000);
  progress.start('events', null);
  progress.update('orders', { rows: 200_000, bytes: 6_000_000 });
  progress.update('events', { rows: 7, bytes: 70 });
  pass(2_000);
  const screen = stripVTControlCharacters(take());
  assert.match(screen, / {2}orders {15}█████░{4} 50% {5}200,000 rows {2}6\.00 MB {2}100,000 rows\/s/);
  assert.match(screen, / {2}events {39}7 rows {5}70 B {2}4 rows\/s/);
  progress.update('orders', { rows: 500_000, bytes: 6_000_000 });
  pass(200);
  assert.match(stripVTControlCharacters(take()), /█{9} 99%/, 'an estimate that was too low is not more than the whole');
  progress.finish('orders', { rows: 500_000, bytes: 15_000_000 });
  progress.stop();
  progress.stop();
  const after = take().length;
  pass(5_000);
  assert.equal(take().length, after, 'nothing is drawn after stop');
  assert.match(take(), /✓ orders {21}500,000 rows {2}15\.0 MB {3}2\.2 s {2}227,273 rows\/s\n/);
});

test('a bar never wraps, because a line that wraps cannot be drawn over', (t) => {
  for (const width of [60, 70, 80, 100, 140]) {
    const { progress, pass, take } = stage(t, true, width);
    progress.start('n'.repeat(63), 2_000_000_000);
    progress.update('n'.repeat(63), { rows: 1_999_999_999, bytes: 999_000_000_000 });
    // One frame: the next would follow without a line end, behind codes that move the cursor.
    pass(100);
    const lines = stripVTControlCharacters(take()).split(/[\n\r]/);
    assert.ok(Math.max(...lines.map((line) => [...line].length)) <= width, `${width}: ${lines.join('|')}`);
    progress.stop();
  }
});
