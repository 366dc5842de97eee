/**
 * What is said to the source. Each function builds one statement as a value; nothing here runs anything.
 * Values stand in the text as literals, because COPY takes no parameters.
 */
import type { SourceColumn } from '../model/catalog.ts';
import type { TreatedColumn } from '../model/column.ts';
import type { Gap, Snapshot } from '../model/state.ts';
import { qualified, quoteIdentifier, quoteLiteral } from './quote.ts';
import { mappingOf } from './types.ts';
import { loadedValue } from './values.ts';

/** A key as text, one entry a column, in the order of the walk. */
export type Key = (string | null)[];

/** The rows of one chunk. */
export type Range =
  | { kind: 'all' }
  /** after < key ≤ upTo, by the index's own order; null is open. */
  | { kind: 'keys'; after: Key | null; upTo: Key | null }
  /** Ids that were missing when last looked. */
  | { kind: 'gaps' }
  /** Up to an id, what partitions hold that an earlier pass did not read (`Skip.except`). */
  | { kind: 'attached'; upTo: Key }
  /** Rows whose updatedKey is NULL: no walk by that key meets them. */
  | { kind: 'unstamped' };

/** What a statement has to know of the table it reads. */
export interface Source {
  schema: string;
  name: string;
  /** The columns of the walk, in order. */
  keys: SourceColumn[];
  updatedKey: SourceColumn | null;
  /** The zone of an updatedKey without one. */
  timezone: string;
}

/** Skips the rows that an earlier pass loaded: see core/already-loaded.ts. */
export interface Skip {
  /** Rows below this transaction id are loaded; null skips nothing. */
  below: bigint | null;
  now: Snapshot;
  /** Partitions and inheritors, by oid, whose rows are read all the same. */
  except: number[];
}

/** Values look the same in every session that reads, whatever the role's or the database's settings (RULES 13). */
const PINNED = [
  "DateStyle = 'ISO, MDY'",
  "TimeZone = 'UTC'",
  "IntervalStyle = 'postgres'",
  'extra_float_digits = 1',
  "bytea_output = 'hex'",
  "client_encoding = 'UTF8'",
  "xmloption = 'content'",
  'search_path = pg_catalog',
  'row_security = off',
  'standard_conforming_strings = on',
];
export const PIN_SESSION = [...PINNED, 'default_transaction_read_only = on'].map((one) => `SET ${one}`).join('; ');
/** The same for one transaction: a pooler may run it in another session than the one that was pinned. */
export const PIN_TRANSACTION = PINNED.map((one) => `SET LOCAL ${one}`).join('; ');

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;
/** A timestamptz as ISO text in UTC with microseconds; the session's zone is pinned to UTC. */
export const isoTime = (expression: string): string => `to_char((${expression}) AT TIME ZONE 'UTC', ${ISO})`;

/** Another session can't rewrite the table under the snapshot; the lock comes before the snapshot's first SELECT (RULES 9). */
export const lockTable = (source: Pick<Source, 'schema' | 'name'>): string =>
  `LOCK TABLE ${qualified(source.schema, source.name)} IN ACCESS SHARE MODE`;

const typed = (value: string | null, column: SourceColumn): string =>
  value === null ? 'NULL' : `${quoteLiteral(value)}::${isExtended(column) ? 'text' : column.type.declared}`;

const row = (values: string[]): string => (values.length === 1 ? (values[0] ?? '') : `(${values.join(', ')})`);

/** Whether its operators are an extension's: the pinned search path hides them, and a comparison finds none, or text's instead. */
const isExtended = ({ type }: SourceColumn): boolean => type.kind === 'base' && type.schema !== 'pg_catalog';

/** The columns of a key as they are compared and put in order: by their text where their own operators are an extension's. */
const columnsOf = (columns: SourceColumn[]): string[] =>
  columns.map((column) => quoteIdentifier(column.name) + (isExtended(column) ? '::text COLLATE "C"' : ''));

/** `key > after AND key <= upTo` as row comparisons, which an index on the same columns answers. */
function between(source: Source, after: Key | null, upTo: Key | null): string[] {
  const bound = (operator: string, key: Key | null) =>
    key
      ? [
          `${row(columnsOf(source.keys))} ${operator} ${row(source.keys.map((column, i) => typed(key[i] ?? null, column)))}`,
        ]
      : [];
  return [...bound('>', after), ...bound('<=', upTo)];
}

/**
 * The lower end of a walk over the updated key, `seconds` below a fence, in the column's own type. A local clock that is
 * put back within the next hour will show times below the fence's: the walk starts an hour earlier then (RULES 5).
 */
export function sinceFence(source: Source, fence: string, seconds: number): string {
  const moment = `greatest(${quoteLiteral(fence)}::timestamptz - interval '${seconds} s', '0001-01-01 00:00:00+00')`;
  if (source.updatedKey?.type.name !== 'timestamp') return moment;
  const local = (time: string) => `(${time}) AT TIME ZONE ${quoteLiteral(source.timezone)}`;
  if (source.timezone === 'UTC') return local(moment);
  return `least(${local(moment)}, ${local(`${moment} + interval '1 h'`)} - interval '1 h')`;
}

/**
 * Rows written since: their transaction id, widened by the epoch, is not below `skip.below`. Both are measured as the
 * distance below the snapshot's xmax, modulo 2^32, which is all that a row's xmin tells.
 */
export function notLoaded(skip: Skip): string[] {
  if (skip.below === null) return [];
  const xmax = BigInt(skip.now.xmax);
  const wrap = 2n ** 32n;
  const since = `mod(${xmax % wrap} + ${wrap} - t.xmin::text::bigint, ${wrap}) <= ${xmax - skip.below}`;
  const [attached] = inParts(skip, 'IN');
  return [attached ? `(${since} OR ${attached})` : since];
}

const inParts = (skip: Skip | null, operator: 'IN' | 'NOT IN'): string[] =>
  skip && skip.except.length > 0 ? [`t.tableoid ${operator} (${skip.except.join(', ')})`] : [];

/** What a walk is restricted to besides its range: where it starts, and what it may skip. */
export interface Scope {
  /** For a walk over the updated key: the fence to start from and how far below it. */
  since: { fence: string; seconds: number } | null;
  skip: Skip | null;
  gaps: Gap[];
}

const fromWhere = (source: Source, conditions: string[], extra = ''): string =>
  `FROM ${qualified(source.schema, source.name)} t${extra}${conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''}`;

const gapValues = (gaps: Gap[]): string =>
  `(VALUES ${gaps.map((gap) => `(${BigInt(gap.from)}::bigint, ${BigInt(gap.to)}::bigint)`).join(', ')})`;

/** FROM and WHERE of one range: every reader of rows goes through it, so that probe, split and extract mean the same rows. */
export function rowsOf(source: Source, range: Range, scope: Scope): string {
  const skip = scope.skip ? notLoaded(scope.skip) : [];
  const since =
    scope.since && source.updatedKey
      ? [`${quoteIdentifier(source.updatedKey.name)} >= ${sinceFence(source, scope.since.fence, scope.since.seconds)}`]
      : [];
  switch (range.kind) {
    case 'all':
      return fromWhere(source, [...since, ...skip]);
    case 'keys': {
      // Beyond the highest id nothing is loaded, whatever its transaction: a partition may be attached with old rows in it.
      const known = scope.since ? skip : [];
      return fromWhere(source, [...since, ...between(source, range.after, range.upTo), ...known]);
    }
    case 'attached':
      return fromWhere(source, [...between(source, null, range.upTo), ...inParts(scope.skip, 'IN')]);
    case 'unstamped':
      return fromWhere(source, [`${quoteIdentifier(source.updatedKey?.name ?? '')} IS NULL`, ...skip]);
    case 'gaps': {
      if (scope.gaps.length === 0) return fromWhere(source, ['false']);
      const id = columnsOf(source.keys)[0];
      return fromWhere(
        source,
        [...skip, ...inParts(scope.skip, 'NOT IN')],
        ` JOIN ${gapValues(scope.gaps)} AS gap(low, high) ON t.${id} BETWEEN gap.low AND gap.high`,
      );
    }
  }
}

/** FROM and WHERE of the rows with these keys, as the source writes them. */
export const rowsWithKeys = (source: Source, keys: Key[]): string => {
  const values = keys.map((key) => row(source.keys.map((column, i) => typed(key[i] ?? null, column))));
  return fromWhere(source, [`${row(columnsOf(source.keys))} IN (${values.join(', ')})`]);
};

/** How many rows the ranges have, counted no further than `limit`. */
export const countRows = (source: Source, ranges: Range[], scope: Scope, limit: number): string => {
  const parts = ranges.map((range) => `SELECT 1 ${rowsOf(source, range, scope)}`);
  return `SELECT count(*)::int AS rows FROM (${parts.join(' UNION ALL ')} LIMIT ${limit}) s`;
};

/**
 * {rows, written: bigint text}: how many rows there are, and how many of them were written since. One walk over the table,
 * which formats no value: of a million rows in half a second, where hashing their text takes two and a half.
 */
export const countWritten = (source: Pick<Source, 'schema' | 'name'>, skip: Skip): string =>
  `SELECT count(*)::text AS rows, count(*) FILTER (WHERE ${notLoaded(skip).join(' AND ')})::text AS written ` +
  `FROM ${qualified(source.schema, source.name)} t`;

/**
 * {changed: boolean}: whether what else makes up the rows' text was written since: their columns' definitions (a default
 * that older rows show without being written) and the labels of enums; or whether rows lie where none of this is told,
 * on another server.
 */
export function describedAnew(oids: number[], skip: Skip): string {
  const written = notLoaded(skip).join(' AND ');
  const ours = `IN (${oids.join(', ')})`;
  return (
    `SELECT EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid ${ours} AND ${written}) ` +
    `OR EXISTS (SELECT FROM pg_attrdef t WHERE t.adrelid ${ours} AND ${written}) ` +
    `OR EXISTS (SELECT FROM pg_enum t WHERE ${written}) ` +
    `OR EXISTS (SELECT FROM pg_class c WHERE c.oid ${ours} AND c.relkind NOT IN ('r', 'p')) AS changed`
  );
}

/** Everything after a key, in the order of the walk and no further than a batch goes, for a cursor to move along. */
export const walkFrom = (source: Source, after: Key | null, scope: Scope, rowLimit: number): string =>
  `DECLARE walk NO SCROLL CURSOR FOR ${inOrder(source, after, scope, '')} LIMIT ${rowLimit}`;

/** The last key of all that come after a key. */
export const lastKey = (source: Source, after: Key | null, scope: Scope): string =>
  `${inOrder(source, after, scope, ' DESC')} LIMIT 1`;

function inOrder(source: Source, after: Key | null, scope: Scope, direction: string): string {
  const keys = columnsOf(source.keys);
  const order = keys.map((key) => key + direction).join(', ');
  return `SELECT ${keys.join(', ')} ${rowsOf(source, { kind: 'keys', after, upTo: null }, scope)} ORDER BY ${order}`;
}

const MAX_BIGINT = 9_223_372_036_854_775_807n;

/**
 * The ids that this snapshot does not show within the given ranges: rows of {seen, low, high: bigint text}, ascending.
 * The sentinel above each range closes it; above the highest id that there can be is none, nor any id missing below it.
 */
export function missingIds(source: Source, ranges: Gap[]): string {
  const id = columnsOf(source.keys)[0];
  const values = ranges.map(
    (range) => `(${BigInt(range.from)}::bigint, ${BigInt(range.to)}::bigint, ${quoteLiteral(range.seen)})`,
  );
  return (
    `SELECT seen, (before + 1)::text AS low, (id - 1)::text AS high FROM (VALUES ${values.join(', ')}) AS r(low, high, seen), ` +
    `LATERAL (SELECT id, lag(id, 1, r.low - 1) OVER (ORDER BY id) AS before FROM (` +
    `SELECT ${id}::bigint AS id FROM ${qualified(source.schema, source.name)} WHERE ${id} BETWEEN r.low AND r.high ` +
    `UNION ALL SELECT CASE WHEN r.high < ${MAX_BIGINT} THEN r.high + 1 END) ids) x WHERE id - before > 1 ORDER BY before`
  );
}

/** One row if a key among the ranges' rows ends in a blank, else none. */
export const keyEndingInBlank = (source: Source, key: SourceColumn, ranges: Range[], scope: Scope): string => {
  const parts = ranges.map(
    (range) => `SELECT t.${quoteIdentifier(key.name)}::text AS key ${rowsOf(source, range, scope)}`,
  );
  return `SELECT 1 FROM (${parts.join(' UNION ALL ')}) s WHERE key COLLATE "C" LIKE '% ' LIMIT 1`;
};

/** The lowest id: {min: bigint text | null}. */
export const lowestId = (source: Source): string =>
  `SELECT min(${columnsOf(source.keys)[0]})::text AS min ${fromWhere(source, [])}`;

/** The highest id: {max: bigint text | null}. */
export const highestId = (source: Source): string =>
  `SELECT max(${columnsOf(source.keys)[0]})::text AS max ${fromWhere(source, [])}`;

/**
 * `COPY (SELECT …) TO STDOUT` of one or more row sets (see `rowsOf`): the bytes that leave Postgres are final, every
 * transformation being SQL. Textual columns are always quoted, so that '' and NULL can't meet. What a policy changes or
 * refuses is counted in settings of the transaction (see `countersOf`).
 */
export function copyOut(columns: TreatedColumn[], rowSets: string[], nullMarker: string): string {
  const select = columns.map((column, i) => `${loadedValue(column, i)} AS c${i}`).join(', ');
  const rows = rowSets.map((rowSet) => `SELECT ${select} ${rowSet}`).join(' UNION ALL ');
  const quoted = columns.flatMap((column, i) => (mappingOf(column).forceQuote ? [`c${i}`] : []));
  const force = quoted.length > 0 ? `, FORCE_QUOTE (${quoted.join(', ')})` : '';
  return `COPY (${rows}) TO STDOUT WITH (FORMAT csv, NULL ${quoteLiteral(nullMarker)}${force})`;
}
