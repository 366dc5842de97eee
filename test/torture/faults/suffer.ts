import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { Ground } from './ground.ts';
import { describe, type How, type Point, type Rule } from './plane.ts';
import { CHANGES, DELETES, DRIFT, DRIFT_WHOLE, FILES, NEW_COLUMNS, NEW_TABLE, NO_FILES, STALE } from './scenario.ts';

/** What is done while faults happen. */
export interface Scenario {
  name: (typeof NAMES)[number];
  /** What happens before, while nothing goes wrong yet. */
  prepare(ground: Ground): Promise<unknown>;
  work(ground: Ground): Promise<string>;
  /** What has to follow, when nothing goes wrong any more, for both sides to be the same. */
  conclude?(ground: Ground): Promise<unknown>;
  /** The moments that it is about; all where absent. */
  about?: RegExp;
  /** Makes it as it was. */
  undo?(ground: Ground): Promise<unknown>;
}

const NAMES = [
  'a run',
  'a first load',
  'a run that compares',
  'a comparison',
  'a repair',
  'a repair at once',
  'a reset',
  'an edit',
  'a schema change',
  'a setup',
  'a large upload',
] as const;

const tick = (ground: Ground) => ground.tick();

export const SCENARIOS: Scenario[] = [
  { name: 'a run', prepare: (ground) => ground.source.query(CHANGES), work: tick },
  {
    name: 'a first load',
    prepare: async (ground) => {
      await ground.forget('lines');
      await ground.setup();
      await ground.decide('lines');
    },
    work: tick,
    about: /^(split|extract|load|finish|state load-table|source COPY "public"."lines")/,
  },
  {
    name: 'a run that compares',
    prepare: async (ground) => {
      await ground.decide('stock', { reconcileEvery: 1 });
      // It is due again.
      await sleep(1_000);
      await ground.source.query(DELETES);
    },
    work: tick,
    // What was cut off is begun anew by the next run, what failed once it is due again.
    conclude: async (ground) => {
      await sleep(1_000);
      await ground.tick();
    },
    about: /verify|^plan|lambda:Invoke plan|^state load-job/,
    undo: (ground) => ground.decide('stock', { reconcileEvery: 86_400 }),
  },
  {
    name: 'a comparison',
    prepare: (ground) => ground.source.query(DELETES),
    work: (ground) => ground.compare({ kind: 'reconcile' }),
  },
  {
    name: 'a repair',
    prepare: (ground) => ground.spoil(DRIFT),
    work: async (ground) => {
      const first = await ground.compare({ kind: 'verify' });
      return isWell(first) ? ground.compare({ kind: 'verify', second: true }) : first;
    },
  },
  {
    name: 'a repair at once',
    // While the source is as the last sync saw it.
    prepare: async (ground) => {
      await ground.tick();
      await ground.spoil(DRIFT_WHOLE);
    },
    work: (ground) => ground.compare({ kind: 'verify', table: 'prices' }),
    // A mending that was cut off leaves its name, and nothing can be proved until a pass has settled it: the comparison after it
    // waits for that pass, and the run after that takes the second look.
    conclude: async (ground) => {
      await ground.tick();
      await ground.tick();
    },
  },
  {
    name: 'a reset',
    prepare: async (ground) => {
      await ground.spoil(STALE);
      await ground.reset();
    },
    work: tick,
  },
  {
    name: 'an edit',
    prepare: (ground) => ground.spoil(STALE),
    work: async (ground) => {
      try {
        await ground.edit();
        await ground.reset();
        return 'succeeded';
      } catch (error) {
        return (error as Error).message;
      }
    },
    conclude: tick,
  },
  { name: 'a schema change', prepare: (ground) => ground.source.query(NEW_COLUMNS), work: tick },
  {
    name: 'a setup',
    prepare: async (ground) => {
      await ground.forget('extra');
      await ground.source.query(NEW_TABLE);
    },
    work: (ground) => ground.setup(),
    conclude: tick,
  },
  {
    name: 'a large upload',
    prepare: (ground) => ground.source.query(FILES),
    work: tick,
    about: / s3:.*(Multipart|Part)/,
    undo: async (ground) => {
      await ground.source.query(NO_FILES);
      await ground.tick();
    },
  },
];

export interface Suffered {
  /** How the work ended that the faults met, and whether it was done once more. */
  first: string;
  again: boolean;
  /** Rules that came into play. */
  struck: Rule[];
  /** What is wrong after all that. */
  wrongs: string[];
}

/** Does a scenario's work while these faults happen, then, unless it succeeded, once without, and looks at what is left. */
export async function suffer(ground: Ground, { prepare, work, conclude }: Scenario, rules: Rule[]): Promise<Suffered> {
  await prepare(ground);
  const { result, met } = await ground.whileRead(async () => {
    ground.plane.arm(rules);
    const first = await work(ground);
    const struck = ground.plane.disarm();
    const again = !isWell(first);
    const last = again ? await work(ground) : first;
    if (isWell(last)) await conclude?.(ground);
    ground.plane.letGo();
    await ground.quiet();
    return { first, again, last, struck };
  });
  const { last, ...suffered } = result;
  if (!isWell(last)) {
    const run = await ground.lastRun();
    return { ...suffered, wrongs: [`it fails for good: ${last} ${run?.error} ${JSON.stringify(run?.tables)}`] };
  }
  const wrongs = [...met, ...(await ground.wrongs())];
  if (wrongs.length === 0) return { ...suffered, wrongs };
  // It may take the next run that has something to do.
  await ground.source.query(CHANGES);
  await ground.tick();
  const still = await ground.wrongs();
  return { ...suffered, wrongs: wrongs.every(goesWithNextLoad) ? still : [...wrongs, ...still] };
}

/**
 * What a function of a stopped execution staged late, and the name of a mending's statement: the next comparison takes the table
 * only where it finds something. Neither holds anybody up.
 */
const goesWithNextLoad = (wrong: string): boolean => /^(object|upload) | still has its orphan: "verify\//.test(wrong);

const isWell = (status: string): boolean => status === 'succeeded' || status === 'idle';

/** All moments of a scenario, as a run without a fault has them. */
export async function momentsOf(ground: Ground, { prepare, work, conclude, about }: Scenario): Promise<Point[]> {
  await prepare(ground);
  ground.plane.disarm();
  const points = await ground.plane.record(async () => {
    const status = await work(ground);
    if (!isWell(status)) throw new Error(`without a fault it ends as ${status}`);
  });
  await conclude?.(ground);
  return points.filter(({ what }) => !about || about.test(what));
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
  if (what.includes('lambda:Invoke')) return before ? ['down', 'twice'] : ['lost', 'again'];
  // No execution that could be stopped calls these.
  if (/^(admin|sync-schedules) /.test(what)) return before ? ['throttled', 'killed'] : ['lost', 'down', 'killed'];
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
        `${rules.map(describe).join(' + ')} (${struck.length} struck, ended as ${first}, ${again ? 'once more' : 'at once'})`,
        ...wrongs,
      ].join('\n    ');
