import * as z from 'zod';
import type { Running } from '../../../shared/aws/machines.ts';
import { errors } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { readJobItem } from '../jobs/read.ts';
import { type AdminPorts, operation } from '../operation.ts';
import { findRun } from './find.ts';

export const stopRun = operation({
  summary: 'Stops a run; what it has loaded stays, and the next run goes on from there',
  input: z.strictObject({ jobId, runId: z.string().min(1).describe("the run's id") }),
  async run({ jobId: id, runId }, { edits, runs, machines }) {
    await readJobItem(edits, id);
    const stopped: Running[] = [];
    // A large table's execution may start its successor just as it is stopped: until there is none.
    for (let left = await executionsOf(id, runId, machines); left.length > 0; ) {
      for (const one of left) await machines.stop(one, 'stopped by hand');
      stopped.push(...left);
      left = await executionsOf(id, runId, machines);
    }
    if (stopped.length === 0) {
      const { status } = await findRun(id, runId, { runs, machines });
      throw errors.refused(`run ${runId} is not at work: runs show tells it as ${status}`);
    }
    return { job: id, runId, stopped };
  },
});

/** A run's executions: the job's own first, so that it starts no others; then those of its large tables. */
async function executionsOf(id: string, runId: string, machines: AdminPorts['machines']): Promise<Running[]> {
  const running = await machines.runningFor(id);
  const own = running.filter(({ machine, name }) => machine === 'loadJob' && name === runId);
  // As load-job names them: an execution's name has at most 80 characters.
  const tables = running.filter(
    ({ machine, name }) => machine === 'loadTable' && name.startsWith(`${runId.slice(0, 60)}-`),
  );
  return [...own, ...tables];
}
