import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExpression } from '../../local/scheduler/expression.ts';

const at = (text: string): number => Date.parse(text);

/** The minutes of a span at which an expression fires. */
function firesIn(expression: string, timezone: string, from: string, hours: number, began = from): string[] {
  const fires = parseExpression(expression, timezone, at(began));
  const minutes = Array.from({ length: hours * 60 }, (_, i) => at(from) + i * 60_000);
  return minutes.filter(fires).map((minute) => new Date(minute).toISOString().slice(0, 16));
}

test('a cron fires at the minutes of its fields', () => {
  assert.deepEqual(firesIn('cron(0/30 9-10 ? * MON-FRI *)', 'UTC', '2026-11-23T00:00Z', 24), [
    '2026-11-23T09:00',
    '2026-11-23T09:30',
    '2026-11-23T10:00',
    '2026-11-23T10:30',
  ]);
  assert.deepEqual(firesIn('cron(15 7 22 11 ? 2026)', 'UTC', '2026-11-22T00:00Z', 24), ['2026-11-22T07:15']);
  assert.deepEqual(firesIn('cron(0 9 ? * 1 *)', 'UTC', '2026-11-23T00:00Z', 24), [], '1 is Sunday');
});

test('in a zone, the spring gap fires not at all and the repeated hour once', () => {
  const daily = 'cron(30 1 * * ? *)';
  assert.deepEqual(firesIn(daily, 'Europe/London', '2026-03-29T00:00Z', 12), []);
  assert.deepEqual(firesIn(daily, 'Europe/London', '2026-10-25T00:00Z', 12), ['2026-10-25T00:30']);
});

test('a rate fires at once and counts from its creation; an at fires once, in its zone', () => {
  assert.deepEqual(firesIn('rate(5 minutes)', 'UTC', '2026-11-22T10:00Z', 1, '2026-11-22T09:52:30Z').slice(0, 2), [
    '2026-11-22T10:03',
    '2026-11-22T10:08',
  ]);
  assert.deepEqual(firesIn('at(2026-11-22T10:30:00)', 'Europe/Berlin', '2026-11-22T00:00Z', 24), ['2026-11-22T09:30']);
});

test('what Scheduler refuses is refused', () => {
  const wrong = [
    'rate(0 minutes)',
    'rate(30 seconds)',
    'rate(1.5 hours)',
    'cron(* * * * *)',
    'cron(* * * * * *)',
    'cron(60 * * * ? *)',
    'cron(0 24 * * ? *)',
    'cron(5-1 * * * ? *)',
    'cron(0 9 ? * ? *)',
    'cron(0 9 ? * 0 *)',
    'at(2026-13-01T00:00:00)',
    'every(5 minutes)',
    '0/5 * * * ? *',
  ];
  for (const expression of wrong)
    assert.throws(() => parseExpression(expression, 'UTC', 0), { name: 'ValidationException' }, expression);
  for (const zone of ['+01:00', 'Europe/Atlantis', ''])
    assert.throws(() => parseExpression('rate(5 minutes)', zone, 0), { name: 'ValidationException' }, zone);
});
