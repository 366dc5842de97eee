import type { TickRecord } from '../../shared/model/tick.ts';
import type { Commands } from '../commands.ts';
import { type Column, details, grid, moment, type Style } from '../layout.ts';

interface Outlook {
  description: string;
  next: string[];
  rests?: string | null;
}

const outlook = ({ description, next, rests }: Outlook) => ({
  runs: description,
  'next (UTC)': rests ? `none: ${rests}` : next.map(moment),
});

const ticks = (found: Outlook, style: Style): string => details(outlook(found), style);

const changed = (result: { schedule: string; version: number } & Outlook, style: Style): string =>
  `  Schedule ${result.schedule} is saved (version ${result.version})\n${ticks(result, style)}`;

/** What became of ticks. */
const PAST: Column<TickRecord>[] = [
  { head: 'last ticks (UTC)', cell: (tick) => moment(tick.scheduledTime) },
  { head: '', cell: (tick) => (tick.status === 'ran' ? tick.outcome : tick.status) },
  { head: 'run, or why not', cell: (tick) => (tick.status === 'skipped' ? tick.reason : tick.runId) },
];

export const SCHEDULES: Commands<'schedules'> = {
  'schedules.create': { args: ['jobId'], show: changed },
  'schedules.edit': { args: ['jobId', 'schedule'], show: changed },
  'schedules.enable': { args: ['jobId', 'schedule'], show: changed },
  'schedules.disable': { args: ['jobId', 'schedule'], show: changed },
  'schedules.delete': { args: ['jobId', 'schedule'], show: ({ schedule }) => `  Schedule ${schedule} is deleted\n` },
  'schedules.preview': { args: [], show: ticks },
  'schedules.list': {
    args: ['jobId'],
    show: ({ schedules, rests }, style) =>
      (rests && schedules.length > 0 ? `  None runs: ${rests}\n` : '') +
      grid(
        schedules,
        [
          { head: 'schedule', cell: (one) => one.schedule },
          { head: 'name', cell: (one) => one.name },
          { head: 'runs', cell: (one) => one.description },
          { head: 'next (UTC)', cell: (one) => moment(one.next) },
          { head: 'error', cell: (one) => one.error },
        ],
        style,
      ),
  },
  'schedules.show': {
    args: ['jobId', 'schedule'],
    show: (result, style) => {
      if (result.schedule === null) return details({ version: result.version, error: result.error }, style);
      const { schedule, version, ticks: past, error } = result;
      const head = details({ ...schedule, version, ...outlook(result), ...(error ? { error } : {}) }, style);
      return `${head}\n${past.length > 0 ? grid(past, PAST, style, 100) : '  No tick yet\n'}`;
    },
  },
};
