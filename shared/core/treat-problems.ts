import type { Problem } from '../model/problems.ts';
import type { Table } from '../model/table.ts';

/**
 * Why a table's masks and exclusions can't be had: they name columns that its copy mode needs as they are, or that are not
 * there. Nothing if they can.
 * @param columns names of the source's columns, all of them
 */
export function treatProblems(table: Table, columns: string[]): Problem[] {
  const { copyMode, primaryKey, updatedKey, treat = {} } = table;
  const keys = copyMode === 'FULL_DATA_SYNC' ? [] : [...primaryKey, ...(updatedKey === null ? [] : [updatedKey])];
  return Object.entries(treat).flatMap(([column, treatment]) => {
    const name = JSON.stringify(column);
    // A wrong name would leave in the clear what somebody wanted masked.
    if (!columns.includes(column))
      return [{ field: 'treat', message: `treat names ${name}, which the source doesn't have: correct the name` }];
    if (!keys.includes(column)) return [];
    const message = `the key column ${name} can't be treated as ${treatment}, since ${copyMode} tells rows apart by it: choose FULL_DATA_SYNC, or leave it as it is`;
    return [{ field: 'treat', message }];
  });
}
