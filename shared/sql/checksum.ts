import type { TreatedColumn } from '../model/column.ts';
import { qualified, quoteIdentifier } from './quote.ts';
import { MAX_STATEMENT_BYTES } from './redshift.ts';
import { type Mapping, mappingOf } from './types.ts';
import { comparedValue } from './values.ts';

/** A table as it stands on both sides, and which of its rows to compare. */
export interface ComparedTable {
  source: { schema: string; name: string };
  warehouse: { schema: string; name: string };
  columns: TreatedColumn[];
  /** Restricts both sides to the same rows: a condition for WHERE in each side's dialect. */
  where?: { source: string; warehouse: string };
}

/** How a value that SQL text can't settle is compared in code; `real` is a float of four bytes. */
export type ValueKind = 'json' | 'float' | 'real';

/** One side's SELECT and how to read its rows. */
export interface ChecksumQuery {
  sql: string;
  /**
   * `[]`: one row, `[count, sum of the row hashes]`. Otherwise one row for every row of the table, in any order:
   * `[hash of its text columns, ...values]`, each value of the kind named here.
   */
  values: ValueKind[];
}

/** Names of the columns at the source, by how they are compared. */
export interface Coverage {
  text: string[];
  json: string[];
  float: string[];
}

/** The SELECT for the source, in a session with RULES 13's pinned settings. */
export const sourceChecksum = (table: ComparedTable): ChecksumQuery => build(table, postgres);

/** The SELECT for the warehouse: nothing in it that Redshift's manual doesn't have. */
export const warehouseChecksum = (table: ComparedTable): ChecksumQuery => build(table, redshift);

/** Which column is compared how: all of them are compared. */
export function coverage(columns: TreatedColumn[]): Coverage {
  const named = (how: Mapping['compare']) =>
    columns.filter((column) => mappingOf(column).compare === how).map((column) => column.source);
  return { text: named('text'), json: named('json'), float: named('float') };
}

/** How one side's engine says what both compute. */
export interface Dialect {
  from(table: ComparedTable): string;
  where(table: ComparedTable): string | undefined;
  /** The column's canonical text, for 'json' and 'float' what code compares. */
  text(column: TreatedColumn): string;
  md5(text: string): string;
  /** The text, searched by its bytes: some collations can't be searched by. */
  bytewise(text: string): string;
  /** Of 15 hexadecimal digits, the number. */
  fromHex(digits: string): string;
}

export const postgres: Dialect = {
  from: ({ source }) => qualified(source.schema, source.name),
  where: ({ where }) => where?.source,
  text: comparedValue,
  // Redshift hashes UTF-8; Postgres would hash the bytes of the database's own encoding.
  md5: (text) => `MD5(convert_to(${text}, 'UTF8'))`,
  bytewise: (text) => `(${text}) COLLATE "C"`,
  fromHex: (digits) => `('x' || ${digits})::bit(60)::bigint`,
};

export const redshift: Dialect = {
  from: ({ warehouse }) => qualified(warehouse.schema, warehouse.name),
  where: ({ where }) => where?.warehouse,
  text: (column) => mappingOf(column).warehouseText(quoteIdentifier(column.name)),
  md5: (text) => `MD5(${text})`,
  bytewise: (text) => text,
  fromHex: (digits) => `STRTOL(${digits}, 16)`,
};

/**
 * 15 digits, because STRTOL's result is a signed 64-bit number. Their sum can't overflow DECIMAL(38,0) before 10²⁰ rows.
 * One part of the hash rather than several: an engine that evaluates MD5 anew for each took twice the time.
 */
export const sumOf = (hash: string, { fromHex }: Dialect): string =>
  `COALESCE(SUM(CAST(${fromHex(`SUBSTRING(${hash}, 1, 15)`)} AS DECIMAL(38,0))), 0)`;

function build(table: ComparedTable, dialect: Dialect): ChecksumQuery {
  const compared = table.columns.map((column) => ({ column, how: mappingOf(column).compare }));
  const inText = compared.filter(({ how }) => how === 'text').map(({ column }) => column);
  const inCode = compared.filter(({ how }) => how !== 'text').map(({ column }) => column);
  const hash = dialect.md5(rowText(inText, dialect));
  const list =
    inCode.length === 0 ? ['COUNT(*)', sumOf(hash, dialect)] : [hash, ...inCode.map((column) => dialect.text(column))];
  const where = dialect.where(table);
  return {
    sql: `SELECT ${list.join(', ')} FROM ${dialect.from(table)}${where === undefined ? '' : ` WHERE ${where}`}`,
    values: inCode.map(kindOf),
  };
}

/**
 * The row as one text that no other row shares: every value ends in `|;`, a long one in `|#` with its MD5 in its place,
 * NULL is `|~`, and a `|` within a value is doubled. Hashing each column for itself would do, too, at twice the time: that is
 * left to tables so wide that naming their columns three times would take the bytes that a statement may have.
 */
export function rowText(columns: TreatedColumn[], dialect: Dialect): string {
  if (columns.length === 0) return "''";
  const of = (write: typeof inPlace, one: Dialect) => columns.map(write(columns.length, one)).join(' || ');
  // Both sides must choose alike, so it is the warehouse's statement that is measured for either.
  return of(Buffer.byteLength(of(inPlace, redshift)) > WIDE_BYTES ? hashed : inPlace, dialect);
}

/** Half of what a statement may have: the rest is for keys, buckets, and what is compared in code. */
const WIDE_BYTES = MAX_STATEMENT_BYTES / 2;

const inPlace = (count: number, dialect: Dialect) => (column: TreatedColumn) => {
  const limit = inlineLimit(count);
  const text = dialect.text(column);
  if (PLAIN.test(column.type)) return `COALESCE(${text} || '|;', '|~')`;
  const inline = `REPLACE(${dialect.bytewise(text)}, '|', '||') || '|;'`;
  if (bytesOf(column.type) <= limit) return `COALESCE(${inline}, '|~')`;
  return `COALESCE(CASE WHEN LENGTH(${text}) <= ${limit} THEN ${inline} ELSE ${dialect.md5(text)} || '|#' END, '|~')`;
};

const hashed = (_count: number, dialect: Dialect) => (column: TreatedColumn) =>
  `COALESCE(${dialect.md5(dialect.text(column))}, '~')`;

/** Types whose text holds no `|`. */
const PLAIN = /^(SMALLINT|INTEGER|BIGINT|DECIMAL|BOOLEAN|DATE|TIME|TIMESTAMP|TIMESTAMPTZ)\b/;

const bytesOf = (type: string): number => Number(/^VARCHAR\((\d+)\)$/.exec(type)?.[1] ?? Number.POSITIVE_INFINITY);

/** Characters up to which a value stands in the row's text itself, so that a row stays within VARCHAR's 65,535 bytes. */
const inlineLimit = (columns: number): number => Math.min(128, Math.floor((65_535 / columns - 2) / 4));

export function kindOf(column: TreatedColumn): ValueKind {
  if (mappingOf(column).compare === 'json') return 'json';
  return column.type === 'REAL' ? 'real' : 'float';
}
