import type { PgType } from '../model/catalog.ts';
import type { Problem } from '../model/problems.ts';
import type { Table } from '../model/table.ts';

const INTEGERS = new Set(['int2', 'int4', 'int8']);
const TIMESTAMPS = new Set(['timestamp', 'timestamptz']);

/** A column as far as keys are judged by it. */
export interface KeyColumn {
  name: string;
  type: PgType;
  /** Unknown where only the agreed columns are at hand: the source is asked at the next run. */
  nullable: boolean;
}

/** Why a table's keys can't carry its copy mode, by the fields that a person would correct: nothing if they can. */
export function keyProblems(
  { copyMode, primaryKey, updatedKey }: Pick<Table, 'copyMode' | 'primaryKey' | 'updatedKey'>,
  columns: KeyColumn[],
): Problem[] {
  if (copyMode === 'FULL_DATA_SYNC') return [];
  const known = new Map(columns.map((column) => [column.name, column]));
  const missing = (name: string): string =>
    `the key column ${JSON.stringify(name)} does not exist at the source: correct the table's keys`;
  if (primaryKey.length === 0) {
    const message = `has no primary key, which ${copyMode} needs to tell rows apart: name one, or choose FULL_DATA_SYNC`;
    return [{ field: 'primaryKey', message }];
  }
  const problems: Problem[] = [];
  for (const name of primaryKey) {
    const column = known.get(name);
    if (!column) problems.push({ field: 'primaryKey', message: missing(name) });
    else if (column.nullable)
      problems.push({
        field: 'primaryKey',
        message:
          `the key column ${JSON.stringify(name)} may be NULL, and a row without a key would be inserted again by every ` +
          'run: declare it NOT NULL, choose another key, or FULL_DATA_SYNC',
      });
  }
  if (copyMode === 'INSERT_ONLY') {
    const [key] = primaryKey.length === 1 ? primaryKey.map((name) => known.get(name)) : [];
    const message =
      'INSERT_ONLY needs a single integer key fed by a sequence: choose INSERT_AND_UPDATE or FULL_DATA_SYNC';
    if (problems.length === 0 && !INTEGERS.has(key?.type.name ?? '')) problems.push({ field: 'copyMode', message });
    return problems;
  }
  const updated = updatedKey === null ? undefined : known.get(updatedKey);
  const problem = updatedKeyProblem(updatedKey, updated, missing);
  return problem ? [...problems, { field: 'updatedKey', message: problem }] : problems;
}

function updatedKeyProblem(
  name: string | null,
  column: KeyColumn | undefined,
  missing: (name: string) => string,
): string | null {
  if (name === null) return 'INSERT_AND_UPDATE needs an updatedKey: name one, or choose FULL_DATA_SYNC';
  if (!column) return missing(name);
  if (TIMESTAMPS.has(column.type.name)) return null;
  return (
    `the updatedKey ${JSON.stringify(name)} is ${column.type.declared}, not a timestamp: ` +
    'name a column that is, or choose FULL_DATA_SYNC'
  );
}
