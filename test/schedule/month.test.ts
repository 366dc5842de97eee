import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { expressionFor } from '../../shared/core/schedule/expression.ts';
import { isDue } from '../../shared/core/schedule/gate.ts';
import { claimTick, settleTick } from '../../shared/core/schedule/memory.ts';
import { preview, scheduledText } from '../../shared/core/schedule/preview.ts';
import { NO_TICKS, type Tick } from '../../shared/model/schedule.ts';
import {
  cronOf,
  farEnough,
  type Item,
  MINUTE,
  matcherOf,
  minutesOf,
  type Run,
  specifiedRuns,
} from './specification.ts';
import { tickAt } from './ticks.ts';

/** Zones with the first days of the months in which their clocks are moved in 2026. */
const MONTHS = [
  ['Europe/London', '2026-03-15T00:00:00Z'],
  ['Europe/London', '2026-10-12T00:00:00Z'],
  ['America/New_York', '2026-02-25T00:00:00Z'],
  ['America/New_York', '2026-10-20T00:00:00Z'],
  ['America/St_Johns', '2026-10-20T00:00:00Z'],
  ['Australia/Lord_Howe', '2026-03-20T00:00:00Z'],
  ['Australia/Lord_Howe', '2026-09-20T00:00:00Z'],
  ['Africa/Casablanca', '2026-02-05T00:00:00Z'],
  ['Asia/Kathmandu', '2026-03-01T00:00:00Z'],
] as const;

const two = (value: number): string => String(value).padStart(2, '0');
const hour = fc
  .oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 4 }) }, fc.integer({ min: 0, max: 23 }))
  .map(two);
const minute = fc.oneof(fc.constantFrom(0, 15, 30, 45), fc.integer({ min: 0, max: 59 })).map(two);
const time = fc.oneof(
  fc.tuple(hour, minute).map(([h, m]) => `${h}:${m}`),
  hour.map((h) => `${h}:**`),
  minute.map((m) => `**:${m}`),
);
const day = fc.oneof({ weight: 3, arbitrary: fc.constant('') }, fc.constantFrom('Sun ', 'Monday ', 'saturday '));
const at = fc
  .array(
    fc.tuple(day, time).map(([d, t]) => d + t),
    { minLength: 1, maxLength: 3 },
  )
  .map((parts) => parts.join());
const frequency = fc.oneof(
  fc.constantFrom(60, 90, 120, 240, 300, 420, 720, 900, 3600, 5400, 43_200, 86_400, 172_800, 604_800),
  fc.integer({ min: 60, max: 200_000 }),
);
const scene = fc.record({
  month: fc.constantFrom(...MONTHS),
  frequency,
  at: fc.option(at, { nil: undefined, freq: 6 }),
  random: fc.infiniteStream(fc.nat({ max: 999 })),
});

interface World {
  item: Item;
  minutes: ReturnType<typeof minutesOf>;
  ticks: number[];
}

function worldOf({
  month: [timezone, from],
  frequency,
  at,
}: {
  month: (typeof MONTHS)[number];
  frequency: number;
  at?: string;
}): World {
  const item = { frequency, at, timezone };
  const minutes = minutesOf(at === undefined ? 'UTC' : timezone, from, 28);
  const fires = cronOf(expressionFor({ ...item, enabled: true }, Date.parse(from)));
  return { item, minutes, ticks: minutes.map(({ instant }) => instant).filter(fires) };
}

interface Delivery {
  tick: number;
  at: number;
}

/**
 * Plan, as it is: each delivery asks the gate and claims; each run ends by itself, later. One that outlasts dozens of its
 * successors is no longer waited for.
 */
function simulate(item: Item, deliveries: Delivery[], lasts: () => number, fails: (run: number) => boolean): Run[] {
  let memory = NO_TICKS;
  const runs: Run[] = [];
  let running: { tick: Tick; end: number; failed: boolean }[] = [];
  for (const delivery of deliveries) {
    const ended = running.filter(({ end }) => end <= delivery.at).sort((a, b) => a.end - b.end);
    for (const { tick, failed } of ended)
      memory = settleTick(memory, tick.runId, failed ? 'failed' : 'succeeded') ?? memory;
    running = running.filter(({ end }) => end > delivery.at);
    const scheduledTime = scheduledText(delivery.tick);
    const verdict = isDue({ ...item, enabled: true }, { scheduledTime, ...memory });
    if (!verdict.due) continue;
    const tick = tickAt(scheduledTime, verdict.onlyFailed);
    memory = claimTick(memory, tick);
    running.push({ tick, end: delivery.at + lasts() * MINUTE, failed: fails(runs.length) });
    runs.push({ instant: delivery.tick, onlyFailed: tick.onlyFailed });
  }
  return runs;
}

const never = () => false;

test('every minute that `at` matches, at the steps that frequency needs, is covered by the expression', () => {
  fc.assert(
    fc.property(scene, (drawn) => {
      const { item, minutes, ticks } = worldOf(drawn);
      const fired = new Set(ticks);
      const expression = expressionFor({ ...item, enabled: true }, Date.parse(drawn.month[1]));
      assert.ok(expression.length <= 256, 'EventBridge takes 256 characters');
      for (const { instant } of specifiedRuns(item, minutes, (run) => run % 3 !== 0)) {
        assert.ok(fired.has(instant), `${expression} misses ${scheduledText(instant)}`);
      }
    }),
    { numRuns: 25 },
  );
});

test('the runs of a month are those of the specification, however long they take and however late their ticks come', () => {
  fc.assert(
    fc.property(scene, (drawn) => {
      const { item, minutes, ticks } = worldOf(drawn);
      const next = () => drawn.random.next().value;
      let clock = 0;
      const deliveries = ticks.flatMap((tick) => {
        clock = Math.max(clock, tick + (next() < 900 ? 20_000 : next() * MINUTE));
        return next() < 900
          ? [{ tick, at: clock }]
          : [
              { tick, at: clock },
              { tick, at: clock },
            ];
      });
      assert.deepEqual(simulate(item, deliveries, next, never), specifiedRuns(item, minutes, never));
    }),
    { numRuns: 25 },
  );
});

test('failed tables are tried again in the pauses of the specification, and the rhythm stays what it was', () => {
  fc.assert(
    fc.property(scene, (drawn) => {
      const { item, minutes, ticks } = worldOf(drawn);
      const failures = drawn.random.take(5000).map((value) => value < 500);
      const failed = [...failures];
      const fails = (run: number) => failed[run % failed.length] ?? false;
      const deliveries = ticks.map((tick) => ({ tick, at: tick }));
      assert.deepEqual(
        simulate(item, deliveries, () => 0, fails),
        specifiedRuns(item, minutes, fails),
      );
    }),
    { numRuns: 25 },
  );
});

test('whatever fails, crashes, comes twice, late or in disorder: no tick runs twice, no whole run comes early', () => {
  fc.assert(
    fc.property(scene, (drawn) => {
      const { item, minutes, ticks } = worldOf(drawn);
      const next = () => drawn.random.next().value;
      const deliveries = ticks
        .flatMap((tick) => [
          { tick, at: tick + next() * 2000 },
          ...(next() < 100 ? [{ tick, at: tick + next() * MINUTE }] : []),
        ])
        .filter(() => next() < 950)
        .sort((a, b) => a.at - b.at);
      const crash = () => (next() < 50 ? Number.POSITIVE_INFINITY : next() / 10);
      const runs = simulate(item, deliveries, crash, () => next() < 300);
      assert.equal(new Set(runs.map(({ instant }) => instant)).size, runs.length);
      const whole = runs.filter(({ onlyFailed }) => !onlyFailed).map(({ instant }) => instant);
      const byInstant = new Map(minutes.map((entry) => [entry.instant, entry]));
      const matches = matcherOf(item.at);
      whole.forEach((instant, index) => {
        const [now, last] = [byInstant.get(instant), byInstant.get(whole[index - 1] ?? 0)];
        assert.ok(now && matches(now.wall));
        assert.ok(!last || farEnough(item, last, now), `${scheduledText(instant)} is early`);
      });
    }),
    { numRuns: 25 },
  );
});

test('the preview shows the ticks that will run', () => {
  fc.assert(
    fc.property(scene, (drawn) => {
      const { item, minutes } = worldOf(drawn);
      const specified = specifiedRuns(item, minutes, never).map(({ instant }) => instant);
      const shown = preview({ ...item, enabled: true }, minutes[0]?.instant ?? 0);
      assert.equal(shown.length, 10);
      const common = Math.min(10, specified.length);
      assert.deepEqual(shown.slice(0, common), specified.slice(0, common));
    }),
    { numRuns: 25 },
  );
});
