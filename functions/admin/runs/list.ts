import * as z from 'zod';
import { jobId } from '../fields.ts';
import { readJobItem } from '../jobs/read.ts';
import { operation } from '../operation.ts';

const MOST = 100;
const howMany = ({ input }: { input?: unknown }): string =>
  `is ${JSON.stringify(input)}: give a whole number from 1 to ${MOST}`;

export const listRuns = operation({
  summary: "Lists a job's newest runs, newest first",
  input: z.strictObject({
    jobId,
    limit: z
      .int({ error: howMany })
      .min(1, { error: howMany })
      .max(MOST, { error: howMany })
      .default(20)
      .describe(`how many, at most ${MOST}`),
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
