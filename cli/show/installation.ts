import type { Commands } from '../commands.ts';
import { details, grid } from '../layout.ts';

export const INSTALLATION: Commands<'installation'> = {
  'installation.show': {
    args: [],
    show: ({ paused, jobs, destinations }, style) =>
      details({ jobs, paused: paused ? `since ${paused.since}: ${paused.reason || 'no reason given'}` : 'no' }, style) +
      grid(
        destinations,
        [
          { head: 'destination', cell: (one) => one.name },
          { head: 'database', cell: (one) => one.database },
          { head: 'schema', cell: (one) => one.schema },
          { head: 'arn', cell: (one) => one.arn },
        ],
        style,
        100,
      ),
  },
  'installation.pause': { args: [], show: () => '  Paused: no schedule runs until installation resume\n' },
  'installation.resume': { args: [], show: () => '  Schedules run again\n' },
};
