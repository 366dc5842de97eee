import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ground } from './faults/ground.ts';
import type { Point, Rule } from './faults/plane.ts';
import { complaint, everyFault, momentsOf, SCENARIOS, type Scenario, someFaults, suffer } from './faults/suffer.ts';
import { Random } from './random.ts';

/** How many of each scenario's single faults, and schedules of several; `npm run torture -- --faults` takes all. */
const SAMPLE = {
  'a run': { singles: 5, schedules: 2 },
  'a first load': { singles: 2, schedules: 1 },
  'a run that compares': { singles: 2, schedules: 0 },
  'a comparison': { singles: 3, schedules: 1 },
  'a repair': { singles: 2, schedules: 1 },
  'a repair at once': { singles: 2, schedules: 1 },
  'a reset': { singles: 2, schedules: 1 },
  'an edit': { singles: 2, schedules: 0 },
  'a schema change': { singles: 2, schedules: 0 },
  'a setup': { singles: 2, schedules: 0 },
  'a large upload': { singles: 1, schedules: 0 },
};
const SEED = 1;

let ground: Ground;
let close: () => Promise<void>;
before(async () => {
  ({ ground, close } = await Ground.open());
});
after(() => close?.());

const endure = async (scenario: Scenario, rules: Rule[]): Promise<number> => {
  const suffered = await suffer(ground, scenario, rules);
  const wrong = complaint(rules, suffered);
  if (wrong) await ground.mend();
  assert.equal(wrong, '', `${wrong}`);
  return suffered.struck.length;
};

const moments = new Map<Scenario, Point[]>();
for (const scenario of SCENARIOS) {
  test(`${scenario.name} that meets a fault is completed by the next, and nothing is left behind`, async (t) => {
    const random = new Random(SEED);
    const points = await momentsOf(ground, scenario);
    moments.set(scenario, points);
    const { singles, schedules } = SAMPLE[scenario.name];
    let struck = 0;
    for (const rule of random.some(everyFault(points), singles)) struck += await endure(scenario, [rule]);
    for (let i = 0; i < schedules; i++) struck += await endure(scenario, someFaults(random, points));
    await scenario.undo?.(ground);
    assert.ok(struck > 0, 'faults came into play');
    t.diagnostic(`a sample of ${everyFault(points).length} faults at ${points.length} moments`);
  });
}

test('what passes by itself is waited for within the run, and a chunk that took too long is cut smaller', async () => {
  const [run] = SCENARIOS;
  if (!run) throw new Error('there is a run');
  const once = (what: string, how: Rule['how'], moment: Rule['moment'] = 'before'): Rule => ({
    what,
    nth: 1,
    moment,
    how,
  });
  const rules = [
    once('source connect', 'sqlstate 53300'),
    once('source COPY "public"."lines"', 'sqlstate 57014'),
    once('source COPY "public"."prices"', 'sqlstate 40001'),
    once('split dynamodb:PutItem', 'throttled'),
    once('extract s3:PutObject', 'down', 'after'),
    once('load redshift-data:BatchExecuteStatement', 'throttled'),
    once('load dynamodb:PutItem', 'killed', 'after'),
    once('finish dynamodb:UpdateItem', 'down'),
    once('states lambda:Invoke finish', 'lost', 'after'),
  ];
  await ground.failOnce('orders', '40001');
  const suffered = await suffer(ground, run, rules);
  assert.equal(complaint(rules, suffered), '');
  assert.deepEqual([suffered.first, suffered.again, suffered.struck.length], ['succeeded', false, rules.length]);
});

test('what is left of a pass is read in smaller chunks once one took too long', async () => {
  const [run] = SCENARIOS;
  if (!run) throw new Error('there is a run');
  const COPY = 'source COPY "public"."lines"';
  const copies = async (rules: Rule[]): Promise<number> => {
    await run.prepare(ground);
    ground.plane.arm(rules);
    const points = await ground.plane.record(async () => assert.equal(await ground.tick(), 'succeeded'));
    assert.equal(ground.plane.disarm().length, rules.length);
    assert.deepEqual(await ground.wrongs(), []);
    return points.filter(({ what, moment }) => what === COPY && moment === 'before').length;
  };
  const whole = await copies([]);
  const halves = await copies([{ what: COPY, nth: 1, moment: 'before', how: 'sqlstate 57014' }]);
  assert.ok(whole > 3 && halves >= 2 * whole, `${whole} chunks, then ${halves}`);
  assert.ok((await copies([])) <= whole + 1, 'the next pass has whole ones again');
});

test('the worst of them: a load that was given up is submitted when others have long loaded newer rows', async () => {
  const [run] = SCENARIOS;
  if (!run) throw new Error('there is a run');
  const what = 'load redshift-data:BatchExecuteStatement';
  const submits = moments.get(run)?.filter((point) => point.what === what && point.moment === 'before') ?? [];
  assert.ok(submits.length > 3, `${submits.length} loads`);
  for (const { nth } of [submits[0], submits.at(-1)].flatMap((one) => one ?? []))
    assert.equal(await endure(run, [{ what, nth, moment: 'before', how: 'late' }]), 1);
});

test('a comparison that never began, or was given up, keeps the next one from nothing', async () => {
  const named = (wanted: Scenario['name']): Scenario => {
    const found = SCENARIOS.find(({ name }) => name === wanted);
    if (!found) throw new Error(`there is ${wanted}`);
    return found;
  };
  const compares = named('a run that compares');
  const claimed: Rule[] = [
    { what: 'state load-job Plan', nth: 1, moment: 'after', how: 'failed' },
    { what: 'verify-warehouse dynamodb:BatchGetItem', nth: 1, moment: 'after', how: 'stopped' },
    { what: 'verify-warehouse dynamodb:UpdateItem', nth: 1, moment: 'before', how: 'late' },
  ];
  for (const rule of claimed) assert.equal(await endure(compares, [rule]), 1, rule.what);
  await compares.undo?.(ground);
  // It tells what it has mended when the next has long told that there is nothing left to mend.
  const mends = named('a repair at once');
  const reads = moments.get(mends)?.filter(({ what }) => what === 'verify-warehouse dynamodb:GetItem') ?? [];
  const last = reads.findLast(({ moment }) => moment === 'before');
  assert.ok(last && last.nth > 3, `${reads.length} reads`);
  assert.equal(await endure(mends, [{ ...last, how: 'late' }]), 1);
});

test('where nobody gives back what a stopped run held, the same ordeal shows it', async () => {
  const [run] = SCENARIOS;
  if (!run) throw new Error('there is a run');
  const stopped: Rule = { what: 'state load-job Each load', nth: 1, moment: 'before', how: 'stopped' };
  const lost = [1, 2].map(
    (nth): Rule => ({ what: 'events lambda:Invoke release', nth, moment: 'before', how: 'down' }),
  );
  const { wrongs } = await suffer(ground, run, [stopped, ...lost]);
  await ground.mend();
  assert.match(wrongs.join('\n'), /still has its lease/);
  assert.match(wrongs.join('\n'), /differs/);
});

test('where a table stood empty for a moment, its readers show it', async () => {
  const [run] = SCENARIOS;
  if (!run) throw new Error('there is a run');
  const emptied: Scenario = {
    ...run,
    work: async (on) => {
      await on.spoil('DELETE FROM $.prices');
      await sleep(100);
      return run.work(on);
    },
  };
  assert.match((await suffer(ground, emptied, [])).wrongs.join(), /^readers of prices met 0 to \d+ rows: it had \d+,/);
});
