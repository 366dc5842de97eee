import * as z from 'zod';
import { operation } from '../operation.ts';

export const showInstallation = operation({
  summary: 'Shows the destinations that jobs may name, and whether the installation is paused',
  input: z.strictObject({}),
  async run(_input, { edits, schedules, destinations }) {
    return {
      paused: await schedules.readPause(),
      jobs: (await edits.listJobs()).length,
      destinations: destinations.map(({ name, arn, database, schema }) => ({ name, arn, database, schema })),
    };
  },
});
