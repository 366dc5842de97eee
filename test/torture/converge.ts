import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Installation } from '../../local/installation.ts';
import type { Postgres } from '../../local/postgres.ts';
import { verify } from '../../local/verify.ts';
import { Job } from '../../shared/model/job.ts';
import type { Snapshot } from '../../shared/model/state.ts';
import type { Circumstances, Mutation } from './mutations.ts';
import { Random } from './random.ts';
import { DECISIONS, RECONCILED, SHOP } from './shop.ts';
import { openSource } from './source.ts';
import { Ticks } from './ticks.ts';
import { Writers } from './writers.ts';

/** Schedules that the tests try. */
export const SEEDS = 20;
/** The fewer, the more often nobody else's open transaction holds the fence back and hides a mistake. */
const WRITERS: [weight: number, count: number][] = [
  [3, 1],
  [3, 2],
  [1, 3],
  [1, 4],
];
const TICKS = 3;
/** Tables of one seed: the more, the slower. */
const TABLES = 3;
/** In half of the seeds most deltas are large, of several batches and chunks, in the others none is. */
const LIMITS = {
  large: { rowLimit: 30, chunkSize: 10 },
  small: { rowLimit: 500, chunkSize: 500 },
};
/**
 * scanBack, in the product's seconds. A short one hides no mistake about the fence behind rows that are read again; a long one shows
 * what is lost without it.
 */
const SCAN_BACKS = { short: 3, long: 2500 };
/** How often, and how many at most, writers' statements come between two of the loader's, and where it matters most. */
const INTERLEAVED = { elsewhere: { chance: 0.06, steps: 6 }, critical: { chance: 0.6, steps: 12 } };
/** How often somebody commits just where it matters most, whatever else is done there. */
const COMMITTED = 0.25;
/** What the source's server has to allow. */
export const SERVER = { max_prepared_transactions: '20' };
/** The schema that every seed has to itself: the last of the job tests'. */
export const SCHEMA = 't11';

export interface Ground {
  installation: Installation;
  source: Postgres;
}

/**
 * One seed: writers commit through transactions of every kind while ticks run, some of their statements between any two
 * of the loader's. When all transactions have ended, and a last tick and a last comparison of keys have run, both sides are the
 * same, or the loader is wrong.
 *
 * @returns the tables that differ
 */
export async function converge(
  { installation, source }: Ground,
  seed: number,
  mutation: Mutation = {},
): Promise<string[]> {
  const random = new Random(seed);
  const jobId = `torture-${randomBytes(4).toString('hex')}`;
  const url = await source.createDatabase(jobId);
  const [admin, warehouse] = await Promise.all([url, installation.warehouse].map(connect));
  if (!admin || !warehouse) throw new Error('there are two sides');
  const names = random.some(Object.keys(DECISIONS), TABLES);
  const size = random.chance(0.5) ? 'large' : 'small';
  const drawn: Circumstances = { blind: random.chance(0.3), scanBack: random.chance(0.5) ? 'short' : 'long' };
  const { blind, ...under } = { ...drawn, ...mutation.shownBy };
  const scanBack = SCAN_BACKS[under.scanBack];
  await admin.query(SHOP);
  if (blind) await admin.query(GRANTS);

  const snapshots = new Map<string, Snapshot>();
  let interleave = false;
  const writers = await Writers.open(url, random.weighted(WRITERS), { tables: names, scanBack }, random);
  const between = async (critical = false) => {
    const { chance, steps } = INTERLEAVED[critical ? 'critical' : 'elsewhere'];
    if (!interleave) return;
    if (critical && random.chance(COMMITTED)) await writers.commit();
    if (random.chance(chance)) await writers.steps(1 + random.below(steps));
  };
  const ticks = new Ticks(installation, jobId, {
    between,
    async connect() {
      for (const [name, { value }] of await ticks.store.readStates(jobId))
        if (value.watermark?.snapshot) snapshots.set(name, value.watermark.snapshot);
      return openSource(blind ? asBlind(url) : url, { between, mutation, snapshots });
    },
  });
  try {
    const job = Job.parse({
      jobId,
      secretArn: 'arn:unused',
      destination: SCHEMA,
      scanBack,
      ...LIMITS[size],
    });
    const reconciled = RECONCILED.filter((name) => names.includes(name));
    const decisions = Object.entries(DECISIONS).map(([name, one]) => [
      name,
      { ...one, disabled: !names.includes(name) },
    ]);
    await ticks.setup(job, Object.fromEntries(decisions));
    interleave = true;
    for (let tick = 0; tick < TICKS; tick++) {
      await writers.steps(random.below(40));
      await ticks.tick();
      for (const table of reconciled) await ticks.reconcile(table);
    }
    interleave = false;
    await writers.finish();
    await ticks.tick();
    for (const table of reconciled) await ticks.reconcile(table);
    const { tables } = await ticks.store.readJob(jobId);
    const copied = tables.filter((table) => !table.disabled);
    const results = await verify(job, copied, url, installation.warehouse, SCHEMA);
    return [...results].flatMap(([name, found]) => {
      if (found instanceof Error) throw found;
      return found.sourceRows === found.warehouseRows && found.sourceChecksum === found.warehouseChecksum ? [] : [name];
    });
  } finally {
    await writers.close();
    await ticks.forget();
    const tables = Object.keys(DECISIONS).map((table) => `"${SCHEMA}"."${table}"`);
    await warehouse.query(`DROP TABLE IF EXISTS ${tables.join(', ')}`);
    await Promise.all([admin.end(), warehouse.end()]);
    const server = await connect(source.url);
    await server.query(`DROP DATABASE "${jobId}" WITH (FORCE)`);
    await server.end();
  }
}

/** A user who can't see others' transactions. */
const GRANTS = `
  DO $$ BEGIN CREATE ROLE blind LOGIN PASSWORD 'blind'; EXCEPTION WHEN duplicate_object THEN END $$;
  GRANT SELECT ON ALL TABLES IN SCHEMA public TO blind`;

function asBlind(url: string): string {
  const changed = new URL(url);
  [changed.username, changed.password] = ['blind', 'blind'];
  return changed.href;
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}
