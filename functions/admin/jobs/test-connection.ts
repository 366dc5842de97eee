import * as z from 'zod';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';

export const testConnection = operation({
  summary: "Connects to a job's source, and tells what its user may not see yet",
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, { edits, probe }) {
    await readJobItem(edits, id);
    return probe(id);
  },
});
