import { isDeepStrictEqual } from 'node:util';
import type { SourceColumn, SourceTable } from '../model/catalog.ts';
import type { Column } from '../model/column.ts';
import type { Job } from '../model/job.ts';
import { Table } from '../model/table.ts';
import { type Treatment, treatmentOf, type Wishes } from '../model/wishes.ts';
import { HASH_TYPE } from '../sql/masks.ts';
import { mappingOf, mapType } from '../sql/types.ts';
import type { NumericDigits } from '../sql/types-number.ts';
import { guess } from './guess.ts';
import { checksFor, type Known } from './guess-checks.ts';
import { type FoldedName, foldColumnNames, foldTableNames, isRenamed } from './names.ts';

/** What is known of columns besides the catalog: digits that their values need, by name. */
export type Digits = ReadonlyMap<string, NumericDigits>;

const NO_DIGITS: Digits = new Map();

/** The warehouse's type of a column, masked or not. */
const typeOf = (column: SourceColumn, treatment: Treatment | undefined, digits: Digits): string =>
  treatment === 'sha256' ? HASH_TYPE : mapType(column.type, { numericDigits: digits.get(column.name) ?? null }).type;

/** The columns of a new table as the warehouse will have them: all that are not excluded. */
export function columnsOf(found: SourceTable, treat: Wishes['treat'] = {}, digits: Digits = NO_DIGITS): Column[] {
  // An excluded column keeps its name from others, so that none is renamed when it comes back.
  const names = foldColumnNames(found.columns.map((column) => column.name));
  return found.columns.flatMap((column, i) => {
    const treatment = treatmentOf({ treat }, column.name);
    if (treatment === 'exclude') return [];
    const type = typeOf(column, treatment, digits);
    const attnum = column.attnum === undefined ? {} : { attnum: column.attnum };
    const mask = treatment === undefined ? {} : { mask: treatment };
    const name = names[i]?.name ?? column.name;
    return [{ source: column.name, name, sourceType: column.type, type, ...attnum, ...mask }];
  });
}

/** An item for each table that is to be copied and has none, with its guessed keys and copy mode. */
export function newTables(
  job: Pick<Job, 'tables'>,
  fresh: SourceTable[],
  taken: string[],
  known: Known & { profile: ReadonlyMap<string, Digits> },
): Table[] {
  const names = foldTableNames(
    fresh.map((found) => found.name),
    taken,
  );
  return fresh.map((found, i) => {
    const { primaryKey, updatedKey, copyMode, why, checks } = guess(found, known);
    const destinationName = names[i]?.name ?? found.name;
    // Of the job's own names alone: a table may be called `constructor`.
    const wishes = Object.hasOwn(job.tables, found.name) ? (job.tables[found.name] ?? {}) : {};
    const columns = columnsOf(found, wishes.treat, known.profile.get(found.name));
    // What nobody can guess has the schema's defaults.
    return Table.parse({
      sourceName: found.name,
      destinationName,
      primaryKey,
      updatedKey,
      copyMode,
      columns,
      excluded: found.columns.flatMap(({ name: column }) =>
        columns.some(({ source }) => source === column) ? [] : [column],
      ),
      why,
      checks: [...checks, ...renamed({ sourceName: found.name, destinationName, columns })],
      notes: notesOn(columns),
      ...wishes,
    });
  });
}

/** What a person should check of a table that setup knows, as it is copied now; null where that has been said already. */
export function checksAnew(table: Table, found: SourceTable, known: Known): string[] | null {
  const checks = [...checksFor(found, table, known), ...renamed(table)];
  return isDeepStrictEqual(checks, table.checks) ? null : checks;
}

function renamed({ sourceName, destinationName, columns }: Pick<Table, 'sourceName' | 'destinationName' | 'columns'>) {
  const names = [{ source: sourceName, name: destinationName }, ...columns];
  return few(names.filter(isRenamed).map(toldOf));
}

const toldOf = ({ source, name }: FoldedName): string =>
  `${JSON.stringify(source)} is called ${JSON.stringify(name)} in the warehouse, which folds names to lower case: another ` +
  'has the plain name, or Redshift keeps it for itself';

/** What a person should know of the columns' types, columns of one note together. */
function notesOn(columns: Column[]): string[] {
  const byNote = Map.groupBy(columns, (column) => mappingOf(column).note ?? '');
  byNote.delete('');
  return [...byNote].map(([note, group]) => `${few(group.map(({ source }) => source)).join(', ')}: ${note}`);
}

/** An item holds 400 KB: of a table with hundreds of columns of a kind not each can be named. */
const MOST_NAMED = 50;
const few = (names: string[]): string[] =>
  names.length <= MOST_NAMED ? names : [...names.slice(0, MOST_NAMED), `and ${names.length - MOST_NAMED} more`];
