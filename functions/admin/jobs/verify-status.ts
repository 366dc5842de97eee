import * as z from 'zod';
import type { JobData } from '../../../shared/aws/store.ts';
import { mayRun } from '../../../shared/core/due.ts';
import { verdictOn, whyUndecided } from '../../../shared/core/verification.ts';
import type { Compared } from '../../../shared/model/compared.ts';
import { errors } from '../../../shared/model/errors.ts';
import type { Run } from '../../../shared/model/run.ts';
import type { Verification, VerifiedTable } from '../../../shared/model/verification.ts';
import { jobId } from '../fields.ts';
import { type AdminPorts, operation } from '../operation.ts';
import { readJobItem } from './read.ts';

/** What jobs.verify told the machine. */
const Asked = z.object({
  jobId: z.string(),
  comparisons: z.array(z.object({ table: z.string() })),
  repair: z.boolean(),
});
type Asked = z.infer<typeof Asked>;

/** How far back the run in between is looked for. */
const LOOKED_THROUGH = 100;

export const showVerification = operation({
  summary: 'Shows what a verification found; has rows that differed looked at again, after a run in between',
  input: z.strictObject({
    jobId,
    verifyId: z
      .string()
      .regex(/^[\w-]{1,64}$/, 'is no id of a verification: jobs verify tells it')
      .describe("the verification's id"),
  }),
  async run({ jobId: id, verifyId }, ports): Promise<Verification> {
    await readJobItem(ports.edits, id);
    const first = await ports.machines.describe('verifyJob', verifyId);
    const asked = Asked.safeParse(first?.input).data;
    if (!first || asked?.jobId !== id)
      throw errors.notFound(`job ${id} has no verification ${verifyId}: start one with jobs verify`);
    const undecided = first.status === 'running' ? 'running' : await decide(verifyId, asked, ports);
    // A look may have ended while it was asked how far it is.
    const data = await ports.store.readJob(id);
    const tables = asked.comparisons.flatMap(({ table: name }): VerifiedTable[] => {
      const table = data.tables.find(({ sourceName }) => sourceName === name);
      if (!table) return [];
      const compared = data.compared.get(name);
      const open = compared?.suspects !== undefined;
      if (undecided !== 'running') return [verdictOn(table, compared, (open && undecided.get(name)) || null)];
      return [{ ...verdictOn(table, compared, null), status: 'running', error: null }];
    });
    if (undecided === 'running') return { verifyId, status: 'running', tables };
    return { verifyId, status: tables.every(({ status }) => status === 'identical') ? 'succeeded' : 'failed', tables };
  },
});

/**
 * Sees to it that what differed at the first look is looked at again after a run (RULES 22): each step has a name of its own, so
 * that it is taken once however often somebody asks.
 * @returns what could not be decided, and why, by table; or that it is not over yet
 */
async function decide(
  verifyId: string,
  { jobId: id, comparisons, repair }: Asked,
  { machines, runs, store, now }: AdminPorts,
): Promise<Map<string, string> | 'running'> {
  const suspectedIn = ({ compared }: JobData): Compared[] =>
    comparisons.flatMap(({ table }) => {
      const known = compared.get(table);
      return known?.suspects ? [known] : [];
    });
  if (suspectedIn(await store.readJob(id)).length === 0) return new Map();
  const runId = `${verifyId}-pass`;
  const run = await runInBetween(runId, id, { machines, runs });
  // The run itself may have begun the second look.
  if (run === 'running' || (await machines.describe('verifyJob', `${runId}-verify`))?.status === 'running')
    return 'running';
  // Read once the run has ended: what it did counts, and what it held is given back.
  const data = await store.readJob(id);
  const suspected = suspectedIn(data);
  // Any run may have begun the second look.
  if (suspected.some((one) => mayRun(one, 'verify', now()))) return 'running';
  const open = suspected.map((one) => ({ one, why: whyUndecided(one, data.states.get(one.sourceName)?.value, run) }));
  const undecided = new Map(open.flatMap(({ one, why }) => (why ? [[one.sourceName, why] as const] : [])));
  const ready = open.flatMap(({ one, why }) => (why ? [] : [{ table: one.sourceName, kind: 'verify', second: true }]));
  if (ready.length === 0) return undecided;
  const second = `${verifyId}-second`;
  const looking = await machines.describe('verifyJob', second);
  if (!looking) await machines.start('verifyJob', second, { jobId: id, comparisons: ready, repair });
  if (!looking || looking.status === 'running') return 'running';
  for (const { table } of ready) undecided.set(table, 'its second look ended without a result: verify it again');
  return undecided;
}

async function runInBetween(
  runId: string,
  id: string,
  { machines, runs }: Pick<AdminPorts, 'machines' | 'runs'>,
): Promise<Run | 'running'> {
  const execution = await machines.describe('loadJob', runId);
  if (!execution) await machines.start('loadJob', runId, { jobId: id, trigger: 'verification' });
  if (!execution || execution.status === 'running') return 'running';
  const run = (await runs.list(id, LOOKED_THROUGH)).find((one) => one.runId === runId);
  if (!run) throw errors.notFound(`run ${runId} left no record: verify again`);
  return run.status === 'running' ? 'running' : run;
}
