import { Random } from '../random.ts';
import { Ground } from './ground.ts';
import { describe, type Point, type Rule } from './plane.ts';
import { complaint, everyFault, momentsOf, SCENARIOS, type Scenario, someFaults, suffer } from './suffer.ts';

export interface Ordeal {
  /** Every `of`th single fault and schedule, from the `part`th: 1 of 1 are all. */
  part: number;
  of: number;
  /** Random schedules of several faults, by the seeds from 1. */
  seeds: number;
  /** Only this scenario. */
  scenario?: string;
  /** Only single faults whose description this fits. */
  only?: RegExp;
}

/** How it went. */
export interface Endured {
  /** Faults and schedules that came into play. */
  struck: number;
  /** Those that did not: no run had that moment. They prove nothing. */
  unmet: string[];
  /** What went wrong. */
  complaints: string[];
}

/** Every fault by itself, then several at once. */
export async function sufferAll(ordeal: Ordeal, say: (line: string) => void): Promise<Endured> {
  const { ground, close } = await Ground.open();
  const endured: Endured = { struck: 0, unmet: [], complaints: [] };
  const endure = async (scenario: Scenario, rules: Rule[], name: string) => {
    const suffered = await suffer(ground, scenario, rules);
    const wrong = complaint(rules, suffered);
    const met = suffered.struck.length > 0;
    const outcome = wrong || (met ? 'well' : 'never met');
    say(`${scenario.name}, ${name}: ${suffered.first}, ${suffered.again ? 'once more' : 'at once'}: ${outcome}`);
    if (met) endured.struck++;
    else endured.unmet.push(`${scenario.name}, ${name}`);
    if (!wrong) return;
    endured.complaints.push(`${scenario.name}: ${wrong}`);
    await ground.mend();
  };
  try {
    for (const scenario of SCENARIOS.filter(({ name }) => name === (ordeal.scenario ?? name))) {
      const points = await momentsOf(ground, scenario);
      for (const rule of mine(ordeal, singles(points, ordeal.only))) await endure(scenario, [rule], describe(rule));
      const seeds = Array.from({ length: scenario.about ? 0 : ordeal.seeds }, (_, i) => i + 1);
      for (const seed of mine(ordeal, seeds))
        await endure(scenario, someFaults(new Random(seed), points), `seed ${seed}`);
      await scenario.undo?.(ground);
    }
    return endured;
  } finally {
    await close();
  }
}

const singles = (points: Point[], only: RegExp | undefined): Rule[] =>
  everyFault(points).filter((rule) => !only || only.test(describe(rule)));

const mine = <T>({ part, of }: Ordeal, all: T[]): T[] => all.filter((_, i) => i % of === part - 1);
