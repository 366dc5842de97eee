import * as z from 'zod';
import { operation } from '../operation.ts';

export const pauseInstallation = operation({
  summary: 'Lets all schedules of the installation rest; runs by hand still run',
  input: z.strictObject({ reason: z.string().max(500).default('').describe('why, for those who wonder') }),
  async run({ reason }, { schedules, now }) {
    await schedules.pause(reason, now());
    return { paused: await schedules.readPause() };
  },
});
