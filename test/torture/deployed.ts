import type { Fault } from '../../local/gate.ts';
import type { Bench } from '../job/harness.ts';
import { Random } from './random.ts';
import { DECISIONS, RECONCILED, SHOP } from './shop.ts';
import { Writers } from './writers.ts';

const TICKS = 2;
const LIMITS = { rowLimit: 60, chunkSize: 20, maxSourceConnections: 4, scanBack: 15 };
const INTERLEAVED = 0.1;

/** Lets writers in before and after the calls that functions make. */
export class Moments {
  #at: (() => Promise<void>) | undefined;
  #busy: Promise<void> = Promise.resolve();

  /** For the local cloud, which calls several at once: one at a time here. */
  readonly fault: Fault = () => {
    const at = this.#at;
    if (at) this.#busy = this.#busy.then(at);
    return this.#busy;
  };

  async during<T>(at: () => Promise<void>, work: () => Promise<T>): Promise<T> {
    this.#at = at;
    try {
      return await work();
    } finally {
      this.#at = undefined;
      await this.#busy;
    }
  }
}

/**
 * As `converge`, by what is deployed: state machines, functions in processes of their own. Writers come in at the calls
 * of services; which call comes first is the machine's business, so that a seed stands for a kind of schedule only.
 */
export async function convergeDeployed(bench: Bench, moments: Moments, seed: number): Promise<string[]> {
  const random = new Random(seed);
  const job = await bench.job(SHOP, LIMITS);
  await job.setup();
  for (const [table, decision] of Object.entries(DECISIONS)) await job.edit(table, decision);
  const writers = await Writers.open(job.url, 4, { tables: Object.keys(DECISIONS), scanBack: LIMITS.scanBack }, random);
  const run = async () => {
    const { status, tables } = await job.run();
    if (status === 'failed') throw new Error(JSON.stringify(tables));
  };
  try {
    const between = async () => {
      if (random.chance(INTERLEAVED)) await writers.steps(1 + random.below(4));
    };
    for (let tick = 0; tick < TICKS; tick++) {
      await writers.steps(random.below(40));
      await moments.during(between, run);
    }
    await writers.finish();
    // What runs have begun to compare while writers were at it would keep its table from the last.
    await bench.operator.compared();
    await run();
    await bench.operator.compared();
    await bench.operator.compare(job.jobId, { kind: 'reconcile', tables: RECONCILED });
    return await job.differing();
  } finally {
    await writers.close();
  }
}
