import * as z from 'zod';
import { operation } from '../operation.ts';

export const resumeInstallation = operation({
  summary: 'Lets schedules run again; what was missed is not made up for',
  input: z.strictObject({}),
  async run(_input, { schedules }) {
    await schedules.resume();
    return { paused: null };
  },
});
