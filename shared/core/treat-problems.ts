import type { Problem } from '../model/problems.ts';
import type { Table } from '../model/table.ts';

const HASH_BYTES = 64;

/**
 * Why a table's masks and exclusions can't be had: they name columns that its copy mode needs as they are, or that the
 * warehouse has as another type. Nothing if they can.
 * @param columns names of the source's columns, all of them
 */
export function treatProblems(
  { copyMode, primaryKey, updatedKey, treat = {}, columns: agreed }: Table,
  columns: string[],
): Problem[] {
  const keys = copyMode === 'FULL_DATA_SYNC' ? [] : [...primaryKey, ...(updatedKey === null ? [] : [updatedKey])];
  return Object.entries(treat).flatMap(([column, treatment]) => {
    const message = problemOf(column, treatment);
    return message === null ? [] : [{ field: 'treat', message }];
  });

  function problemOf(column: string, treatment: string): string | null {
    const name = JSON.stringify(column);
    // A wrong name would leave in the clear what somebody wanted masked.
    if (!columns.includes(column)) return `treat names ${name}, which the source doesn't have: correct the name`;
    if (keys.includes(column))
      return `the key column ${name} can't be treated as ${treatment}, since ${copyMode} tells rows apart by it: choose FULL_DATA_SYNC, or leave it as it is`;
    if (treatment !== 'sha256') return null;
    const type = agreed.find(({ source }) => source === column)?.type ?? '';
    if (Number(/^VARCHAR\((\d+)\)$/.exec(type)?.[1] ?? 0) >= HASH_BYTES) return null;
    return `the hash of ${name} needs VARCHAR(${HASH_BYTES}), but its column in the warehouse is ${type}: drop the table there and its item, name the mask under the job's tables, and run setup`;
  }
}
