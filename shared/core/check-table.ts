import type { SourceTable } from '../model/catalog.ts';
import { errors } from '../model/errors.ts';
import type { Table } from '../model/table.ts';
import { keyProblems } from './key-problems.ts';

/**
 * Refuses a table whose keys can't carry its copy mode, before a row is read.
 * @throws LoaderError BadConfiguration, ColumnsDiffer: names the table and what to do
 */
export function checkTable(table: Table, source: SourceTable): void {
  checkColumns(table, source);
  const [problem] = keyProblems(table, source.columns);
  if (problem) throw errors.badConfiguration(`${table.sourceName}: ${problem.message}`);
}

function checkColumns(table: Table, source: SourceTable): void {
  const agreed = new Map(table.columns.map((column) => [column.source, column.sourceType.declared]));
  const found = new Map(source.columns.map((column) => [column.name, column.type.declared]));
  const list = (names: string[]) => names.map((name) => JSON.stringify(name)).join(', ');
  const added = [...found.keys()].filter((name) => !agreed.has(name));
  const gone = [...agreed.keys()].filter((name) => !found.has(name));
  const changed = [...agreed.keys()].filter((name) => found.has(name) && found.get(name) !== agreed.get(name));
  const parts = [
    added.length > 0 && `the source has ${list(added)}, which the warehouse lacks`,
    gone.length > 0 && `the source no longer has ${list(gone)}`,
    ...changed.map((name) => `${JSON.stringify(name)} was ${agreed.get(name)} and is ${found.get(name)}`),
  ].filter((part) => part !== false);
  if (parts.length > 0)
    throw errors.columnsDiffer(
      `${table.sourceName}: ${parts.join('; ')} – run setup again, which adds new columns; for the others drop the ` +
        "warehouse's table and the table's item, then run setup",
    );
}

/** Whether the source itself keeps the table's key unique; a person may have named any columns. */
export function hasUniqueKey(table: Table, source: SourceTable): boolean {
  const key = new Set(table.primaryKey);
  return [source.primaryKey, ...source.uniqueKeys].some(
    (unique) => unique.length > 0 && unique.every((column) => key.has(column)),
  );
}
