import { isCopied, type PgType, type SourceTable } from '../model/catalog.ts';
import type { Compared } from '../model/compared.ts';
import type { Pass, TableState } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import type { Skip } from '../sql/postgres.ts';
import { type Agreed, shapeOf } from './agree.ts';

/** What a table that did not change since its last full sync still has: see `isUnchanged`. */
export interface Unwritten {
  rows: number;
  /** No row, and no description of its columns, was written by a transaction that ended since. */
  skip: Skip;
}

/**
 * What would prove that a full sync has nothing to bring; null where nothing could.
 *
 * @param compared what comparisons say of the warehouse's rows
 * @param treatment what `treatmentDigest` says of the table now
 */
export function whatWouldProve(
  { table, update }: Pick<Agreed, 'table' | 'update'>,
  state: TableState,
  found: SourceTable,
  pass: Pass,
  { skip, treatment, compared }: { skip: Skip | null; treatment: string; compared: Compared | undefined },
): Unwritten | null {
  if (update !== null || pass.batches > 0 || (compared && isDoubted(compared, state))) return null;
  return asLastSynced(table, state, found, { skip, treatment });
}

/**
 * What would prove that the source has what the table's last full sync brought; null where nothing could.
 *
 * The proof: (1) no row that the snapshot shows was written by a transaction which the last sync's snapshot had not seen as
 * ended (`loadedBelow`: exact, also for savepoints). So each of them was there then, and is not deleted: they are some of the
 * rows that were loaded. (2) There are as many as were loaded. So they are the very same. An update writes a row anew, a
 * DELETE or TRUNCATE leaves fewer, a rollback leaves all as it was, and VACUUM FULL moves rows without writing them. It
 * holds for a sync that took several snapshots, too: what was neither written nor deleted since the first was in all.
 *
 * What is no proof: pg_stat's counters of rows written and deleted, which a crash resets, which count rollbacks and come late.
 *
 * @param treatment what `treatmentDigest` says of the table now: other policies make other values of the same rows
 */
export function asLastSynced(
  table: Table,
  { watermark, orphan, lease, replaces }: TableState,
  found: SourceTable,
  { skip, treatment }: { skip: Skip | null; treatment: string },
): Unwritten | null {
  // A load that nobody saw the end of may have brought other rows since.
  const settled = orphan === undefined && lease?.load === undefined && replaces === undefined;
  if (table.copyMode !== 'FULL_DATA_SYNC' || !settled || !skip) return null;
  const sameTable = skip.below !== null && skip.except.length === 0 && isCopied(found);
  const sameColumns = table.shape === shapeOf(table) && found.columns.every(isTextItsOwn);
  if (!sameTable || !sameColumns || watermark?.treatment !== treatment || watermark.rows === undefined) return null;
  return { rows: watermark.rows, skip };
}

/**
 * Whether a comparison that ended since the last load saw other rows in the warehouse than were loaded: another load puts them right, also
 * those that a repair did not come to.
 */
function isDoubted({ verifyEnded = '', suspects, found }: Compared, { completedAt = '' }: TableState): boolean {
  const differs = suspects !== undefined || (found !== undefined && found.missing + found.extra + found.different > 0);
  return differs && verifyEnded > completedAt;
}

/** The text of these depends on the names of other objects, or on a setting. */
const NAMES_OTHERS = /^_?(reg\w+|aclitem|money)$/;

/**
 * Whether a value's text changes only with the value, or with an enum's labels, which are looked at. A composite's text changes
 * with its attributes, and an array or range of a user's own type with that type.
 */
const isTextItsOwn = ({ type }: { type: PgType }): boolean =>
  type.kind === 'enum' ||
  (!NAMES_OTHERS.test(type.name) &&
    (type.schema === 'pg_catalog' || (type.kind === 'base' && !type.name.startsWith('_'))));
