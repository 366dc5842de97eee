import type { Table } from '../model/table.ts';
import { qualified, quoteIdentifier } from '../sql/quote.ts';

/** A value that COPY refused, as SYS_LOAD_ERROR_DETAIL files it. */
export interface LoadError {
  message: string;
  file: string;
  line: string;
  /** The warehouse's column, its type, and how many bytes it takes. */
  column: string;
  type: string;
  length: string;
}

/** Where a refused value stands, and what to do about it. */
export function describeLoadError(error: LoadError, table: Table, sourceSchema: string, schema: string): string {
  const size = error.length === '' ? '' : `(${error.length})`;
  const where = `${error.message} – line ${error.line}, column ${error.column} ${error.type}${size} of ${error.file}`;
  const column = table.columns.find(({ name }) => name === error.column);
  if (!column || !/length exceeds/i.test(error.message)) return `${where}: correct the value at the source`;
  const name = qualified(sourceSchema, table.sourceName);
  const find = `find such rows by SELECT * FROM ${name} WHERE octet_length(${quoteIdentifier(column.source)}::text) > ${error.length}; and shorten them`;
  const [, agreed = '0'] = /^VARCHAR\((\d+)\)$/.exec(column.type) ?? [];
  if (Number(agreed) <= Number(error.length)) return `${where}: ${find}`;
  const widen = `ALTER TABLE ${qualified(schema, table.destinationName)} ALTER COLUMN ${quoteIdentifier(column.name)} TYPE ${column.type};`;
  return `${where}: widen the warehouse's column by ${widen} or ${find}`;
}
