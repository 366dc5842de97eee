import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Schedule, sameName } from '../../shared/model/schedule.ts';

const good = { jobId: 'orders', scheduleId: 'mornings', name: 'Mornings', frequency: 300, at: '09:**' };

const problems = (item: unknown): Record<string, string> =>
  Object.fromEntries(
    (Schedule.safeParse(item).error?.issues ?? []).map(({ path, message }) => [path.join('.'), message]),
  );

test('a schedule is enabled and in UTC unless it says otherwise', () => {
  assert.deepEqual(Schedule.parse(good), { ...good, timezone: 'UTC', enabled: true });
  assert.equal(Schedule.parse({ ...good, at: undefined, timezone: 'Asia/Kathmandu' }).timezone, 'Asia/Kathmandu');
});

/** [field, value, what the message must say] */
const WRONG: [string, unknown, RegExp][] = [
  ['frequency', undefined, /is missing: give the seconds.*300/],
  ['frequency', 0, /is 0: give the seconds/],
  ['frequency', -300, /is -300: give the seconds/],
  ['frequency', 5, /is 5: EventBridge Scheduler ticks once a minute at the most, so give 60 or more/],
  ['frequency', 59, /is 59: .*once a minute/],
  ['frequency', 1.5, /is 1.5: give whole seconds/],
  ['frequency', 'soon', /is "soon": give a number of seconds/],
  ['frequency', '300', /is "300": give a number of seconds/],
  ['frequency', Number.NaN, /is NaN: give a number/],
  ['frequency', 1e12, /at most/],
  ['frequency', null, /is null: give a number/],
  ['at', '25:00', /"25:00"/],
  ['at', 930, /is 930: give a text/],
  ['at', '9:30,'.repeat(200), /longer than 500/],
  ['timezone', 'Mars/Olympus', /"Mars\/Olympus", which is no IANA time zone/],
  ['timezone', 'London', /write Europe\/London/],
  ['timezone', 'Europe/Londn', /write Europe\/London/],
  ['timezone', '+01:00', /no IANA time zone/],
  ['timezone', '', /no IANA time zone/],
  ['timezone', 1, /is 1: give the name/],
  ['enabled', 'yes', /is "yes": give true or false/],
  ['name', '', /1 to 64 printable/],
  ['name', ' padded', /no blank at either end/],
  ['name', 'a\nb', /printable/],
  ['name', 'x'.repeat(65), /1 to 64/],
  ['scheduleId', 'a.b', /a-z, 0-9/],
];

for (const [field, value, message] of WRONG) {
  test(`a schedule whose ${field} is ${JSON.stringify(value)?.slice(0, 30)} is refused at that field alone`, () => {
    const found = problems({ ...good, [field]: value });
    assert.deepEqual(Object.keys(found), [field]);
    assert.match(found[field] ?? '', message);
    assert.ok((found[field] ?? '').length < 200, 'a message is a sentence');
  });
}

test('an item edited into nonsense is told of every field at once', () => {
  assert.deepEqual(Object.keys(problems({ ...good, frequency: 'x', at: '', timezone: 'y', enabled: 0 })).sort(), [
    'at',
    'enabled',
    'frequency',
    'timezone',
  ]);
});

test('two schedules of one job may not share a name, whatever the case of its letters', () => {
  const others = [
    { jobId: 'orders', scheduleId: 'a', name: 'Nightly' },
    { jobId: 'stock', scheduleId: 'b', name: 'Mornings' },
  ];
  assert.equal(sameName({ jobId: 'orders', scheduleId: 'c', name: 'nightly' }, others), others[0]);
  assert.equal(sameName({ jobId: 'orders', scheduleId: 'a', name: 'Nightly' }, others), undefined);
  assert.equal(sameName({ jobId: 'orders', scheduleId: 'c', name: 'Mornings' }, others), undefined);
});
