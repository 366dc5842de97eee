import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimTick } from '../../shared/core/schedule/memory.ts';
import { isSilent } from '../../shared/core/schedule/silence.ts';
import { type GateMemory, NO_TICKS, type Timing } from '../../shared/model/schedule.ts';
import { settled, tickAt } from './ticks.ts';

const hourly: Timing = { frequency: 3600, timezone: 'UTC', enabled: true };
/** A Monday. */
const at = (clock: string, date = '2026-11-23'): number => Date.parse(`${date}T${clock}:00Z`);
const text = (clock: string): string => `2026-11-23T${clock}:00Z`;
const NEVER = Number.NEGATIVE_INFINITY;

interface Scene {
  timing?: Timing;
  memory?: GateMemory;
  /** When Scheduler was told. */
  since?: number;
  heard?: number;
  now: number;
}

const silent = ({ timing = hourly, memory = NO_TICKS, since = at('10:00'), heard = NEVER, now }: Scene): boolean =>
  isSilent(timing, memory, { since, heard, now });

/** A tick of this time has run. */
const ran = (clock: string): GateMemory => {
  const tick = tickAt(text(clock));
  return settled(claimTick(NO_TICKS, tick), tick, 'succeeded');
};

test('a new schedule is silent once its first tick is a quarter of an hour overdue', () => {
  assert.equal(silent({ now: at('10:15') }), false);
  assert.equal(silent({ now: at('10:16') }), true);
});

test('after a tick that ran, the next whole one is waited for', () => {
  const memory = ran('11:00');
  assert.equal(silent({ memory, now: at('11:59') }), false);
  assert.equal(silent({ memory, now: at('12:15') }), false);
  assert.equal(silent({ memory, now: at('12:16') }), true);
});

test('a tick that was skipped, or whose run has not ended, has been heard of', () => {
  assert.equal(silent({ memory: ran('11:00'), heard: at('12:00'), now: at('12:30') }), false);
  const running = claimTick(ran('11:00'), tickAt(text('12:00')));
  assert.equal(silent({ memory: running, now: at('12:59') }), false);
  assert.equal(silent({ memory: running, now: at('13:16') }), true);
});

test('only what was due by its own times can be missing', () => {
  const tuesdays = { ...hourly, at: 'Tuesday 9:30' };
  assert.equal(silent({ timing: tuesdays, now: at('20:00') }), false);
  assert.equal(silent({ timing: tuesdays, now: at('09:46', '2026-11-24') }), true);
});

test('one that rests is not silent, and one that was changed is waited for anew', () => {
  assert.equal(silent({ timing: { ...hourly, enabled: false }, now: at('20:00') }), false);
  assert.equal(silent({ memory: ran('11:00'), since: at('19:55'), now: at('20:00') }), false);
  assert.equal(silent({ memory: ran('11:00'), since: at('19:55'), now: at('20:11') }), true);
});
