import type { Random } from '../random.ts';
import type { Ground } from './ground.ts';
import { describe, type How, type Point, type Rule } from './plane.ts';
import { CHANGES, DELETES, FILES, NO_FILES } from './scenario.ts';

/** Runs after the faulty one by which everything has to be well again. */
const MOST_RUNS = 3;

/** What is done while faults happen. */
export interface Scenario {
  name: 'a run' | 'a comparison' | 'a large upload';
  /** What happens at the source before. */
  changes: string;
  work(ground: Ground): Promise<string>;
  /** The moments that it is about; all where absent. */
  about?: RegExp;
  /** Makes it as it was. */
  undo?: string;
}

export const SCENARIOS: Scenario[] = [
  { name: 'a run', changes: CHANGES, work: (ground) => ground.tick() },
  { name: 'a comparison', changes: DELETES, work: (ground) => ground.reconcile() },
  {
    name: 'a large upload',
    changes: FILES,
    work: (ground) => ground.tick(),
    about: / s3:.*(Multipart|Part)/,
    undo: NO_FILES,
  },
];

export interface Suffered {
  /** How the work ended that the faults met, and how often it was done again until it succeeded. */
  first: string;
  again: number;
  /** Rules that came into play. */
  struck: Rule[];
  /** What is wrong after all that. */
  wrongs: string[];
}

/** Does a scenario's work while these faults happen, then as often without as it takes, and looks at what is left. */
export async function suffer(ground: Ground, { changes, work }: Scenario, rules: Rule[]): Promise<Suffered> {
  await ground.source.query(changes);
  ground.plane.arm(rules);
  const first = await work(ground);
  const struck = ground.plane.disarm();
  let last = first;
  let again = 0;
  while (!isWell(last) && again < MOST_RUNS) {
    last = await work(ground);
    again++;
  }
  if (!isWell(last)) {
    ground.plane.letGo();
    const run = await ground.lastRun();
    return {
      first,
      again,
      struck,
      wrongs: [`it fails for good: ${last} ${run?.error} ${JSON.stringify(run?.tables)}`],
    };
  }
  ground.plane.letGo();
  await ground.quiet();
  const wrongs = await ground.wrongs();
  if (wrongs.length === 0) return { first, again, struck, wrongs };
  // It may take the next run that has something to do.
  await ground.source.query(CHANGES);
  await ground.tick();
  const still = await ground.wrongs();
  return { first, again, struck, wrongs: wrongs.every(goesWithNextLoad) ? still : [...wrongs, ...still] };
}

/**
 * What a function of a stopped execution staged late, and the name of a mending's statement: the next comparison takes the table
 * only where it finds something. Neither holds anybody up.
 */
const goesWithNextLoad = (wrong: string): boolean => /^(object|upload) | still has its orphan: "verify\//.test(wrong);

const isWell = (status: string): boolean => status === 'succeeded' || status === 'idle';

/** All moments of a scenario, as a run without a fault has them. */
export async function momentsOf(ground: Ground, { changes, work, about }: Scenario): Promise<Point[]> {
  await ground.source.query(changes);
  const points = await ground.plane.record(async () => {
    const status = await work(ground);
    if (!isWell(status)) throw new Error(`without a fault it ends as ${status}`);
  });
  return points.filter(({ what }) => !about || about.test(what));
}

/** Ends with a scenario. */
export async function leave(ground: Ground, { undo }: Scenario): Promise<void> {
  if (undo === undefined) return;
  await ground.source.query(undo);
  await ground.tick();
}

/** What may go wrong at a moment. */
export function waysToFail({ what, moment }: Point): How[] {
  const before = moment === 'before';
  if (what.startsWith('state ')) return before ? ['stopped', 'redriven'] : ['stopped', 'failed'];
  if (what.startsWith('source ')) {
    if (what === 'source connect') return before ? ['lost', 'sqlstate 53300'] : [];
    if (!before) return /COPY|BEGIN/.test(what) ? ['lost'] : [];
    return /COPY|FETCH|SELECT "/.test(what) ? ['lost', 'sqlstate 40001', 'sqlstate 57014'] : ['lost'];
  }
  if (what.includes('lambda:Invoke')) return before ? ['down', 'twice'] : ['lost'];
  return before ? ['throttled', 'killed', 'stopped', 'late'] : ['lost', 'down', 'killed', 'stopped'];
}

export const everyFault = (points: Point[]): Rule[] =>
  points.flatMap((point) => waysToFail(point).map((how) => ({ ...point, how })));

/** Several faults of one run; the more come into play the better, so they are drawn from the moments that every run has. */
export function someFaults(random: Random, points: Point[]): Rule[] {
  const able = points.filter((point) => waysToFail(point).length > 0);
  return random.some(able, 2 + random.below(4)).map((point) => ({
    ...point,
    how: random.some(waysToFail(point), 1)[0] ?? 'lost',
  }));
}

/** What to say of an ordeal; '' where all is well. */
export const complaint = (rules: Rule[], { wrongs, struck, first, again }: Suffered): string =>
  wrongs.length === 0
    ? ''
    : [
        `${rules.map(describe).join(' + ')} (${struck.length} struck, ended as ${first}, ${again} more runs)`,
        ...wrongs,
      ].join('\n    ');
