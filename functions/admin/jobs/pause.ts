import * as z from 'zod';
import { ifVersion, jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { changeJob } from './change.ts';

export const pauseJob = operation({
  summary: 'Lets the schedules of a job rest; a run by hand still runs',
  input: z.strictObject({ jobId, ifVersion }),
  async run({ jobId: id, ifVersion: seen }, { edits }) {
    return changeJob(id, { disabled: true }, seen, edits);
  },
});
