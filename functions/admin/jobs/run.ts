import * as z from 'zod';
import { hasTables } from '../../../shared/aws/store.ts';
import { errors } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';

export const runJob = operation({
  summary: 'Starts a run now, whatever the schedules say',
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, { edits, store, machines, newId }) {
    await readJobItem(edits, id);
    if (!hasTables(await store.readJob(id)))
      throw errors.refused(`job ${id} has no tables: set it up first, by jobs setup ${id}`);
    const runId = newId();
    await machines.start('loadJob', runId, { jobId: id, trigger: 'hand' });
    return { job: id, runId };
  },
});
