import { changedValues } from '../../local/ui/changed.ts';
import { duration, plural, size } from '../../local/ui/units.ts';
import { describeGivenUp } from '../../shared/core/gaps.ts';
import type { Commands, Result } from '../commands.ts';
import { details, grid, moment } from '../layout.ts';

const between = (from: string, to: string | null | undefined): string | null =>
  to ? duration((Date.parse(to) - Date.parse(from)) / 1000) : null;

const outcomeOf = ({ status, unchanged, snapshots }: Result<'runs.show'>['tables'][number]): string => {
  if (unchanged) return 'unchanged';
  return snapshots ? `${status}, of ${snapshots} snapshots` : status;
};

export const RUNS: Commands<'runs'> = {
  'runs.list': {
    args: ['jobId'],
    show: ({ runs }, style) =>
      grid(
        runs,
        [
          { head: 'run', cell: (one) => one.runId },
          { head: 'by', cell: (one) => one.trigger },
          { head: 'started (UTC)', cell: (one) => moment(one.startedAt) },
          { head: 'took', cell: (one) => between(one.startedAt, one.finishedAt) },
          { head: '', cell: (one) => one.status },
          { head: 'tables', cell: (one) => one.tables },
          { head: 'rows', cell: (one) => one.rows },
          { head: 'failed', cell: (one) => one.failed },
        ],
        style,
      ),
  },
  'runs.stop': {
    args: ['jobId', 'runId'],
    show: ({ job, runId, stopped }) =>
      `  Run ${runId} is stopped (${plural(stopped.length, 'execution')}). What it loaded stays: jobs run ${job} goes on from there\n`,
  },
  'runs.show': {
    args: ['jobId', 'runId'],
    show: ({ runId, trigger, status, startedAt, finishedAt, warnings, error, tables, nothingNew = 0 }, style) => {
      const givenUp = tables.flatMap((one) => (one.gapsGivenUp ? [describeGivenUp(one.table, one.gapsGivenUp)] : []));
      const told = [...warnings, ...givenUp];
      const changed = tables.flatMap((one) =>
        changedValues(one.changed, one.changedColumns).map((line) => `${one.table}: ${line}`),
      );
      const failed = tables.flatMap((one) => one.error ?? []);
      const head = {
        run: `${runId}, by ${trigger}`,
        status,
        'started (UTC)': moment(startedAt),
        took: between(startedAt, finishedAt),
        ...(told.length > 0 ? { warnings: told } : {}),
        ...(changed.length > 0 ? { changed } : {}),
        ...(error ? { error } : {}),
        // Whole, since what to do stands at their end.
        ...(failed.length > 0 ? { failed } : {}),
      };
      const columns = [
        { head: 'table', cell: (one: (typeof tables)[number]) => one.table },
        { head: '', cell: (one: (typeof tables)[number]) => outcomeOf(one) },
        { head: 'rows', cell: (one: (typeof tables)[number]) => one.rows },
        { head: 'size', cell: (one: (typeof tables)[number]) => size(one.bytes) },
        { head: 'time', cell: (one: (typeof tables)[number]) => duration(one.seconds) },
      ];
      const shown = tables.length > 0 ? grid(tables, columns, style, 100) : '';
      const others = nothingNew > 0 ? `  ${plural(nothingNew, 'table')} had nothing new\n` : '';
      return `${details(head, style)}\n${shown}${others}`;
    },
  },
};
