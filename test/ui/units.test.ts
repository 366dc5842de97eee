import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { clip, shorten, shown, wrap } from '../../local/ui/lines.ts';
import { terminalOf } from '../../local/ui/terminal.ts';
import { count, duration, plural, size, speed } from '../../local/ui/units.ts';

test('numbers have thousand separators, whatever the locale', () => {
  assert.deepEqual([0, 999, 1_000, 1_234_567.4].map(count), ['0', '999', '1,000', '1,234,567']);
  assert.deepEqual([plural(1, 'row'), plural(0, 'row'), plural(2_000, 'row')], ['1 row', '0 rows', '2,000 rows']);
});

test('sizes have three digits', () => {
  const sizes = [0, 1, 999, 1_000, 1_234, 9_994, 9_996, 99_950, 999_499, 999_500, 1e6, 45.6e6, 1.23e12, 9e17];
  assert.deepEqual(sizes.map(size), [
    '0 B',
    '1 B',
    '999 B',
    '1.00 kB',
    '1.23 kB',
    '9.99 kB',
    '10.0 kB',
    '100 kB',
    '999 kB',
    '1.00 MB',
    '1.00 MB',
    '45.6 MB',
    '1.23 TB',
    '900 PB',
  ]);
});

test('durations are as precise as anybody wants to know', () => {
  const seconds = [0, 0.042, 0.1, 3.24, 9.96, 59.4, 59.6, 65, 3_599.6, 3_600, 7_384, 86_400, 273_600];
  assert.deepEqual(seconds.map(duration), [
    '0.00 s',
    '0.04 s',
    '0.1 s',
    '3.2 s',
    '10 s',
    '59 s',
    '1m 00s',
    '1m 05s',
    '1h 00m',
    '1h 00m',
    '2h 03m',
    '1d 00h',
    '3d 04h',
  ]);
});

test('no speed is made up where there was no time or no row', () => {
  assert.deepEqual([speed(1_000, 2), speed(0, 2), speed(5, 0), speed(20_000, 0.00001)], ['500 rows/s', '', '', '']);
  assert.deepEqual([speed(2, 1.7), speed(1, 3)], ['1 row/s', '']);
});

test('names are shortened in the middle, sentences at the end', () => {
  assert.equal(shorten('customer_address_history', 12), 'custom…story');
  assert.equal(shorten('orders', 6), 'orders');
  assert.equal(clip('cannot reach the source', 12), 'cannot reac…');
  assert.equal(shown('\u001b[31m🎉x\u001b[39m'), 2);
});

test('text wraps at blanks, and what has no blank stays whole', () => {
  assert.deepEqual(wrap('aa bb  cc dddddddddd e\nf', 5), ['aa bb', 'cc', 'dddddddddd', 'e', 'f']);
});

const output = (more: object) => Object.assign(new Writable({ write: () => undefined }), more);

test('colours and live lines are for terminals only, and NO_COLOR and FORCE_COLOR are respected', () => {
  const tty = output({ isTTY: true, columns: 92 });
  const pipe = output({});
  const xterm = { TERM: 'xterm' };
  assert.deepEqual(terminalOf(tty, xterm), { color: true, width: 92, live: true });
  assert.deepEqual(terminalOf(pipe, xterm), { color: false, width: 100, live: false });
  assert.deepEqual(terminalOf(tty, { ...xterm, NO_COLOR: '1' }), { color: false, width: 92, live: true });
  assert.deepEqual(terminalOf(tty, { ...xterm, NO_COLOR: '' }).color, true);
  assert.deepEqual(terminalOf(pipe, { ...xterm, FORCE_COLOR: '1' }), { color: true, width: 100, live: false });
  assert.deepEqual(terminalOf(pipe, { ...xterm, FORCE_COLOR: '0' }).color, false);
  assert.deepEqual(terminalOf(tty, { TERM: 'dumb' }), { color: false, width: 92, live: false });
  assert.deepEqual(terminalOf(tty, { ...xterm, CI: 'true' }).live, false);
  assert.deepEqual(terminalOf(output({ isTTY: true, columns: 40 }), xterm), { color: true, width: 60, live: false });
  assert.deepEqual(terminalOf(output({ isTTY: true, columns: 400 }), xterm).width, 140);
});
