import * as z from 'zod';
import { describeError } from '../../../shared/model/errors.ts';
import type { AdminPorts } from '../operation.ts';
import { operation } from '../operation.ts';

export const listJobs = operation({
  summary: 'Lists all jobs, with how their last runs ended',
  input: z.strictObject({}),
  async run(_input, ports) {
    const ids = await ports.edits.listJobs();
    const jobs = await Promise.all(ids.map((id) => summaryOf(id, ports)));
    return { jobs: jobs.filter((one) => one !== null) };
  },
});

async function summaryOf(jobId: string, { edits, store, runs }: AdminPorts) {
  if (!(await edits.read(jobId, 'JOB'))) return null;
  const [last] = await runs.list(jobId, 1);
  const lastRun = last ? { runId: last.runId, status: last.status, startedAt: last.startedAt } : null;
  try {
    const { job, tables, broken } = await store.readJob(jobId);
    return { jobId, destination: job.destination, tables: tables.length + broken.size, lastRun, error: null };
  } catch (error) {
    return { jobId, destination: null, tables: null, lastRun, error: describeError(error) };
  }
}
