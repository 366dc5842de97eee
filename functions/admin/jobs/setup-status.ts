import * as z from 'zod';
import { errors } from '../../../shared/model/errors.ts';
import { operation } from '../operation.ts';

export const showSetup = operation({
  summary: 'Shows whether a setup has ended, and what it found',
  input: z.strictObject({
    setupId: z
      .string()
      .regex(/^[\w-]{1,80}$/, 'is no id of a setup')
      .describe("the setup's id"),
  }),
  async run({ setupId }, { machines }) {
    const found = await machines.describe('setupJob', setupId);
    if (!found) throw errors.notFound(`there is no setup ${setupId}: start one with jobs setup`);
    const { input: _input, ...shown } = found;
    return { setupId, ...shown };
  },
});
