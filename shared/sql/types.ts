import type { PgType } from '../model/catalog.ts';
import type { TreatedColumn } from '../model/column.ts';
import type { Concern } from './concerns.ts';
import { masked } from './masks.ts';
import { binary, spatial } from './types-binary.ts';
import { jsonDocument, jsonOf, jsonText } from './types-json.ts';
import { decimal, float, integer, type NumericDigits, numeric } from './types-number.ts';
import { MAX_VARCHAR, padded, printed, varchar, withinBytes } from './types-text.ts';
import { boolean, date, time, timestamp, timestamptz } from './types-time.ts';

/**
 * How one Postgres type becomes a Redshift type: the only place that knows. `docs/types.md` is made from it.
 * The expressions expect the pinned session of RULES 13: DateStyle ISO, TimeZone UTC, one IntervalStyle,
 * extra_float_digits ≥ 1, bytea_output hex, standard_conforming_strings on, client_encoding UTF8.
 */
export interface Mapping {
  /** Redshift's type as DDL: `VARCHAR(80)`, `SUPER`, `DECIMAL(12,2)`. */
  type: string;
  /** Postgres: from a quoted column, the expression whose text COPY's CSV loads, but for concerns. NULL stays NULL. */
  select(column: string): string;
  /** Whether CSV must quote every value, so that '' and NULL can't meet. */
  forceQuote: boolean;
  /** 'text': sourceText and warehouseText give equal text. 'json', 'float': their results are compared by value in code. */
  compare: 'text' | 'json' | 'float';
  /** Postgres: canonical text of the value as it should have been loaded. NULL stays NULL. */
  sourceText(column: string): string;
  /** Redshift: the same text of the loaded value; for 'float' the bare column, so that its driver hands over a number. */
  warehouseText(column: string): string;
  /** What a person should know about this column. */
  note?: string;
  /** Which of its values the warehouse can't hold; for the first that applies a policy says what becomes of the value. */
  concerns: Concern[];
}

/** What profiling knows about a column that its type doesn't say. */
export interface MapOptions {
  /** For `numeric` without precision: the digits that its values need; absent or null keeps the exact text. */
  numericDigits?: NumericDigits | null;
}

/** pg_type.typlen and typmod of character types count a 4-byte header: varchar(20) has typmod 24. */
const TYPMOD_HEADER = 4;
/** Names and enum labels have at most 63 bytes (NAMEDATALEN); fourfold leaves room for servers built with more. */
const NAME_BYTES = 252;

const characters = (typmod: number): number =>
  typmod < TYPMOD_HEADER ? MAX_VARCHAR : withinBytes(4 * (typmod - TYPMOD_HEADER));

/** Types of pg_catalog whose own output is the value, by the most bytes it can take. */
const PRINTED_BYTES: Record<string, number> = {
  text: MAX_VARCHAR,
  xml: MAX_VARCHAR,
  tsvector: MAX_VARCHAR,
  tsquery: MAX_VARCHAR,
  jsonpath: MAX_VARCHAR,
  path: MAX_VARCHAR,
  polygon: MAX_VARCHAR,
  refcursor: MAX_VARCHAR,
  pg_snapshot: MAX_VARCHAR,
  txid_snapshot: MAX_VARCHAR,
  int2vector: MAX_VARCHAR,
  oidvector: MAX_VARCHAR,
  aclitem: MAX_VARCHAR,
  // The names of what their oid stands for, as \d would print them; they read back as long as that exists.
  regclass: MAX_VARCHAR,
  regcollation: MAX_VARCHAR,
  regconfig: MAX_VARCHAR,
  regdictionary: MAX_VARCHAR,
  regnamespace: MAX_VARCHAR,
  regoper: MAX_VARCHAR,
  regoperator: MAX_VARCHAR,
  regproc: MAX_VARCHAR,
  regprocedure: MAX_VARCHAR,
  regrole: MAX_VARCHAR,
  regtype: MAX_VARCHAR,
  // One byte; from 0x80 on it is printed as four characters, \200 (PostgreSQL 16; older servers print the raw byte).
  char: 4,
  name: NAME_BYTES,
  uuid: 36,
  macaddr: 17,
  macaddr8: 23,
  pg_lsn: 17,
  tid: 32,
  // A float8 prints in at most 24 bytes.
  point: 64,
  circle: 96,
  line: 96,
  lseg: 128,
  box: 128,
};

const builtIn = (type: PgType, options: MapOptions): Mapping => {
  switch (type.name) {
    case 'varchar':
      return varchar(characters(type.typmod));
    case 'bpchar':
      return padded(characters(type.typmod));
    case 'bit':
    case 'varbit':
      return varchar(type.typmod < 1 ? MAX_VARCHAR : withinBytes(type.typmod));
    case 'inet':
    case 'cidr':
      // 45 bytes for an IPv4-mapped IPv6 address, 4 for its mask. inet::text would add a /32 that its output leaves out.
      return printed(49);
    case 'int2':
      return integer('SMALLINT');
    case 'int4':
      return integer('INTEGER');
    case 'int8':
      return integer('BIGINT');
    case 'oid':
    case 'xid':
    case 'cid':
      return integer('BIGINT', 'unsigned 32-bit numbers need BIGINT');
    case 'xid8':
      return { ...integer('DECIMAL(20,0)'), note: 'unsigned 64-bit numbers need 20 digits' };
    case 'numeric':
      return numeric(type.typmod, options.numericDigits ?? null);
    case 'money':
      return decimal(19, 2, (column) => `${column}::numeric`);
    case 'float4':
      return float('REAL');
    case 'float8':
      return float('DOUBLE PRECISION');
    case 'bool':
      return boolean;
    case 'date':
      return date;
    case 'time':
      return time;
    case 'timestamp':
      return timestamp;
    case 'timestamptz':
      return timestamptz;
    case 'timetz':
      // 24 bytes, 23:59:59.999999+15:59:59. Redshift's TIMETZ keeps no offset (RULES 19).
      return varchar(32, 'kept as text, because TIMETZ would lose the offset');
    case 'interval':
      // The longest, -178956970 years -8 mons -2147483648 days -2562047788:00:54.775808, has 66 bytes; ISO 8601 is shorter.
      return varchar(96, "kept as text, because INTERVAL can't hold months and days together");
    case 'bytea':
      return binary;
    case 'json':
      return jsonDocument;
    case 'jsonb':
      return jsonText;
    default: {
      const bytes = PRINTED_BYTES[type.name];
      return bytes === undefined ? unknown(type) : varchar(bytes);
    }
  }
};

const unknown = (type: PgType): Mapping =>
  printed(
    MAX_VARCHAR,
    `${type.declared} has no counterpart in Redshift and is copied as the text that Postgres prints`,
  );

/** Types that extensions bring, found by name: their schema is the user's choice. */
const fromExtension = (type: PgType): Mapping => {
  switch (type.name) {
    case 'citext':
      return varchar(MAX_VARCHAR, 'Redshift compares it case-sensitively');
    case 'hstore':
      return jsonOf('an object whose values are strings or null');
    case 'geometry':
      return spatial('GEOMETRY');
    case 'geography':
      return spatial('GEOGRAPHY');
    case 'vector':
    case 'halfvec':
    case 'sparsevec':
      return printed(MAX_VARCHAR, 'copied as text: [1,2,3]');
    default:
      return unknown(type);
  }
};

/**
 * Maps a Postgres type (domains already resolved) to Redshift. Never throws: what is unknown is copied as text, with a note.
 * @param options what profiling found out about the column's values
 */
export const mapType = (type: PgType, options: MapOptions = {}): Mapping => {
  switch (type.kind) {
    case 'enum':
      return varchar(NAME_BYTES);
    case 'range':
    case 'multirange':
      return varchar(MAX_VARCHAR, 'copied as text: [1,10)');
    case 'array':
      return jsonOf('an array; NaN and Infinity become strings, lower bounds other than 1 are lost');
    case 'composite':
      return jsonOf('an object');
    case 'base':
      return type.schema === 'pg_catalog' ? builtIn(type, options) : fromExtension(type);
  }
};

/** The mapping that gave a column its type: a DECIMAL that came from profiling stays what it is. */
export const mappingOf = ({ sourceType, type, mask }: Pick<TreatedColumn, 'sourceType' | 'type' | 'mask'>): Mapping => {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  const numericDigits = precision && scale ? { precision: Number(precision), scale: Number(scale) } : null;
  const mapping = mapType(sourceType, { numericDigits });
  return mask ? masked(mask, mapping) : mapping;
};
