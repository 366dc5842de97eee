import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe } from '../../shared/core/schedule/describe.ts';
import { preview } from '../../shared/core/schedule/preview.ts';
import { wallText } from '../../shared/core/schedule/zone.ts';

const DAY = 86_400;

/** [frequency, at, zone, in words] */
const WORDS: [number, string | undefined, string, string][] = [
  [300, '09:**,10:**,11:**', 'Europe/London', 'every 5 minutes between 09:00 and 11:59, Europe/London'],
  [60, undefined, 'UTC', 'every minute'],
  [90, undefined, 'UTC', 'every 2 minutes (90 seconds, in whole minutes)'],
  [3600, undefined, 'Europe/London', 'every hour'],
  [5400, undefined, 'UTC', 'every 90 minutes'],
  [2 * DAY, undefined, 'UTC', 'every 2 days'],
  [DAY, '9:30', 'Europe/London', 'every day at 09:30, Europe/London'],
  [60, '12:30,14:45', 'UTC', 'every day at 12:30 and 14:45, UTC'],
  [DAY, '12:30,14:45', 'UTC', 'every day at 12:30 and 14:45, but at least 1 day apart, UTC'],
  [2 * DAY, '9:30', 'UTC', 'every day at 09:30, but at least 2 days apart, UTC'],
  [3600, '**:30', 'UTC', 'at :30 of every hour, UTC'],
  [7 * DAY, 'Monday 16:20', 'UTC', 'on Mondays at 16:20, UTC'],
  [60, 'Tue 9:00,mon 9:00', 'UTC', 'on Mondays and Tuesdays at 09:00, UTC'],
  [
    300,
    '09:**,14:**,Sunday 16:**,15:05',
    'UTC',
    'every 5 minutes between 09:00 and 09:59, between 14:00 and 14:59 and at 15:05 and on Sundays between 16:00 and 16:59, UTC',
  ],
];

for (const [frequency, at, timezone, words] of WORDS) {
  test(`frequency ${frequency}, at ${at ?? 'none'} reads: ${words}`, () => {
    assert.equal(describe({ frequency, at, timezone, enabled: true }), words);
  });
}

test('a disabled schedule says so', () => {
  assert.equal(describe({ frequency: 60, timezone: 'UTC', enabled: false }), 'every minute (disabled)');
});

const shown = (
  frequency: number,
  at: string,
  timezone: string,
  from: string,
  count: number,
  last: string | null = null,
) =>
  preview({ frequency, at, timezone, enabled: false }, Date.parse(from), last, count).map((tick) =>
    wallText(timezone, tick),
  );

test('every day at 9:00 keeps its time on the wall through both changes of the clock', () => {
  assert.deepEqual(shown(DAY, '9:00', 'Europe/London', '2026-03-28T00:00:00Z', 3), [
    'Sat 2026-03-28 09:00 +00:00',
    'Sun 2026-03-29 09:00 +01:00',
    'Mon 2026-03-30 09:00 +01:00',
  ]);
  assert.deepEqual(shown(DAY, '9:00', 'America/New_York', '2026-10-31T04:00:00Z', 3), [
    'Sat 2026-10-31 09:00 -04:00',
    'Sun 2026-11-01 09:00 -05:00',
    'Mon 2026-11-02 09:00 -05:00',
  ]);
});

test('a time inside the spring gap does not exist on that day', () => {
  assert.deepEqual(shown(DAY, '1:30', 'Europe/London', '2026-03-28T00:00:00Z', 2), [
    'Sat 2026-03-28 01:30 +00:00',
    'Mon 2026-03-30 01:30 +01:00',
  ]);
});

test('in the hour that autumn repeats a daily schedule runs once, one of 20 minutes goes on', () => {
  assert.deepEqual(shown(DAY, '1:30', 'Europe/London', '2026-10-24T22:00:00Z', 2), [
    'Sun 2026-10-25 01:30 +01:00',
    'Mon 2026-10-26 01:30 +00:00',
  ]);
  assert.deepEqual(shown(1200, '01:**', 'Europe/London', '2026-10-24T22:00:00Z', 7), [
    'Sun 2026-10-25 01:00 +01:00',
    'Sun 2026-10-25 01:20 +01:00',
    'Sun 2026-10-25 01:40 +01:00',
    'Sun 2026-10-25 01:00 +00:00',
    'Sun 2026-10-25 01:20 +00:00',
    'Sun 2026-10-25 01:40 +00:00',
    'Mon 2026-10-26 01:00 +00:00',
  ]);
});

test('the ticks of a window go on evenly where the clock is moved by half an hour', () => {
  assert.deepEqual(shown(240, '01:**', 'Australia/Lord_Howe', '2026-04-04T14:52:00Z', 4), [
    'Sun 2026-04-05 01:52 +11:00',
    'Sun 2026-04-05 01:56 +11:00',
    'Sun 2026-04-05 01:30 +10:30',
    'Sun 2026-04-05 01:34 +10:30',
  ]);
});

test('a clock that was moved a minute past the hour, as in Newfoundland until 2011, hides no tick', () => {
  assert.deepEqual(shown(300, 'Saturday 23:30', 'America/St_Johns', '2006-10-29T02:30:00Z', 1), [
    'Sat 2006-10-28 23:30 -03:30',
  ]);
});

test('the preview counts from the last tick that succeeded', () => {
  assert.deepEqual(shown(DAY, '09:**', 'UTC', '2026-11-22T09:00:30Z', 2, '2026-11-22T09:00:00Z'), [
    'Mon 2026-11-23 09:00 +00:00',
    'Tue 2026-11-24 09:00 +00:00',
  ]);
});

test('even what runs once a year is found without counting every minute until then', () => {
  const ticks = shown(366 * DAY, 'Monday 9:00', 'Europe/London', '2026-11-22T00:00:00Z', 10);
  assert.equal(ticks.at(0), 'Mon 2026-11-23 09:00 +00:00');
  assert.equal(ticks.length, 10);
});
