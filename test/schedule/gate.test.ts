import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expressionFor } from '../../shared/core/schedule/expression.ts';
import { isDue, type Verdict } from '../../shared/core/schedule/gate.ts';
import { claimTick } from '../../shared/core/schedule/memory.ts';
import { scheduledText } from '../../shared/core/schedule/preview.ts';
import { type GateMemory, NO_TICKS, type Timing } from '../../shared/model/schedule.ts';
import { cronOf, MINUTE } from './specification.ts';
import { settled, tickAt } from './ticks.ts';

const DAY = 86_400;
const hourly: Timing = { frequency: 3600, timezone: 'UTC', enabled: true };
const time = (clock: string, date = '2026-11-22') => `${date}T${clock}:00Z`;
const ask = (timing: Timing, scheduledTime: string, memory: Partial<GateMemory> = {}): Verdict =>
  isDue(timing, { ...NO_TICKS, ...memory, scheduledTime });
const codeOf = (verdict: Verdict): string => (verdict.due ? 'due' : verdict.code);

interface Plan {
  /** Delivers ticks of the day; each that is due is claimed, ends at once and fails as told. */
  deliver(clocks: string[], outcome?: 'succeeded' | 'failed'): string[];
  memory: GateMemory;
}

function planOf(timing: Timing): Plan {
  const plan: Plan = {
    memory: NO_TICKS,
    deliver: (clocks, outcome = 'succeeded') =>
      clocks.flatMap((clock) => {
        const scheduledTime = time(clock);
        const verdict = ask(timing, scheduledTime, plan.memory);
        if (!verdict.due) return [];
        const tick = tickAt(scheduledTime, verdict.onlyFailed);
        plan.memory = settled(claimTick(plan.memory, tick), tick, outcome);
        return [`${clock}${tick.onlyFailed ? ' failed tables' : ''}`];
      }),
  };
  return plan;
}

const clocks = (from: string, to: string, step = 1): string[] => {
  const list: string[] = [];
  for (let at = Date.parse(time(from)); at <= Date.parse(time(to)); at += step * MINUTE) {
    list.push(scheduledText(at).slice(11, 16));
  }
  return list;
};

test('the first tick is due, the next one exactly `frequency` after it', () => {
  assert.deepEqual(ask(hourly, time('10:00')), { due: true });
  assert.equal(codeOf(ask(hourly, time('10:59'), { lastSuccess: time('10:00') })), 'too-soon');
  assert.deepEqual(ask(hourly, time('11:00'), { lastSuccess: time('10:00') }), { due: true });
});

test('every reason is a sentence that names the times it speaks of', () => {
  const verdict = ask({ ...hourly, at: '9:30', timezone: 'Europe/London' }, '2026-07-01T09:30:00Z');
  assert.deepEqual(verdict, {
    due: false,
    code: 'outside-at',
    reason: 'Wed 2026-07-01 10:30 +01:00 is outside of at "9:30"',
  });
  assert.equal(codeOf(ask({ ...hourly, enabled: false }, time('10:00'))), 'disabled');
});

test('12:30 and 14:45 run at 12:30 and 14:45, though the cron also fires at 12:45 and 14:30', () => {
  const timing = { ...hourly, at: '12:30,14:45' };
  const fires = cronOf(expressionFor(timing, Date.parse(time('00:00'))));
  const ticks = clocks('00:00', '23:59').filter((clock) => fires(Date.parse(time(clock))));
  assert.deepEqual(ticks, ['12:30', '12:45', '14:30', '14:45']);
  assert.deepEqual(planOf(timing).deliver(ticks), ['12:30', '14:45']);
});

test('several times share one frequency: 12:00,18:00 with a frequency of a day is noon alone', () => {
  assert.deepEqual(planOf({ ...hourly, frequency: DAY, at: '12:00,18:00' }).deliver(clocks('00:00', '23:59')), [
    '12:00',
  ]);
  assert.deepEqual(planOf({ ...hourly, at: '12:00,18:00' }).deliver(clocks('00:00', '23:59')), ['12:00', '18:00']);
});

test('every 90 seconds is every second minute, all day long: never 60 seconds apart, never drifting', () => {
  const runs = planOf({ ...hourly, frequency: 90 }).deliver(clocks('00:00', '23:59'));
  assert.deepEqual(runs, clocks('00:00', '23:58', 2));
});

// The predecessor's bug, in each direction.

test('an edit or a reload of the schedule makes no run early: the memory of its ticks is not part of it', () => {
  const plan = planOf(hourly);
  plan.deliver(['10:00']);
  const reloaded = { ...hourly, name: 'renamed' };
  for (const clock of clocks('10:01', '10:59')) {
    assert.equal(codeOf(ask(reloaded, time(clock), plan.memory)), 'too-soon');
    assert.equal(codeOf(ask({ ...hourly, at: `${clock}` }, time(clock), plan.memory)), 'too-soon');
  }
  assert.ok(ask(reloaded, time('11:00'), plan.memory).due);
});

test('a run that takes 59 minutes does not make the next one late: the scheduled time counts, not the end', () => {
  const tick = tickAt(time('10:00'));
  const running = claimTick(NO_TICKS, tick);
  const ended = settled(running, tick, 'succeeded');
  assert.ok(ask(hourly, time('11:00'), ended).due);
  assert.equal(codeOf(ask(hourly, time('10:55'), ended)), 'too-soon');
});

test('one broken table does not make every tick due, and its neighbours keep their rhythm', () => {
  const runs = planOf(hourly).deliver(clocks('10:00', '13:00'), 'failed');
  assert.deepEqual(runs, [
    '10:00',
    '10:05 failed tables',
    '10:15 failed tables',
    '10:35 failed tables',
    '11:00',
    '12:00',
    '13:00',
  ]);
});

// Failures.

test('the pause after failures grows from 5 minutes to `frequency` and stays there', () => {
  const plan = planOf({ ...hourly, frequency: DAY });
  assert.deepEqual(
    plan.deliver(clocks('00:00', '23:59'), 'failed').map((run) => run.slice(0, 5)),
    ['00:00', '00:05', '00:15', '00:35', '01:15', '02:35', '05:15', '10:35', '21:15'],
  );
  const many = { count: 5000, lastScheduledTime: time('10:00'), wholeTick: time('10:00'), everything: false };
  assert.ok(ask(hourly, time('11:00'), { failures: many }).due);
});

test('the reason tells the pause, which is never longer than `frequency`', () => {
  const failures = { count: 9, lastScheduledTime: time('10:35'), wholeTick: time('10:00'), everything: false };
  assert.deepEqual(ask(hourly, time('10:40'), { failures }), {
    due: false,
    code: 'retry-later',
    reason: 'after failure 9 the pause is 60 minutes',
  });
});

test('a frequency below the first pause is the pause', () => {
  assert.deepEqual(planOf({ ...hourly, frequency: 120 }).deliver(clocks('10:00', '10:06'), 'failed'), [
    '10:00',
    '10:02',
    '10:04',
    '10:06',
  ]);
});

test('a retry that succeeds completes its tick: the next whole run is at its usual time', () => {
  const plan = planOf(hourly);
  plan.deliver(['10:00'], 'failed');
  assert.deepEqual(plan.deliver(clocks('10:01', '12:00')), ['10:05 failed tables', '11:00', '12:00']);
  assert.deepEqual([plan.memory.lastSuccess, plan.memory.failures], [time('12:00'), null]);
});

test('a retry keeps to `at`: 9:30 is not tried again at 9:35, 09:** is', () => {
  const exact = planOf({ ...hourly, at: '9:30' });
  exact.deliver(['09:30'], 'failed');
  assert.deepEqual(exact.deliver(clocks('09:31', '10:30')), []);
  const open = planOf({ ...hourly, frequency: DAY, at: '09:**' });
  open.deliver(['09:00'], 'failed');
  assert.deepEqual(open.deliver(clocks('09:01', '10:30')), ['09:05 failed tables']);
});

// Twins, long runs, crashes.

test('a tick delivered twice is claimed once, also when a later one came in between', () => {
  const tick = tickAt(time('10:00'));
  const claimed = claimTick(NO_TICKS, tick);
  assert.equal(codeOf(ask(hourly, time('10:00'), claimed)), 'claimed');
  assert.equal(codeOf(ask(hourly, time('10:00'), settled(claimed, tick, 'failed'))), 'claimed');
  const later = claimTick(claimed, tickAt(time('11:00')));
  assert.equal(codeOf(ask(hourly, time('10:00'), later)), 'claimed');
});

test('a tick during a long run is due at its time, and not before', () => {
  const running = claimTick(NO_TICKS, tickAt(time('10:00')));
  assert.equal(codeOf(ask(hourly, time('10:05'), running)), 'too-soon');
  assert.deepEqual(ask(hourly, time('11:00'), running), { due: true });
});

test('while a run lasts nothing is retried beside it', () => {
  const first = tickAt(time('10:00'));
  const second = tickAt(time('11:00'));
  const both = claimTick(claimTick(NO_TICKS, first), second);
  const firstFailed = settled(both, first, 'failed');
  assert.equal(codeOf(ask(hourly, time('11:20'), firstFailed)), 'retry-running');
  const secondEnded = settled(firstFailed, second, 'succeeded');
  assert.equal(secondEnded.failures, null);
  assert.equal(secondEnded.lastSuccess, time('11:00'));
});

test('a run that outlasts its successor takes nothing back from it', () => {
  const first = tickAt(time('10:00'));
  const second = tickAt(time('11:00'));
  const both = claimTick(claimTick(NO_TICKS, first), second);
  const late = settled(settled(both, second, 'failed'), first, 'succeeded');
  assert.equal(late.lastSuccess, time('10:00'));
  assert.equal(settled(settled(both, second, 'succeeded'), first, 'succeeded').lastSuccess, time('11:00'));
  assert.equal(late.failures?.lastScheduledTime, time('11:00'));
  assert.deepEqual(ask(hourly, time('11:05'), late), { due: true, onlyFailed: true });
});

test('a run that vanished without a word holds up nothing beyond the next tick', () => {
  const lost = claimTick(NO_TICKS, tickAt(time('10:00')));
  assert.ok(ask(hourly, time('11:00'), lost).due);
  const aborted = settled(lost, tickAt(time('10:00')), 'failed');
  assert.deepEqual(ask(hourly, time('10:05'), aborted), { due: true, onlyFailed: true });
});

test('after an outage one tick runs, not those that were missed', () => {
  const plan = planOf({ ...hourly, frequency: 300 });
  plan.deliver(['10:00']);
  assert.deepEqual(plan.deliver(['13:20', '12:00', '10:05', '13:00', '13:20']), ['13:20']);
});

test('a frequency of days without `at` is time that passed, 24 hours each', () => {
  const timing = { ...hourly, frequency: DAY, timezone: 'Europe/London' };
  const memory = { lastSuccess: '2026-03-28T09:00:00Z' };
  assert.equal(codeOf(ask(timing, '2026-03-29T08:00:00Z', memory)), 'too-soon');
  assert.ok(ask({ ...timing, at: '9:00' }, '2026-03-29T08:00:00Z', memory).due);
});
