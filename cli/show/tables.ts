import type { TableOverview } from '../../functions/admin/tables/overview.ts';
import { count, plural } from '../../local/ui/units.ts';
import type { Compared } from '../../shared/model/compared.ts';
import type { Commands } from '../commands.ts';
import { details, grid, moment, type Style } from '../layout.ts';

/** One line each; below them errors to their end, where they say what to do. */
export const tableGrid = (tables: TableOverview[], style: Style): string => {
  const told = tables.flatMap(({ table, error, comparisonError }): [string, string][] => {
    const why = error ?? comparisonError;
    return why === null ? [] : [[table, why]];
  });
  const lines = grid(
    tables,
    [
      { head: 'table', cell: (one) => one.table },
      { head: 'copy mode', cell: (one) => one.copyMode },
      { head: '', cell: whereItStands },
      { head: 'complete (UTC)', cell: (one) => moment(one.completedAt) },
    ],
    style,
  );
  return told.length > 0 ? `${lines}\n${details(Object.fromEntries(told), style)}` : lines;
};

function whereItStands({
  disabled,
  created,
  loadedBy,
  behindSince,
  completedAt,
  comparisonError,
}: TableOverview): string {
  if (disabled) return 'disabled';
  if (!created) return 'not set up';
  if (loadedBy !== null) return 'loading';
  if (behindSince !== null) return 'behind';
  if (completedAt === null) return 'not loaded yet';
  return comparisonError === null ? 'well' : 'not compared';
}

/** What differed at the last verification; undefined where nothing did. */
function foundText({
  missing,
  extra,
  different,
  object,
  repaired,
}: NonNullable<Compared['found']>): string | undefined {
  const counts = Object.entries({ missing, extra, different }).filter(([, rows]) => rows > 0);
  if (counts.length === 0) return undefined;
  const named = object === null ? '' : `, named in ${object}`;
  return `${counts.map(([what, rows]) => `${count(rows)} ${what}`).join(', ')}${repaired ? ', repaired' : ''}${named}`;
}

/** What the last verification says while nothing is proved yet; what one before it found is of no interest by then. */
const suspectsText = ({ rows }: NonNullable<Compared['suspects']>): string =>
  `${plural(rows, 'row')} that differed, to be looked at again after the next load`;

export const TABLES: Commands<'tables'> = {
  'tables.list': { args: ['jobId'], show: ({ tables }, style) => tableGrid(tables, style) },
  'tables.show': {
    args: ['jobId', 'table'],
    show: ({ table, version, state, compared }, style) => {
      const { columns, ...rest } = table;
      const progress = {
        'complete since (UTC)': moment(state.completedAt),
        'behind since (UTC)': moment(state.behindSince),
        'loaded by': state.lease?.owner,
        error: state.lastError,
        'verified (UTC)': compared.verifyEnded && moment(compared.verifyEnded),
        'it found': compared.suspects ? suspectsText(compared.suspects) : compared.found && foundText(compared.found),
        'verification failed': compared.verifyError,
        'keys compared (UTC)': compared.reconcileEnded && moment(compared.reconcileEnded),
        'rows removed': compared.reconcileEnded && compared.deleted !== undefined ? count(compared.deleted) : undefined,
        'comparing keys failed': compared.reconcileError,
      };
      const list = Array.isArray(columns) ? columns.map((column) => `${column.source}  ${column.type}`) : columns;
      return details({ ...rest, version, ...progress, columns: list }, style);
    },
  },
  'tables.edit': {
    args: ['jobId', 'table'],
    show: ({ table, version, notes }) =>
      [`Table ${table} is edited (version ${version})`, ...notes].map((line) => `  ${line}\n`).join(''),
  },
  'tables.reset': {
    args: ['jobId', 'table'],
    show: ({ table, reset, disabled }) => {
      const run = disabled ? 'The table is disabled: the next run after it is enabled' : 'The next run';
      return reset.kind === 'reload'
        ? `  ${run} loads all of ${table} again\n`
        : `  ${run} reads ${table} again ${/^-?\d+$/.test(reset.to) ? `beyond ${reset.to}` : `from ${reset.to} on`}\n`;
    },
  },
};
