import * as z from 'zod';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';

export const runJob = operation({
  summary: 'Starts a run now, whatever the schedules say',
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, { edits, machines, newId }) {
    await readJobItem(edits, id);
    const runId = newId();
    await machines.start('loadJob', runId, { jobId: id, trigger: 'hand' });
    return { job: id, runId };
  },
});
