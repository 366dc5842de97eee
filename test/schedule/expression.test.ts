import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expressionFor, schedulerName, tickLifetime } from '../../shared/core/schedule/expression.ts';
import { offsetsAround } from '../../shared/core/schedule/zone.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const DAY = 86_400;

/** [frequency, at, zone, the tightest cron in UTC] */
const TIGHTEST: [number, string | undefined, string, string][] = [
  [60, undefined, 'UTC', 'cron(* * * * ? *)'],
  [90, undefined, 'UTC', 'cron(0/2 * * * ? *)'],
  [180, undefined, 'UTC', 'cron(0/3 * * * ? *)'],
  [300, undefined, 'UTC', 'cron(0/5 * * * ? *)'],
  [300, undefined, 'Asia/Kathmandu', 'cron(0/5 * * * ? *)'],
  [420, undefined, 'UTC', 'cron(* * * * ? *)'],
  [3600, undefined, 'UTC', 'cron(0/5 * * * ? *)'],
  [3600, '**:15', 'UTC', 'cron(15 * * * ? *)'],
  [3600, '**:00', 'Asia/Kathmandu', 'cron(15 * * * ? *)'],
  [3600, '**:00', 'Australia/Lord_Howe', 'cron(0,30 * * * ? *)'],
  [DAY, '9:30', 'UTC', 'cron(30 9 * * ? *)'],
  [DAY, '9:30', 'Europe/London', 'cron(30 8,9 * * ? *)'],
  [DAY, '9:30', 'America/New_York', 'cron(30 13,14 * * ? *)'],
  [DAY, '9:30', 'Asia/Tokyo', 'cron(30 0 * * ? *)'],
  [DAY, '0:10', 'Australia/Lord_Howe', 'cron(10,40 13 * * ? *)'],
  [300, '09:**,10:**,11:**', 'UTC', 'cron(0/5 9-11 * * ? *)'],
  [300, '09:**,10:**,11:**', 'Europe/London', 'cron(0/5 8-11 * * ? *)'],
  [120, '09:**', 'Asia/Kathmandu', 'cron(1/2 3,4 * * ? *)'],
  [300, '08:58,09:**', 'UTC', 'cron(* 8,9 * * ? *)'],
  [300, '12:30,14:45', 'UTC', 'cron(30,45 12,14 * * ? *)'],
  [60, '4:00,4:10,4:20', 'UTC', 'cron(0,10,20 4 * * ? *)'],
  [7 * DAY, 'Monday 16:20', 'UTC', 'cron(20 16 ? * MON *)'],
  [7 * DAY, 'Monday 23:30', 'America/New_York', 'cron(30 3,4 ? * TUE *)'],
  [7 * DAY, 'Monday 19:30', 'America/New_York', 'cron(30 0,23 ? * MON,TUE *)'],
  [7 * DAY, 'Sunday 00:30', 'Europe/London', 'cron(30 0,23 ? * SUN,SAT *)'],
  [DAY, 'Mon 9:00,Tue 9:00,Wed 9:00,Thu 9:00,Fri 9:00', 'UTC', 'cron(0 9 ? * MON-FRI *)'],
];

for (const [frequency, at, timezone, expected] of TIGHTEST) {
  test(`every ${frequency} s, at ${at ?? 'any minute'}, ${timezone}: ${expected}`, () => {
    assert.equal(expressionFor({ frequency, at, timezone, enabled: true }, NOW), expected);
  });
}

test('the expression depends on the day of the year in no way', () => {
  const item = { frequency: DAY, at: '9:30', timezone: 'Europe/London', enabled: true };
  for (let day = 0; day < 366; day += 13) {
    assert.equal(expressionFor(item, NOW + day * DAY * 1000), 'cron(30 8,9 * * ? *)');
  }
});

test('a zone that keeps an offset for Ramadan only is covered all year', () => {
  for (let day = 0; day < 366; day += 13) {
    assert.deepEqual(
      offsetsAround('Africa/Casablanca', Date.parse('2025-01-01T00:00:00Z') + day * DAY * 1000),
      [0, 60],
    );
  }
});

test('an offset that the zone will have within a year, or had, is covered before it changes and after', () => {
  for (const now of ['2014-06-01T00:00:00Z', '2015-06-01T00:00:00Z']) {
    assert.deepEqual(offsetsAround('Europe/Moscow', Date.parse(now)), [180, 240]);
  }
});

test('the longest ids still make a name that EventBridge Scheduler takes', () => {
  assert.match(schedulerName({ jobId: 'j'.repeat(40), scheduleId: 's'.repeat(20) }), /^[0-9a-zA-Z-_.]{1,64}$/);
});

test('a tick is given up when its successor comes, and within the limits of the service', () => {
  assert.deepEqual(
    [60, 300, 30 * DAY].map((frequency) => tickLifetime({ frequency })),
    [60, 300, 3600],
  );
});
