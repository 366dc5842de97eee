import { hanging } from '../../local/ui/lines.ts';
import { plural } from '../../local/ui/units.ts';
import type { Result } from '../commands.ts';
import { details, type Style } from '../layout.ts';

/** Names that are listed of the tables which have one thing to check. */
const MOST_NAMED = 5;

/** What an administrator has to run at the source, and a person to look at, as `details` shows it. */
export const toDo = ({ grants, checks }: { grants: string[]; checks: string[] }): Record<string, string[]> => ({
  ...(grants.length > 0 ? { 'to run there': grants } : {}),
  ...(checks.length > 0 ? { 'to check': checks } : {}),
});

export function renderSetUp({ job, status, output, error, tables }: Result<'jobs.setup-status'>, style: Style): string {
  const { checks = [], grants = [], refused = [], ...counts } = output ?? {};
  const head = details(
    {
      setup: status,
      ...(error ? { error } : {}),
      ...counts,
      ...(refused.length > 0 ? { refused } : {}),
      ...toDo({ grants, checks }),
    },
    style,
  );
  const lines = checksOf(tables, grants.length > 0).flatMap(([check, names]) =>
    hanging('  ! ', `${named(names)}: ${check}`, style.width),
  );
  const next = nextStep(job, tables, refused.length);
  return `${head}${lines.length > 0 ? `\n${lines.join('\n')}\n\n` : ''}${next}`;
}

function nextStep(job: string, [first, ...others]: { table: string }[], refused: number): string {
  if (!first) return '';
  if (refused === 0)
    return `  Next: tables show ${job} ${first.table} tells what was guessed, of each table; then jobs run ${job}\n`;
  const rest = refused <= others.length ? `; jobs run ${job} copies the other tables` : '';
  return `  Next: what is refused above, then jobs setup ${job} once more${rest}\n`;
}

/** What is to be checked, with the tables that it concerns: of a hundred tables most have the same. */
function checksOf(tables: Result<'jobs.setup-status'>['tables'], granted: boolean): [string, string[]][] {
  const all = tables.flatMap(({ table, checks }) =>
    checks.map((check) => ({ table, check: granted ? withoutGrant(check) : check })),
  );
  return [...Map.groupBy(all, ({ check }) => check)].map(([check, group]) => [check, group.map(({ table }) => table)]);
}

/** The statements stand above, for all tables together. */
const withoutGrant = (check: string): string => check.replace(/^(may not be read): .*/, '$1: see to run there');

const named = (names: string[]): string =>
  names.length <= MOST_NAMED
    ? names.join(', ')
    : `${names.slice(0, MOST_NAMED).join(', ')} and ${plural(names.length - MOST_NAMED, 'other')}`;
