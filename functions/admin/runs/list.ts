import * as z from 'zod';
import { jobId } from '../fields.ts';
import { readJobItem } from '../jobs/read.ts';
import { operation } from '../operation.ts';

export const listRuns = operation({
  summary: "Lists a job's newest runs, newest first",
  input: z.strictObject({
    jobId,
    limit: z.int().min(1).max(100).default(20).describe('how many, at most 100'),
  }),
  async run({ jobId: id, limit }, { edits, runs }) {
    await readJobItem(edits, id);
    const newest = await runs.list(id, limit);
    return {
      runs: newest.map(({ runId, trigger, startedAt, finishedAt = null, status, tables, error = null }) => {
        const all = Object.values(tables);
        return {
          runId,
          trigger,
          startedAt,
          finishedAt,
          status,
          tables: all.filter((one) => !one.unchanged).length,
          rows: all.reduce((sum, { rows }) => sum + rows, 0),
          failed: all.filter((one) => one.error !== undefined).length,
          error,
        };
      }),
    };
  },
});
