/** What the warehouse says of its own columns, and the statements that change them. */
import type { Column } from '../model/column.ts';
import type { Table } from '../model/table.ts';
import { qualified, quoteIdentifier, quoteLiteral } from './quote.ts';
import { sortKey } from './redshift.ts';

/** The columns of a schema's tables, or of one: rows for `describeColumn`. */
export const columnsIn = (schema: string, table?: string): string =>
  'SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable FROM svv_columns ' +
  `WHERE table_schema = ${quoteLiteral(schema)}${table === undefined ? '' : ` AND table_name = ${quoteLiteral(table)}`}`;

/** What svv_columns calls the types that `mapType` gives. */
const TYPES: Record<string, string> = {
  'character varying': 'VARCHAR',
  smallint: 'SMALLINT',
  integer: 'INTEGER',
  bigint: 'BIGINT',
  numeric: 'DECIMAL',
  real: 'REAL',
  'double precision': 'DOUBLE PRECISION',
  boolean: 'BOOLEAN',
  date: 'DATE',
  'time without time zone': 'TIME',
  'timestamp without time zone': 'TIMESTAMP',
  'timestamp with time zone': 'TIMESTAMPTZ',
  super: 'SUPER',
  'binary varying': 'VARBYTE',
  geometry: 'GEOMETRY',
  geography: 'GEOGRAPHY',
};

export interface WarehouseColumn {
  table: string;
  name: string;
  /** As DDL, VARCHAR and DECIMAL with their size; null where the catalog calls it by a name that is not known here. */
  type: string | null;
  nullable: boolean;
}

/** A row of `columnsIn`. */
export function describeColumn(row: (string | null)[]): WarehouseColumn {
  const [table, name, dataType, length, precision, scale, nullable] = row.map((value) => value ?? '');
  const base = TYPES[dataType ?? ''] ?? null;
  const size = base === 'VARCHAR' ? `(${length})` : base === 'DECIMAL' ? `(${precision},${scale})` : '';
  return { table: table ?? '', name: name ?? '', type: base && base + size, nullable: nullable !== 'NO' };
}

const alter = (schema: string, table: Table): string => `ALTER TABLE ${qualified(schema, table.destinationName)}`;

/** One column a statement: Redshift takes no more. */
export const addColumn = (schema: string, table: Table, column: Column): string =>
  `${alter(schema, table)} ADD COLUMN ${quoteIdentifier(column.name)} ${column.type}`;

/** For VARCHARs alone, and in no transaction with other statements. */
export const widenColumn = (schema: string, table: Table, column: Column): string =>
  `${alter(schema, table)} ALTER COLUMN ${quoteIdentifier(column.name)} TYPE ${column.type}`;

/** Gives a table that is there the sort and distribution key that its settings name. */
export function alterKeys(schema: string, table: Table): string[] {
  const [distKey] = table.columns.filter(({ source }) => source === table.distKey);
  const keys = sortKey(table);
  return [
    distKey
      ? `${alter(schema, table)} ALTER DISTKEY ${quoteIdentifier(distKey.name)}`
      : `${alter(schema, table)} ALTER DISTSTYLE ${table.distStyle ?? 'AUTO'}`,
    keys.length > 0
      ? `${alter(schema, table)} ALTER SORTKEY (${keys.map(({ name }) => quoteIdentifier(name)).join(', ')})`
      : `${alter(schema, table)} ALTER SORTKEY NONE`,
  ];
}

/**
 * Gives columns another type, and takes their values: for a table whose rows are replaced in the same transaction. A view
 * that shows one of them keeps it from being dropped, and so the transaction from being committed. A sort or
 * distribution key can't be dropped either; by which columns the table is sorted now, its settings need not tell any more.
 */
export function replaceColumns(schema: string, table: Table, columns: Column[]): string[] {
  if (columns.length === 0) return [];
  const keys = sortKey(table);
  const key = columns.find(({ source }) => source === table.distKey);
  return [
    `${alter(schema, table)} ALTER SORTKEY NONE`,
    ...(key ? [`${alter(schema, table)} ALTER DISTSTYLE EVEN`] : []),
    ...columns.flatMap((column) => [
      `${alter(schema, table)} DROP COLUMN ${quoteIdentifier(column.name)}`,
      addColumn(schema, table, column),
    ]),
    ...(key ? [`${alter(schema, table)} ALTER DISTKEY ${quoteIdentifier(key.name)}`] : []),
    ...(keys.length > 0
      ? [`${alter(schema, table)} ALTER SORTKEY (${keys.map(({ name }) => quoteIdentifier(name)).join(', ')})`]
      : []),
  ];
}
