import type { SourceTable } from '../model/catalog.ts';
import { errors } from '../model/errors.ts';
import type { Table } from '../model/table.ts';
import { keyProblems } from './key-problems.ts';

/**
 * Refuses a table whose keys can't carry its copy mode, before a row is read.
 * @throws LoaderError BadConfiguration: names the table and what to do
 */
export function checkTable(table: Table, source: SourceTable): void {
  const [problem] = keyProblems(table, source.columns);
  if (problem) throw errors.badConfiguration(`${table.sourceName}: ${problem.message}`);
}

/** Whether the source itself keeps the table's key unique; a person may have named any columns. */
export function hasUniqueKey(table: Table, source: SourceTable): boolean {
  const key = new Set(table.primaryKey);
  return [source.primaryKey, ...source.uniqueKeys].some(
    (unique) => unique.length > 0 && unique.every((column) => key.has(column)),
  );
}
