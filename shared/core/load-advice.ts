import type { Column } from '../model/column.ts';
import { ValuePolicies } from '../model/policies.ts';
import type { Table } from '../model/table.ts';
import { qualified, quoteIdentifier } from '../sql/quote.ts';
import { mappingOf } from '../sql/types.ts';

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

/**
 * Where a refused value stands, and what to do about it. The warehouse doesn't show the value itself in the view that all of
 * its kinds have, so the file is kept.
 */
export function describeLoadError(error: LoadError, table: Table, sourceSchema: string, schema: string): string {
  const size = error.length === '' ? '' : `(${error.length})`;
  const where = `${error.message} – line ${error.line}, column ${error.column} ${error.type}${size} of ${error.file}`;
  const look = `S3 keeps the file for two days: aws s3 cp ${error.file} - | zstd -dc | sed -n ${error.line}p shows the row`;
  const column = table.columns.find(({ name }) => name === error.column);
  if (!column) return `${where}. ${look}; correct it at the source`;
  const advice = /length exceeds/i.test(error.message)
    ? tooLong(error, column, table, sourceSchema, schema)
    : /not-null/i.test(error.message)
      ? withoutKey(column, table, sourceSchema, schema)
      : otherwise(column);
  return `${where}: ${advice}. ${look}`;
}

function tooLong(error: LoadError, column: Column, table: Table, sourceSchema: string, schema: string): string {
  const name = qualified(sourceSchema, table.sourceName);
  const find = `find such rows by SELECT * FROM ${name} WHERE octet_length(${quoteIdentifier(column.source)}::text) > ${error.length}; and shorten them`;
  const [, agreed = '0'] = /^VARCHAR\((\d+)\)$/.exec(column.type) ?? [];
  if (Number(agreed) <= Number(error.length)) return find;
  const widen = `ALTER TABLE ${qualified(schema, table.destinationName)} ALTER COLUMN ${quoteIdentifier(column.name)} TYPE ${column.type};`;
  return `widen the warehouse's column by ${widen} or ${find}`;
}

/** Of a table's columns only keys are NOT NULL in the warehouse, which can't be taken back (RULES 18). */
function withoutKey(column: Column, table: Table, sourceSchema: string, schema: string): string {
  const key = quoteIdentifier(column.source);
  return (
    `it is a column of the table's primaryKey: give such rows a value and run ALTER TABLE ${qualified(sourceSchema, table.sourceName)} ` +
    `ALTER COLUMN ${key} SET NOT NULL; at the source – or name another primaryKey, run DROP TABLE ${qualified(schema, table.destinationName)}; ` +
    'in the warehouse, and set the job up again'
  );
}

/** What the column's type lets a person choose, and what helps with every value. */
function otherwise(column: Column): string {
  const policies = new Set(mappingOf(column).concerns.map(({ policy }) => policy));
  const choices = [...policies].map(
    (policy) => `${policy}: ${ValuePolicies.shape[policy].options.filter((choice) => choice !== 'error').join(' or ')}`,
  );
  const choose = choices.length > 0 ? `choose the policy ${choices.join(', or ')}, ` : '';
  return `correct the value at the source, ${choose}or leave the column out by treat: {${JSON.stringify(column.source)}: "exclude"}`;
}

/** In the words of the warehouse, or of `Statement`. */
const isCancelled = (error: string): boolean => /\bcancelled\b/i.test(error);

const GRANTS_ADVICE = "see the deployment's outputs for the GRANTs that the warehouse needs";

/** Why a query had no answer, and what to do. */
export const describeQueryRefusal = (error: string): string =>
  `${error} – ${/permission denied/i.test(error) ? GRANTS_ADVICE : 'whatever asked does so again the next time'}`;

/** The warehouse's own words for a statement that it refused, and what to do about it. @param next what does it again */
export function describeRefusal(error: string, table: Table, schema: string, next = 'the next run'): string {
  const name = qualified(schema, table.destinationName);
  if (/division by zero|divide by zero/i.test(error))
    return `the stage holds another number of rows than were extracted, so nothing was committed: ${next} tries again`;
  if (/cannot drop distkey column/i.test(error))
    return (
      `${error} – the warehouse's keys are others than the table's settings say: name it as its distKey, or run ` +
      `ALTER TABLE ${name} ALTER DISTSTYLE EVEN;`
    );
  const [unused] = table.dropped;
  if (/at most 1,?600 columns/i.test(error) && unused)
    return (
      `${error} – the warehouse keeps ${table.dropped.length} that the source no longer has: drop one that nobody needs, ` +
      `ALTER TABLE ${name} DROP COLUMN ${quoteIdentifier(unused.name)};`
    );
  if (/does not exist/i.test(error))
    return `${error} – run setup, which makes again what ${name} lacks; then reset the table where its rows lack values`;
  if (isCancelled(error)) return `${error} – ${next} tries again`;
  return `${error} – ${GRANTS_ADVICE}, or re-create what it lacks`;
}
