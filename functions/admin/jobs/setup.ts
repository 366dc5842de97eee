import * as z from 'zod';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';

export const setUpJob = operation({
  summary: "Starts setup: finds the source's tables, guesses their keys, and creates them in the warehouse",
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, { edits, machines, newId }) {
    await readJobItem(edits, id);
    const setupId = newId();
    await machines.start('setupJob', setupId, { jobId: id });
    return { job: id, setupId };
  },
});
