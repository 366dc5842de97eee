import * as z from 'zod';
import { operation } from '../operation.ts';
import { TIMING } from './fields.ts';
import { outlook } from './outlook.ts';

export const previewSchedule = operation({
  summary: 'Tells in words, and by its next ten ticks, what a schedule would do',
  input: z.strictObject(TIMING),
  async run(timing, { now }) {
    return outlook({ ...timing, enabled: true }, now());
  },
});
