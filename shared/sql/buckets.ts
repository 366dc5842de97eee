/**
 * What both sides are asked so that rows which differ can be named: sums by bucket first, then the rows of the buckets
 * that differ. A row's bucket is the beginning of its key's hash, which both engines compute alike.
 */
import type { TreatedColumn } from '../model/column.ts';
import type { ComparisonEvent } from '../model/compared.ts';
import type { Watermark } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { type Dialect, kindOf, postgres, redshift, rowText, sumOf, type ValueKind } from './checksum.ts';
import { quoteIdentifier, quoteLiteral } from './quote.ts';
import { beyondCondition, keyColumns } from './redshift.ts';
import { mappingOf } from './types.ts';

export type Side = 'source' | 'warehouse';

/** Hexadecimal digits: 4,096 buckets. */
const BUCKET_DIGITS = 3;

/** Two tables to compare, or their keys alone. */
export interface Bucketed {
  source: { schema: string; name: string };
  warehouse: { schema: string; name: string };
  /** The columns of the key; empty where rows can't be told apart by one, and go by all that SQL can hash. */
  keys: TreatedColumn[];
  /** What is compared, the key included. */
  columns: TreatedColumn[];
}

const isText = (column: TreatedColumn): boolean => mappingOf(column).compare === 'text';

/**
 * @param without the source's names of columns that one side lacks
 * @param kind a reconcile, for deletes, asks which keys there are, whatever the rows hold
 */
export function bucketed(
  table: Table,
  columns: TreatedColumn[],
  schemas: Record<Side, string>,
  { kind, without }: Pick<ComparisonEvent, 'kind' | 'without'>,
): Bucketed {
  const keys = table.primaryKey.flatMap((key) => columns.filter((column) => column.source === key));
  const named = keys.length > 0 && keys.every((key) => isText(key) && isAlike(table, key)) ? keys : [];
  return {
    source: { schema: schemas.source, name: table.sourceName },
    warehouse: { schema: schemas.warehouse, name: table.destinationName },
    keys: named,
    columns:
      kind === 'reconcile' ? named : columns.filter((one) => isAlike(table, one) && !without.includes(one.source)),
  };
}

/** Of a column that came later, or is masked in another way than the rows were loaded by, older rows need not have the values. */
const isAlike = (table: Table, column: TreatedColumn): boolean => !column.partial && isTreatedAsAgreed(table, column);

/** Whether a column is masked now as it was when it was agreed. */
export const isTreatedAsAgreed = ({ columns }: Pick<Table, 'columns'>, { source, mask }: TreatedColumn): boolean =>
  columns.some((agreed) => agreed.source === source && agreed.mask === mask);

/** The columns whose values are compared in code, row by row: no sum by SQL covers them. */
export const valueKinds = ({ columns }: Bucketed): ValueKind[] =>
  columns.filter((column) => !isText(column)).map((column) => kindOf(column));

/**
 * Which rows count as loaded, in each side's words. Rows beyond the watermark would look different on a busy table; those
 * that moved there since the last pass still do, for which there is the second look.
 */
export function underWatermark(table: Table, watermark: Watermark): Record<Side, string | null> {
  if (table.copyMode === 'FULL_DATA_SYNC') return { source: null, warehouse: null };
  const from = table.copyMode === 'INSERT_ONLY' ? (watermark.key ?? '0') : watermark.fence;
  const condition = (name: (column: Table['columns'][number]) => string): string => {
    const named = { ...table, columns: table.columns.map((column) => ({ ...column, name: name(column) })) };
    const updated = named.columns.find(({ source }) => source === table.updatedKey);
    const loaded = `NOT (${beyondCondition(named, from)})`;
    const unstamped = updated && table.copyMode === 'INSERT_AND_UPDATE';
    return unstamped ? `(${quoteIdentifier(updated.name)} IS NULL OR ${loaded})` : loaded;
  };
  return { source: condition((column) => column.source), warehouse: condition((column) => column.name) };
}

const dialects: Record<Side, Dialect> = { source: postgres, warehouse: redshift };

/** Three digits of a hash. */
const bucketOf = (hash: string): string => `SUBSTRING(${hash}, 1, ${BUCKET_DIGITS})`;
const keyHash = (table: Bucketed, dialect: Dialect): string => dialect.md5(rowText(table.keys, dialect));
const rowHash = (table: Bucketed, dialect: Dialect): string =>
  dialect.md5(rowText(table.columns.filter(isText), dialect));

const where = (conditions: (string | null)[]): string => {
  const all = conditions.filter((condition) => condition !== null);
  return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`;
};

/** Rows of {bucket, count, sum of the hashes}, all as text, over the columns that SQL can hash. */
export function bucketSums(table: Bucketed, side: Side, scope: string | null): string {
  const dialect = dialects[side];
  const from = `FROM ${dialect.from(table)}${where([scope])}`;
  const rows =
    table.keys.length > 0
      ? `SELECT ${bucketOf(keyHash(table, dialect))} AS bucket, ${rowHash(table, dialect)} AS hash ${from}`
      : `SELECT ${bucketOf('hash')} AS bucket, hash FROM (SELECT ${rowHash(table, dialect)} AS hash ${from}) AS whole`;
  return (
    `SELECT bucket, CAST(COUNT(*) AS VARCHAR), CAST(${sumOf('hash', dialect)} AS VARCHAR) FROM (${rows}) AS hashed ` +
    'GROUP BY bucket'
  );
}

/**
 * The rows of some buckets: the bucket, the key's texts, at the source the key once more as it is written there, the hash of what SQL
 * can hash, then the values that are compared in code.
 * @param buckets null for all
 */
export function bucketRows(table: Bucketed, side: Side, buckets: string[] | null): string {
  const dialect = dialects[side];
  const hash = rowHash(table, dialect);
  const values = table.columns.filter((column) => !isText(column)).map((column) => dialect.text(column));
  const among = (bucket: string) => where([buckets && `${bucket} IN (${buckets.map(quoteLiteral).join(', ')})`]);
  if (table.keys.length === 0) {
    const list = [`${hash} AS hash`, ...values.map((value, i) => `${value} AS v${i}`)].join(', ');
    const names = ['hash', ...values.map((_, i) => `v${i}`)].join(', ');
    const bucket = bucketOf('hash');
    return `SELECT ${bucket}, ${names} FROM (SELECT ${list} FROM ${dialect.from(table)}) AS hashed${among(bucket)}`;
  }
  const bucket = bucketOf(keyHash(table, dialect));
  const keys = table.keys.map((column) => dialect.text(column));
  const written = side === 'source' ? table.keys.map((column) => `${quoteIdentifier(column.source)}::text`) : [];
  return `SELECT ${[bucket, ...keys, ...written, hash, ...values].join(', ')} FROM ${dialect.from(table)}${among(bucket)}`;
}

/** A row as either side answers `bucketRows`. */
export interface BucketRow {
  bucket: string;
  key: string[];
  /** The key as the source writes it; at the warehouse as `key`. */
  written: string[];
  hash: string;
  values: (string | null)[];
}

export function readBucketRow(table: Bucketed, side: Side, [bucket, ...row]: readonly (string | null)[]): BucketRow {
  const keys = table.keys.length;
  const texts = (from: number, to: number) => row.slice(from, to).map((text) => text ?? '');
  const start = side === 'source' ? 2 * keys : keys;
  return {
    bucket: bucket ?? '',
    key: texts(0, keys),
    written: texts(start - keys, start),
    hash: row[start] ?? '',
    values: row.slice(start + 1),
  };
}

/** The temporary table that holds keys as text. */
export const KEY_STAGE = 'loader_keys';
export const keyStageColumns = (table: Table): { name: string }[] =>
  keyColumns(table).map((_, i) => ({ name: `k${i}` }));

export const createKeyStage = (table: Table): string =>
  `CREATE TEMP TABLE ${KEY_STAGE} (${keyStageColumns(table)
    .map(({ name }) => `${quoteIdentifier(name)} VARCHAR(65535)`)
    .join(', ')})`;

/** Removes the rows whose keys are staged: each key by the very text that it was compared by, of which Redshift else ignores trailing blanks. */
export function deleteStagedKeys(target: string, table: Table): string {
  const same = keyColumns(table).map((column, i) => {
    const named = `${quoteIdentifier(table.destinationName)}.${quoteIdentifier(column.name)}`;
    return `${mappingOf(column).warehouseText(named)} || '.' = ${KEY_STAGE}.${quoteIdentifier(`k${i}`)} || '.'`;
  });
  return `DELETE FROM ${target} USING ${KEY_STAGE} WHERE ${same.join(' AND ')}`;
}
