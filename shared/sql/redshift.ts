/**
 * What is said to the warehouse. Each function builds one statement as a value; a load is a list of them, run as one
 * BatchExecuteStatement, which is one transaction.
 */
import type { Column } from '../model/column.ts';
import type { Table } from '../model/table.ts';
import { treatmentOf } from '../model/wishes.ts';
import { qualified, quoteIdentifier, quoteLiteral, quotePlainLiteral } from './quote.ts';

const names = (columns: Pick<Column, 'name'>[], prefix = ''): string =>
  columns.map((column) => prefix + quoteIdentifier(column.name)).join(', ');

/** The warehouse's columns of the table's primary key, in its order. */
export const keyColumns = (table: Pick<Table, 'columns' | 'primaryKey'>): Column[] =>
  table.primaryKey.flatMap((key) => table.columns.filter((column) => column.source === key));

/** What is named of the table's columns, in the order of the names. */
const named = ({ columns }: Pick<Table, 'columns'>, sources: string[]): Column[] =>
  sources.flatMap((source) => columns.filter((column) => column.source === source));

/** As a person wishes, else by the updated key, else by an integer key. */
export const sortKey = (table: Table): Column[] =>
  table.sortKey
    ? named(table, table.sortKey)
    : [
        table.columns.find((column) => column.source === table.updatedKey) ??
          keyColumns(table).find((column) => /^(SMALLINT|INTEGER|BIGINT)$/.test(column.type)),
      ].filter((column) => column !== undefined);

const distribution = (table: Table): string => {
  const [key] = named(table, table.distKey === undefined ? [] : [table.distKey]);
  return key ? `DISTSTYLE KEY DISTKEY (${quoteIdentifier(key.name)})` : `DISTSTYLE ${table.distStyle ?? 'AUTO'}`;
};

/**
 * Only key columns are NOT NULL, unless a mask makes them NULL: Redshift has no DROP NOT NULL (RULES 18). No PRIMARY KEY is declared: it would forbid to
 * widen a VARCHAR key, and the planner would trust it unchecked.
 */
export function createTable(schema: string, table: Table): string {
  const keys = new Set(table.primaryKey.filter((key) => treatmentOf(table, key) !== 'null'));
  const columns = table.columns.map(
    (column) => `${quoteIdentifier(column.name)} ${column.type}${keys.has(column.source) ? ' NOT NULL' : ''}`,
  );
  const sort = sortKey(table);
  return (
    `CREATE TABLE IF NOT EXISTS ${qualified(schema, table.destinationName)} (${columns.join(', ')}) ${distribution(table)}` +
    (sort.length > 0 ? ` SORTKEY (${names(sort)})` : '')
  );
}

export const createTempStage = (stage: string, target: string): string => `CREATE TEMP TABLE ${stage} (LIKE ${target})`;

export const dropTable = (name: string): string => `DROP TABLE IF EXISTS ${name}`;

/** Where COPY finds a batch: one object by its key, several through their manifest. */
export interface CopySource {
  url: string;
  manifest: boolean;
  roleArn: string;
  nullMarker: string;
}

/**
 * Statistics and compression are left alone: on a stage they would cost more than the load. Decimals beyond a column's
 * scale are rounded as Postgres rounds, not cut off.
 */
export const copyInto = (stage: string, columns: Pick<Column, 'name'>[], source: CopySource): string =>
  [
    `COPY ${stage} (${names(columns)})`,
    `FROM ${quotePlainLiteral(source.url)}`,
    `IAM_ROLE ${quotePlainLiteral(source.roleArn)}`,
    `FORMAT AS CSV NULL AS ${quotePlainLiteral(source.nullMarker)}`,
    `ZSTD${source.manifest ? ' MANIFEST' : ''}`,
    "TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF",
  ].join(' ');

/** Rows that must be there: `from` is a table, with or without a WHERE. */
export interface Counted {
  from: string;
  rows: number;
}

/**
 * Fails the transaction, by a division by zero, unless every table holds exactly the rows that were extracted: nothing is
 * committed on a miscount.
 */
export const guardCounts = (counted: Counted[]): string => {
  const conditions = counted.map(({ from, rows }) => `(SELECT COUNT(*) FROM ${from}) = ${rows}`);
  return `SELECT 1 / CASE WHEN ${conditions.join(' AND ')} THEN 1 ELSE 0 END`;
};

/** Fails the transaction, by a division by zero, unless the stage has at least this share of the rows that it is to replace. */
export const guardShare = (stage: string, target: string, share: number): string =>
  `SELECT 1 / CASE WHEN (SELECT COUNT(*) FROM ${stage}) >= ${share} * (SELECT COUNT(*) FROM ${target}) THEN 1 ELSE 0 END AS share_kept`;

export const isShareGuard = (sql: string): boolean => sql.endsWith(' AS share_kept');

export const countOf = (target: string): string => `SELECT COUNT(*) FROM ${target}`;

/** A name for a row's number that none of the table's columns has. */
function numberOf({ columns, dropped }: Pick<Table, 'columns' | 'dropped'>): string {
  const taken = new Set([...columns, ...dropped].map(({ name }) => name));
  let name = 'nth';
  while (taken.has(name)) name = `${name}_`;
  return name;
}

/** The stage with one row a key, the newest: chunks with different snapshots may bring a row twice (RULES 11). */
export function deduplicate(stage: string, into: string, table: Table): string {
  const updated = table.columns.find((column) => column.source === table.updatedKey);
  const keys = names(keyColumns(table));
  const order = updated ? `${quoteIdentifier(updated.name)} DESC NULLS LAST` : keys;
  const columns = names(table.columns);
  const nth = numberOf(table);
  return (
    `CREATE TEMP TABLE ${into} AS SELECT ${columns} FROM (SELECT *, ` +
    `ROW_NUMBER() OVER (PARTITION BY ${keys} ORDER BY ${order}) AS ${nth} FROM ${stage}) AS numbered WHERE ${nth} = 1`
  );
}

const sameKey = (left: string, right: string, table: Table): string =>
  keyColumns(table)
    .map(({ name }) => `${left}.${quoteIdentifier(name)} = ${right}.${quoteIdentifier(name)}`)
    .join(' AND ');

/**
 * Inserts new rows and updates known ones. A column that the source dropped is NULL in both, so that a row doesn't depend on
 * how it was loaded. A table that is all key has nothing to update but itself. The condition names
 * the target without its schema, as the manual's examples do.
 */
export function merge(schema: string, table: Table, stage: string): string {
  const target = qualified(schema, table.destinationName);
  const keys = new Set(table.primaryKey);
  const rest = table.columns.filter((column) => !keys.has(column.source));
  const set = [
    ...(rest.length > 0 ? rest : keyColumns(table)).map(
      ({ name }) => `${quoteIdentifier(name)} = ${stage}.${quoteIdentifier(name)}`,
    ),
    ...table.dropped.map(({ name }) => `${quoteIdentifier(name)} = NULL`),
  ].join(', ');
  return (
    `MERGE INTO ${target} USING ${stage} ON ${sameKey(quoteIdentifier(table.destinationName), stage, table)} ` +
    `WHEN MATCHED THEN UPDATE SET ${set} ` +
    `WHEN NOT MATCHED THEN INSERT (${names(table.columns)}) VALUES (${names(table.columns, `${stage}.`)})`
  );
}

/** A statement of the Data API may have 200 KB (100 KB until 2023, and DescribeStatement repeats it). */
export const MAX_STATEMENT_BYTES = 200_000;

/** What a merge does, for a table so wide that one statement could not name its columns as often as MERGE has to. */
export const deleteAndInsert = (schema: string, table: Table, stage: string): string[] => {
  const target = qualified(schema, table.destinationName);
  const same = sameKey(quoteIdentifier(table.destinationName), stage, table);
  return [`DELETE FROM ${target} USING ${stage} WHERE ${same}`, insertAll(schema, table, stage)];
};

/** Inserts the rows whose key the warehouse lacks: never a blind append, so that a batch may be done again. */
export function insertMissing(schema: string, table: Table, stage: string): string {
  const target = qualified(schema, table.destinationName);
  const keys = names(keyColumns(table));
  const columns = names(table.columns);
  const nth = numberOf(table);
  return (
    `INSERT INTO ${target} (${columns}) SELECT ${columns} FROM (SELECT *, ` +
    `ROW_NUMBER() OVER (PARTITION BY ${keys} ORDER BY ${keys}) AS ${nth} FROM ${stage}) AS s ` +
    `WHERE ${nth} = 1 AND NOT EXISTS (SELECT 1 FROM ${target} AS t WHERE ${sameKey('t', 's', table)})`
  );
}

/** The rows beyond a cursor of one integer key; null for all. */
export function cursorCondition(table: Table, cursor: (string | null)[] | null): string | null {
  const [key] = keyColumns(table);
  return cursor?.[0] && key ? `${quoteIdentifier(key.name)} > ${BigInt(cursor[0])}` : null;
}

/**
 * The rows beyond where a pass begins: above an id, or from a moment of the updated key on (ISO, UTC). No more than the
 * pass reads: `sinceFence` begins at the same moment at the latest.
 */
export function beyondCondition(table: Table, from: string): string {
  if (table.copyMode === 'INSERT_ONLY') return cursorCondition(table, [from]) ?? '';
  const column = table.columns.find(({ source }) => source === table.updatedKey);
  const moment = `TIMESTAMPTZ ${quoteLiteral(from)}`;
  const typed = column?.type === 'TIMESTAMP' ? `${moment} AT TIME ZONE ${quoteLiteral(table.timezone)}` : moment;
  return `${quoteIdentifier(column?.name ?? '')} >= ${typed}`;
}

/** Never TRUNCATE, which would commit: readers see the old rows until the new ones are there. */
export const deleteRows = (schema: string, table: Table, condition: string | null): string =>
  `DELETE FROM ${qualified(schema, table.destinationName)}${condition ? ` WHERE ${condition}` : ''}`;

export const insertAll = (schema: string, table: Table, stage: string): string =>
  `INSERT INTO ${qualified(schema, table.destinationName)} (${names(table.columns)}) SELECT ${names(table.columns)} FROM ${stage}`;

/** A row, if the table has any. */
export const anyRow = (schema: string, table: Table): string =>
  `SELECT 1 FROM ${qualified(schema, table.destinationName)} LIMIT 1`;
