import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesAt } from '../../shared/core/schedule/match.ts';
import { parseAt } from '../../shared/model/at.ts';

/** 2013-01-01, a Tuesday, as in Clockwork's own tests. */
const at = (text: string, clock: string, date = '2013-01-01') =>
  matchesAt({ at: text, timezone: 'UTC' }, Date.parse(`${date}T${clock}:00Z`));

/** [at, minutes that match, minutes that don't]: Clockwork's README and test/at_test.rb. */
const CLOCKWORK: [string, string[], string[]][] = [
  ['16:20', ['16:20'], ['16:19', '16:21', '04:20']],
  ['8:20', ['08:20'], ['08:19', '08:21', '18:20']],
  ['01:30', ['01:30'], ['01:31', '13:30']],
  ['1:30', ['01:30'], ['11:30']],
  ['00:00', ['00:00'], ['00:01', '12:00']],
  ['**:20', ['00:20', '08:20', '23:20'], ['08:19', '08:21']],
  ['*:20', ['00:20', '08:20', '23:20'], ['08:19', '08:21']],
  ['**:30', ['05:30'], ['05:03']],
  ['16:**', ['16:00', '16:30', '16:59'], ['15:59', '17:00']],
  ['8:**', ['08:00', '08:30', '08:59'], ['07:59', '09:00']],
  ['9:**', ['09:00'], ['19:00']],
  ['12:00,18:00', ['12:00', '18:00'], ['12:01', '06:00']],
  ['09:**,10:**,11:**', ['09:00', '10:30', '11:59'], ['08:59', '12:00']],
  [' 09:** , 14:30 ', ['09:15', '14:30'], ['14:31']],
];

for (const [text, matching, others] of CLOCKWORK) {
  test(`"${text}" matches ${matching.join(', ')} and not ${others.join(', ')}`, () => {
    for (const clock of matching) assert.ok(at(text, clock), clock);
    for (const clock of others) assert.ok(!at(text, clock), clock);
  });
}

for (const name of ['Saturday', 'saturday', 'Sat', 'sat', 'SAT']) {
  test(`"${name} 12:00" matches on Saturdays only`, () => {
    assert.ok(at(`${name} 12:00`, '12:00', '2010-01-02'));
    assert.ok(!at(`${name} 12:00`, '12:00', '2010-01-03'));
    assert.ok(!at(`${name} 12:00`, '13:00', '2010-01-02'));
  });
}

test('a weekday can stand in front of any form', () => {
  assert.ok(at('Tuesday 09:**', '09:59'));
  assert.ok(at('Tue **:15', '23:15'));
  assert.ok(!at('Wed 09:**', '09:59'));
});

/** What is wrong, and the example that the message must show. */
const WRONG: [string, RegExp][] = [
  ['25:00', /"25:00" has the hour 25.*write 23:00/],
  ['24:00', /"24:00" has the hour 24.*write 23:00/],
  ['9:60', /"9:60" has the minute 60.*write 9:59/],
  ['Someday 10:00', /"Someday".*no weekday; write Monday 10:00, or Mon 10:00/],
  ['Mo 10:00', /"Mo".*no weekday/],
  ['09:**,', /"09:\*\*," has a comma with no time beside it; write 09:\*\*$/],
  [',9:00,,10:00', /comma with no time beside it; write 9:00,10:00$/],
  ['', /"" names no time.*leave `at` out/],
  [' , ', /names no time/],
  ['**:**', /every minute; leave `at` out/],
  ['9', /"9" is not a time; write 9:30, \*\*:30, 09:\*\* or Monday 9:30/],
  ['9:5', /"9:5" is not a time/],
  ['09:*', /"09:\*" is not a time/],
  ['9:30pm', /"9:30pm" is not a time/],
  ['Monday', /"Monday" is not a time/],
  ['Monday Tuesday 9:30', /two words in front of its time/],
  ['Monday 25:00', /hour 25/],
  ['* * * * *', /is not a time/],
  ['9:30;10:30', /is not a time/],
  ['-1:30', /is not a time/],
];

for (const [text, message] of WRONG) {
  test(`"${text}" is refused: the offending part is quoted and a right one shown`, () => {
    assert.throws(() => parseAt(text), { name: 'BadConfiguration', message });
  });
}

test('the good parts are not blamed for the bad ones, and every bad one is named', () => {
  assert.throws(
    () => parseAt('9:30,25:00,Mon 10:00,Foo 8:00'),
    (error: Error) => {
      assert.match(error.message, /"25:00"/);
      assert.match(error.message, /"Foo 8:00"/);
      assert.doesNotMatch(error.message, /"9:30"|"Mon 10:00"/);
      return true;
    },
  );
});
