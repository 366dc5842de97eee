import type { Pause } from '../../shared/model/schedule.ts';
import type { Commands } from '../commands.ts';
import { details, grid, moment } from '../layout.ts';

/** Whoever pauses by a hand-made item need not say since when, or why. */
const pauseText = ({ since, reason }: Pause): string =>
  `${since ? `since ${moment(since)} UTC` : 'yes'}: ${reason || 'no reason given'}`;

export const INSTALLATION: Commands<'installation'> = {
  'installation.show': {
    args: [],
    show: ({ paused, jobs, destinations }, style) =>
      `${details({ jobs, paused: paused ? pauseText(paused) : 'no' }, style)}\n${grid(
        destinations,
        [
          { head: 'destination', cell: (one) => one.name },
          { head: 'database', cell: (one) => one.database },
          { head: 'schema', cell: (one) => one.schema },
          { head: 'arn', cell: (one) => one.arn },
        ],
        style,
        100,
      )}`,
  },
  'installation.pause': { args: [], show: () => '  Paused: no schedule runs until installation resume\n' },
  'installation.resume': { args: [], show: () => '  Schedules run again\n' },
};
