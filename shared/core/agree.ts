import { createHash } from 'node:crypto';
import type { SourceTable } from '../model/catalog.ts';
import type { Column } from '../model/column.ts';
import { errors } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { TableState } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { checkTreatment } from './check-table.ts';
import { type ColumnChange, type Comparison, compareColumns, differs } from './column-changes.ts';
import { tooLarge } from './item-size.ts';
import { toReload } from './outcome.ts';
import { keysOf, usableWatermark } from './pass.ts';

/** What a table's load goes by, once the source's changes are agreed. */
export interface Agreed {
  table: Table;
  /** The state that the pass begins from: without its progress where the table is re-loaded. */
  state: TableState;
  /** What of the table's item is to be written once the table is leased; null where nothing changed. */
  update: Partial<Table> | null;
  /** For people, a sentence each. */
  changes: string[];
}

/** How many changes a table's item remembers. */
const KEPT_CHANGES = 20;

/**
 * Takes over what changed at the source, or says why that needs a person. Nothing is written, in the warehouse or here:
 * that waits for the next load, so that a change alone wakes nobody.
 *
 * @throws LoaderError BadConfiguration for masks that can't be had, or a table whose columns its item can't hold; ColumnsDiffer where a key went or a type changed beyond what the warehouse's column can take;
 *   SchemaChangePaused where the job wants to be asked
 */
export function agree(job: Job, table: Table, found: SourceTable, state: TableState, now: Date): Agreed {
  checkTreatment(table, found);
  const comparison = compareWith(table, found, state);
  const refused = whyRefused(table, comparison.changes, state);
  if (refused) throw errors.columnsDiffer(`${table.sourceName}: ${refused}`);
  const told = describeChanges(comparison.changes);
  if (job.schemaChanges === 'pause' && told.length > 0)
    throw errors.schemaChangePaused(
      `${table.sourceName}: ${told.join('; ')} – run setup to take this over, or set the job's schemaChanges to apply`,
    );
  const reloads = state.replaces === 'all';
  const fills = !reloads && (wantsFilling(job, table, comparison.columns) || lostItsKey(comparison, state));
  // What an earlier full sync has brought all rows of.
  const filled = table.copyMode === 'FULL_DATA_SYNC' && usableWatermark(table, state, found.oid) !== null;
  const columns = reloads || fills || filled ? comparison.columns.map(whole) : comparison.columns;
  const changes = fills ? [...told, 'the table is loaded again, so that older rows get their values'] : told;
  const update = updateOf(table, { ...comparison, columns }, changes, now);
  const large = update && tooLarge({ ...table, ...update });
  if (large) throw errors.badConfiguration(`${table.sourceName}: ${large}`);
  return {
    table: { ...table, ...update },
    state: fills ? toReload(state, true) : update ? withoutStaged(state) : state,
    update,
    changes,
  };
}

/** What setup takes over, since a person asked for it, and what it has to say. */
export function adopt(
  table: Table,
  found: SourceTable,
  state: TableState,
  now: Date,
): { update: Partial<Table> | null; told: string[] } {
  const comparison = compareWith(table, found, state);
  const refused = whyRefused(table, comparison.changes, state);
  if (refused) return { update: null, told: [refused] };
  const told = describeChanges(comparison.changes);
  const update = updateOf(table, comparison, told, now);
  const large = update && tooLarge({ ...table, ...update });
  return large ? { update: null, told: [large] } : { update, told };
}

function updateOf(table: Table, comparison: Comparison, told: string[], now: Date): Partial<Table> | null {
  if (!differs(table, comparison)) return null;
  const { columns, dropped, excluded } = comparison;
  const history = told.map((change) => ({ at: now.toISOString(), change }));
  return { columns, dropped, excluded, schemaHistory: [...table.schemaHistory, ...history].slice(-KEPT_CHANGES) };
}

/** The source's columns beside the agreed ones, as far as the table's state tells what they are. */
export function compareWith(table: Table, found: SourceTable, { watermark, pass, replaces }: TableState): Comparison {
  const oid = watermark?.oid ?? (pass && pass.batches > 0 ? pass.next.oid : undefined);
  const replaced = table.copyMode === 'FULL_DATA_SYNC' || replaces === 'all';
  return compareColumns(table, found, { sameTable: oid === found.oid, loaded: oid === found.oid && !replaced });
}

/** The columns in which both sides can be compared: others lack the values of rows that were loaded before. */
export const comparedColumns = ({ columns }: Pick<Table, 'columns'>): Column[] =>
  columns.filter((column) => !column.partial);

/** Tells one agreement from another: a file that was written by one must not be read by another. */
export const shapeOf = ({ columns }: Pick<Table, 'columns'>): string =>
  createHash('sha256')
    .update(JSON.stringify(columns.map(({ source, name, type }) => [source, name, type])))
    .digest('hex')
    .slice(0, 16);

/** Why a batch that was begun under another agreement can't go on. */
export const agreedAnew = ({ sourceName }: Pick<Table, 'sourceName'>): string =>
  `${sourceName}: its columns were agreed anew, or its key or policies edited, while rows were on their way – the next run goes on`;

/**
 * Refuses to read rows by an agreement that the source has left meanwhile. A column that came is read by the next pass,
 * to which its rows are new.
 * @throws LoaderError ColumnsDiffer
 */
export function refuseChanged(table: Table, found: SourceTable, state: TableState): void {
  const { changes } = compareWith(table, found, state);
  const serious = changes.filter(({ kind }) => kind !== 'added' && kind !== 'restated');
  if (serious.length > 0)
    throw errors.columnsDiffer(
      `${table.sourceName} changed while it was read: ${serious.map(describeChange).join('; ')} – the next run goes on`,
    );
}

/** A column that all rows have the values of. */
const whole = ({ partial: _partial, ...column }: Column): Column => column;

/** Whether older rows lack values that the table's setting wants them to have, or that tell rows apart. */
const wantsFilling = (job: Job, table: Table, columns: Column[]): boolean =>
  columns.some(
    ({ source, partial }) =>
      partial && ((table.newColumns ?? job.newColumns) === 'reload' || keysOf(table).includes(source)),
  );

/** Whether rows were told apart by a column that went: the warehouse's must hold a value, which new rows don't have. */
const lostItsKey = ({ dropped }: Comparison, { watermark, pass }: TableState): boolean =>
  dropped.some(({ source }) => (watermark ?? pass?.next)?.keys.includes(source));

/** A stage that is half full has the former columns: a pass that replaces begins anew. */
function withoutStaged(state: TableState): TableState {
  const { pass, ...rest } = state;
  return pass && pass.replaces !== null ? rest : state;
}

/** Why the changes need a person, and what to do; null where they don't. */
function whyRefused(table: Table, changes: ColumnChange[], state: TableState): string | null {
  const keys = [...table.primaryKey, ...(table.updatedKey === null ? [] : [table.updatedKey])];
  for (const change of changes) {
    if ((change.kind !== 'dropped' && change.kind !== 'renamed') || !keys.includes(change.column)) continue;
    const what =
      change.kind === 'renamed'
        ? `its key column ${quoted(change.column)} is called ${quoted(change.now)} now`
        : `the source no longer has its key column ${quoted(change.column)}`;
    return `${what} – correct the table's primaryKey and updatedKey, or bring the column back`;
  }
  const retyped = changes.filter(({ kind }) => kind === 'retyped');
  if (retyped.length === 0 || state.replaces === 'all') return null;
  return (
    `${retyped.map(describeChange).join('; ')} – re-load the table (npm run admin -- tables reset), which replaces the column ` +
    'and all rows in one transaction, or change it back'
  );
}

const quoted = (name: string): string => JSON.stringify(name);

/** Changes that are told one by one: those of a table with hundreds of new columns would not fit a run's record. */
const MOST_TOLD = 50;

function describeChanges(changes: ColumnChange[]): string[] {
  const told = changes.slice(0, MOST_TOLD).map(describeChange);
  const more = changes.length - told.length;
  return more > 0 ? [...told, `and ${more} more changes of its columns`] : told;
}

/** A change as people read it. */
export function describeChange(change: ColumnChange): string {
  const column = quoted(change.column);
  switch (change.kind) {
    case 'added':
      return `new column ${column} ${change.now}${change.partial ? LACKING : ''}`;
    case 'restated':
      return `${column} was ${change.was} and is ${change.now}, which its column in the warehouse holds as it is`;
    case 'widened':
      return `${column} was ${change.was} and is ${change.now}: its column in the warehouse is widened`;
    case 'dropped':
      return `the source no longer has ${column}: the warehouse keeps it, NULL in what is loaded from now on`;
    case 'renamed':
      return `${column} is called ${quoted(change.now)} now: the warehouse keeps both, ${column} NULL in what is loaded from now on`;
    case 'remade':
      return `${column} was dropped and made again as ${change.now}: rows loaded before keep what they had until they change`;
    case 'retyped':
      return `${column} was ${change.was} and is ${change.now}, which its column in the warehouse can't become`;
    case 'treated':
      return `${column} is ${change.now ? `masked by ${change.now}` : 'copied as it is'} from now on${change.partial ? KEEPING : ''}`;
  }
}

const LACKING = ': rows loaded before keep NULL in it until they change, unless newColumns is reload';
const KEEPING = ': rows loaded before keep what they had until they change, unless newColumns is reload';
