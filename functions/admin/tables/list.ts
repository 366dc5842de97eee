import * as z from 'zod';
import { jobId } from '../fields.ts';
import { readJobItem } from '../jobs/read.ts';
import { operation } from '../operation.ts';
import { overviewOf } from './overview.ts';

export const listTables = operation({
  summary: "Lists a job's tables, with how far each is",
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, { edits, store }) {
    await readJobItem(edits, id);
    return { tables: overviewOf(await store.readJob(id)) };
  },
});
