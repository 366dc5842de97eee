import * as z from 'zod';
import { ifVersion, jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { changeJob } from './change.ts';

export const resumeJob = operation({
  summary: 'Lets the schedules of a job run again',
  input: z.strictObject({ jobId, ifVersion }),
  async run({ jobId: id, ifVersion: seen }, { edits }) {
    return changeJob(id, { disabled: false }, seen, edits);
  },
});
