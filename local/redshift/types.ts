import { createHash } from 'node:crypto';
import { DialectError, StandInLimit } from './dialect-error.ts';
import { quoteName } from './names.ts';
import type { Reader } from './reader.ts';

/** A Redshift column type and what stands for it in Postgres. */
export interface ColumnType {
  family: 'number' | 'varchar' | 'char' | 'super' | 'varbyte' | 'spatial' | 'datetime' | 'other';
  /** e.g. `character varying(256)` – written as the type of a Postgres column */
  postgres: string;
  /** bytes, for varchar, char and varbyte */
  length?: number;
  /** e.g. `decimal`, for error messages */
  name: string;
}

const MAX_VARCHAR = 65_535;
const MAX_CHAR = 4_096;
const MAX_VARBYTE = 16_777_216;
const DEFAULT_VARBYTE = 64_000;

const PLAIN: Record<string, [string, ColumnType['family']]> = {
  smallint: ['smallint', 'number'],
  int2: ['smallint', 'number'],
  integer: ['integer', 'number'],
  int: ['integer', 'number'],
  int4: ['integer', 'number'],
  bigint: ['bigint', 'number'],
  int8: ['bigint', 'number'],
  real: ['real', 'number'],
  float4: ['real', 'number'],
  float8: ['double precision', 'number'],
  boolean: ['boolean', 'other'],
  bool: ['boolean', 'other'],
  date: ['date', 'datetime'],
  timetz: ['time with time zone', 'other'],
  timestamptz: ['timestamp with time zone', 'datetime'],
  super: ['jsonb', 'super'],
  geometry: ['redshift.geometry', 'spatial'],
  geography: ['redshift.geography', 'spatial'],
};
/** "The maximum size of a GEOMETRY object is 1,048,447 bytes" (spatial-limitations.md). */
const MAX_SPATIAL = 1_048_447;
const NOT_HELD = ['hllsketch'];

/**
 * Reads a data type of DG "Data types" (c_Supported_data_types.md); nothing is written to the output.
 * @param column what to name in the error, as Redshift does: `Column "t.c" has unsupported type "jsonb".`
 */
export function readType(reader: Reader, column?: string): ColumnType {
  const token = reader.next();
  const word = token.value;
  if (token.kind !== 'word') throw unsupported(word, column);
  const plain = PLAIN[word];
  if (plain) return noArray(reader, { name: word, postgres: plain[0], family: plain[1] }, column);
  if (NOT_HELD.includes(word)) throw new StandInLimit(`type ${word.toUpperCase()}`);
  return noArray(reader, readParametrised(reader, word, column), column);
}

function readParametrised(reader: Reader, word: string, column: string | undefined): ColumnType {
  switch (word) {
    case 'decimal':
    case 'numeric':
      return decimal(reader);
    case 'float':
      return float(reader);
    case 'double':
      reader.expect('precision');
      return { name: 'double precision', family: 'number', postgres: 'double precision' };
    case 'varchar':
    case 'nvarchar':
      return varchar(lengthOf(reader, 256, MAX_VARCHAR, 'varchar'));
    case 'text':
      return varchar(256);
    case 'character':
    case 'nchar':
    case 'char':
      if (reader.skip('varying')) return varchar(lengthOf(reader, 256, MAX_VARCHAR, 'varchar'));
      return char(lengthOf(reader, 1, MAX_CHAR, 'bpchar'));
    case 'bpchar':
      return char(256);
    case 'varbyte':
    case 'varbinary':
    case 'binary': {
      if (word === 'binary') reader.expect('varying');
      const length = lengthOf(reader, DEFAULT_VARBYTE, MAX_VARBYTE, 'varbyte');
      return { name: 'varbyte', family: 'varbyte', postgres: 'bytea', length };
    }
    case 'time':
    case 'timestamp':
      return time(reader, word);
    case 'interval':
      return interval(reader);
    default:
      throw unsupported(word, column);
  }
}

/** The constraints that keep a Postgres column to what Redshift's column can hold, as `CONSTRAINT … CHECK (…)`. */
export function constraintsOf(column: string, type: ColumnType): string[] {
  const name = quoteName(column);
  const check = (kind: string, condition: string) => `CONSTRAINT ${constraintName(kind, column)} CHECK (${condition})`;
  if (type.family === 'varchar' || type.family === 'varbyte')
    return [check('bytes', `octet_length(${name}) <= ${type.length}`)];
  if (type.family === 'spatial') return [check('bytes', `octet_length(${name}::bytea) <= ${MAX_SPATIAL}`)];
  // "CHAR columns can only contain single-byte characters" (r_Character_types.md).
  if (type.family === 'char') return [check('bytes', `octet_length(${name}::text) = char_length(${name}::text)`)];
  if (type.family === 'super')
    return [check('super', `pg_column_size(${name}) <= 4000 OR redshift.super_fits(${name})`)];
  // 4713 BC – 294276 AD (r_Datetime_types.md); whether infinity can be stored is [U], so it is refused.
  if (type.family === 'datetime') {
    return [check('range', `isfinite(${name})${type.name === 'date' ? ` AND ${name} < '294277-01-01'` : ''}`)];
  }
  if (type.name === 'decimal') return [check('range', decimalRange(name, type))];
  return [];
}

/** "The maximum positive value of a DECIMAL(19,0) column is 9223372036854775807" (r_Numeric_types201.md): 8 bytes. */
function decimalRange(name: string, { postgres }: ColumnType): string {
  const scale = /\(19,(\d+)\)/.exec(postgres)?.[1];
  if (scale === undefined) return `${name} <> 'NaN'`;
  return `${name} BETWEEN -9223372036854775808e-${scale} AND 9223372036854775807e-${scale}`;
}

/** Postgres would cut a name at 63 bytes, and two long columns could meet there. */
export function constraintName(kind: string, column: string): string {
  const plain = `${kind}_${column}`;
  if (Buffer.byteLength(plain) <= 63) return quoteName(plain);
  return quoteName(`${kind}_${createHash('md5').update(column).digest('hex')}`);
}

function noArray(reader: Reader, type: ColumnType, column: string | undefined): ColumnType {
  if (reader.sees('[') || reader.sees('array')) throw unsupported(`${type.postgres}[]`, column);
  return type;
}

function unsupported(type: string, column: string | undefined): DialectError {
  if (column === undefined) return new DialectError(`type "${type}" does not exist`);
  return new DialectError(`Column "${column}" has unsupported type "${type}".`);
}

function varchar(length: number): ColumnType {
  return { name: 'varchar', family: 'varchar', postgres: `character varying(${length})`, length };
}

function char(length: number): ColumnType {
  return { name: 'char', family: 'char', postgres: `character(${length})`, length };
}

function lengthOf(reader: Reader, standard: number, most: number, type: string): number {
  if (!reader.skip('(')) return standard;
  const length = reader.skip('max') ? most : reader.integer();
  reader.expect(')');
  if (length < 1) throw new DialectError(`length for type ${type} must be at least 1`);
  if (length > most) throw new DialectError(`length for type ${type} cannot exceed ${most}`);
  return length;
}

function decimal(reader: Reader): ColumnType {
  let precision = 18;
  let scale = 0;
  if (reader.skip('(')) {
    precision = reader.integer();
    if (reader.skip(',')) scale = reader.integer();
    reader.expect(')');
  }
  if (precision < 1 || precision > 38)
    throw new DialectError(`DECIMAL precision ${precision} must be between 1 and 38`);
  if (scale > 37 || scale > precision) {
    throw new DialectError(`DECIMAL scale ${scale} must be between 0 and ${Math.min(precision, 37)}`);
  }
  return { name: 'decimal', family: 'number', postgres: `numeric(${precision},${scale})` };
}

function float(reader: Reader): ColumnType {
  let bits = 53;
  if (reader.skip('(')) {
    bits = reader.integer();
    reader.expect(')');
  }
  if (bits < 1 || bits > 53) throw new DialectError('precision for type float must be between 1 and 53 bits');
  return { name: 'float', family: 'number', postgres: bits <= 24 ? 'real' : 'double precision' };
}

function time(reader: Reader, word: 'time' | 'timestamp'): ColumnType {
  const family = word === 'time' ? 'other' : 'datetime';
  if (reader.sees('(')) throw reader.error();
  if (reader.skip('with time zone')) return { name: `${word}tz`, family, postgres: `${word} with time zone` };
  reader.skip('without time zone');
  return { name: word, family, postgres: `${word} without time zone` };
}

function interval(reader: Reader): ColumnType {
  if (reader.skip('year to month')) return { name: 'interval', family: 'other', postgres: 'interval year to month' };
  if (!reader.skip('day to second')) throw reader.error();
  if (reader.skip('(')) {
    reader.integer();
    reader.expect(')');
  }
  return { name: 'interval', family: 'other', postgres: 'interval day to second' };
}
