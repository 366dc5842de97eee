import type pg from 'pg';
import { DialectError } from './dialect-error.ts';

/** A value as the Data API writes it. */
export type Field =
  | { isNull: true }
  | { stringValue: string }
  | { longValue: number }
  | { doubleValue: number | 'NaN' | 'Infinity' | '-Infinity' }
  | { booleanValue: boolean };

export interface ColumnMetadata {
  name: string;
  label: string;
  typeName: string;
  length: number;
  precision: number;
  scale: number;
  nullable: number;
  isCaseSensitive: boolean;
  isCurrency: boolean;
  isSigned: boolean;
  schemaName: string;
  tableName: string;
  columnDefault: null;
}

export interface StatementResult {
  columns: ColumnMetadata[];
  records: Field[][];
  /** bytes of all values */
  size: number;
}

/** Limits of MG "Using the Amazon Redshift Data API": 64 KB a row, 500 MB a result. */
const ROW_LIMIT = 64 * 1024;
const RESULT_LIMIT = 500 * 1024 * 1024;
const PAGE_LIMIT = 1024 * 1024;

/** JSON has no number for these: AWS JSON writes them as strings, and clients read them back as numbers. */
function readDouble(text: string): Field {
  return { doubleValue: text === 'NaN' || text === 'Infinity' || text === '-Infinity' ? text : Number(text) };
}

const TYPES: Record<number, { name: string; read(text: string): Field }> = {
  16: { name: 'bool', read: (text) => ({ booleanValue: text === 't' }) },
  17: { name: 'varbyte', read: (text) => ({ stringValue: text.replace(/^\\x/, '') }) },
  20: { name: 'int8', read: (text) => ({ longValue: Number(text) }) },
  21: { name: 'int2', read: (text) => ({ longValue: Number(text) }) },
  23: { name: 'int4', read: (text) => ({ longValue: Number(text) }) },
  26: { name: 'oid', read: (text) => ({ longValue: Number(text) }) },
  700: { name: 'float4', read: readDouble },
  // SUPER is serialised without blanks between its tokens.
  3802: { name: 'super', read: (text) => ({ stringValue: text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1') }) },
  701: { name: 'float8', read: readDouble },
};
const NAMES: Record<number, string> = {
  25: 'varchar',
  705: 'varchar',
  1042: 'bpchar',
  1043: 'varchar',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  1186: 'interval',
  1266: 'timetz',
  1700: 'numeric',
};
const asString = (text: string): Field => ({ stringValue: text });

/**
 * @param result of a query in rowMode 'array' whose values are Postgres' own text
 * @throws DialectError beyond the Data API's limits
 */
export function toResult(result: pg.QueryArrayResult<(string | null)[]>): StatementResult {
  const readers = result.fields.map((field) => TYPES[field.dataTypeID]?.read ?? asString);
  let size = 0;
  const records = result.rows.map((row) => {
    let bytes = 0;
    const record = row.map((text, at): Field => {
      if (text === null) return { isNull: true };
      bytes += Buffer.byteLength(text);
      return (readers[at] ?? asString)(text);
    });
    if (bytes > ROW_LIMIT) throw new DialectError(`Row size exceeds the Data API's limit of ${ROW_LIMIT} bytes`);
    size += bytes;
    return record;
  });
  if (size > RESULT_LIMIT) throw new DialectError(`Result size exceeds the Data API's limit of ${RESULT_LIMIT} bytes`);
  return { columns: result.fields.map(metadata), records, size };
}

function metadata(field: pg.FieldDef): ColumnMetadata {
  const typeName = TYPES[field.dataTypeID]?.name ?? NAMES[field.dataTypeID] ?? 'varchar';
  const typmod = field.dataTypeModifier - 4;
  const numeric = typeName === 'numeric' && typmod >= 0;
  return {
    name: field.name,
    label: field.name,
    typeName,
    length: typeName === 'varchar' || typeName === 'bpchar' ? Math.max(typmod, 0) : Math.max(field.dataTypeSize, 0),
    precision: numeric ? typmod >> 16 : 0,
    scale: numeric ? typmod & 2047 : 0,
    nullable: 1,
    isCaseSensitive: typeName === 'varchar' || typeName === 'bpchar',
    isCurrency: false,
    isSigned: /^(int|float|numeric)/.test(typeName),
    schemaName: '',
    tableName: '',
    columnDefault: null,
  };
}

export interface Page {
  Records: Field[][];
  ColumnMetadata: ColumnMetadata[];
  TotalNumRows: number;
  NextToken?: string;
}

/** One page: at most 1 MB of JSON. The token is the first row of the next page. */
export function pageOf(result: StatementResult, token: string | undefined): Page {
  const start = token === undefined ? 0 : Number(Buffer.from(token, 'base64url').toString());
  let bytes = 0;
  let end = start;
  while (end < result.records.length) {
    bytes += Buffer.byteLength(JSON.stringify(result.records[end]));
    if (bytes > PAGE_LIMIT && end > start) break;
    end++;
  }
  const more = end < result.records.length;
  return {
    Records: result.records.slice(start, end),
    ColumnMetadata: result.columns,
    TotalNumRows: result.records.length,
    ...(more ? { NextToken: Buffer.from(String(end)).toString('base64url') } : {}),
  };
}
