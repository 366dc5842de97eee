import type { SourceTable } from '../model/catalog.ts';
import { errors } from '../model/errors.ts';
import type { Table } from '../model/table.ts';

const INTEGERS = new Set(['int2', 'int4', 'int8']);
const TIMESTAMPS = new Set(['timestamp', 'timestamptz']);

/**
 * Refuses a table whose keys can't carry its copy mode, before a row is read.
 * @throws LoaderError BadConfiguration, ColumnsDiffer: names the table and what to do
 */
export function checkTable(table: Table, source: SourceTable): void {
  const name = table.sourceName;
  const fail = (message: string): never => {
    throw errors.badConfiguration(`${name}: ${message}`);
  };
  checkColumns(table, source);
  const column = (key: string) =>
    source.columns.find((one) => one.name === key) ??
    fail(`the key column ${JSON.stringify(key)} does not exist at the source: correct the table's keys`);

  if (table.copyMode === 'FULL_DATA_SYNC') return;
  if (table.primaryKey.length === 0)
    fail(`has no primary key, which ${table.copyMode} needs to tell rows apart: name one, or choose FULL_DATA_SYNC`);
  for (const key of table.primaryKey)
    if (column(key).nullable)
      fail(
        `the key column ${JSON.stringify(key)} may be NULL, and a row without a key would be inserted again by every ` +
          'run: declare it NOT NULL, choose another key, or FULL_DATA_SYNC',
      );
  if (table.copyMode === 'INSERT_ONLY') {
    const [key = ''] = table.primaryKey;
    if (table.primaryKey.length > 1 || !INTEGERS.has(column(key).type.name))
      fail('INSERT_ONLY needs a single integer key fed by a sequence: choose INSERT_AND_UPDATE or FULL_DATA_SYNC');
    return;
  }
  const updatedKey =
    table.updatedKey ?? fail('INSERT_AND_UPDATE needs an updatedKey: name one, or choose FULL_DATA_SYNC');
  if (!TIMESTAMPS.has(column(updatedKey).type.name))
    fail(
      `the updatedKey ${JSON.stringify(updatedKey)} is ${column(updatedKey).type.declared}, not a timestamp: ` +
        'name a column that is, or choose FULL_DATA_SYNC',
    );
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
