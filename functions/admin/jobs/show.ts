import * as z from 'zod';
import { describeError, LoaderError } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { overviewOf } from '../tables/overview.ts';
import { readJobItem } from './read.ts';

export const showJob = operation({
  summary: 'Shows a job: its settings, its tables, its last run',
  input: z.strictObject({ jobId }),
  async run({ jobId: id }, { edits, store, runs }) {
    const { raw, revision } = await readJobItem(edits, id);
    const { revision: _revision, ...settings } = raw;
    const [lastRun = null] = await runs.list(id, 1);
    try {
      const data = await store.readJob(id);
      const { revision: version, ...job } = data.job;
      return { job, version, tables: overviewOf(data), lastRun, error: null };
    } catch (error) {
      if (!(error instanceof LoaderError)) throw error;
      return { job: settings, version: revision, tables: [], lastRun, error: describeError(error) };
    }
  },
});
