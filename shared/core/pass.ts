import { isDeepStrictEqual } from 'node:util';
import type { Part } from '../model/catalog.ts';
import type { Column } from '../model/column.ts';
import { addChangedColumns, type ChangedColumns, countOfValues, sumOfColumns } from '../model/policies.ts';
import type { RunTable } from '../model/run.ts';
import type { Batch, Gap, Lease, Pass, Snapshot, StagedObject, TableState, Walk, Watermark } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import type { Skip } from '../sql/postgres.ts';
import { loadedBelow } from './already-loaded.ts';
import { BEGINNING, type Checkpoint, decideFence, type FenceReading } from './fence.ts';
import { stillOpen } from './gaps.ts';

/** What a pass is begun from: the fence is read before the snapshot is taken (RULES 1). */
export interface Observation {
  reading: FenceReading;
  snapshot: Snapshot;
  checkpoints: Checkpoint[];
  oid: number;
  /** The tables below it that hold its rows. */
  parts: Part[];
  /** Whether the source enforces that the table's key is unique. */
  unique: boolean;
  /** Whether the whole pass is read by one snapshot. */
  oneSnapshot: boolean;
  /** How the values are treated: `treatmentDigest`. */
  treatment: string;
}

/** The columns that tell a table's rows apart and say what is new. */
export const keysOf = (table: Table): string[] => [table.updatedKey ?? '', ...table.primaryKey];

/** A watermark by another mode or other keys, or of a table that was made anew, says nothing of this one. */
export const means = ({ mode, oid, keys }: Watermark, table: Table, tableOid: number): boolean =>
  mode === table.copyMode && oid === tableOid && isDeepStrictEqual(keys, keysOf(table));

export const usableWatermark = (table: Table, state: TableState, oid: number): Watermark | null =>
  state.watermark && means(state.watermark, table, oid) ? state.watermark : null;

/**
 * Begins a pass: what will be the watermark is fixed now, by the fence and snapshot that come before the first row is
 * read, and is stored only when the whole pass is committed (RULES 7).
 */
export function beginPass(table: Table, state: TableState, observation: Observation): Pass {
  const { reading, snapshot, checkpoints, oid, parts, unique, oneSnapshot, treatment } = observation;
  const previous = usableWatermark(table, state, oid);
  const next: Watermark = {
    mode: table.copyMode,
    oid,
    keys: keysOf(table),
    key: previous?.key ?? null,
    taken: reading.now,
    fence: decideFence(reading, previous?.fence ?? null, checkpoints, snapshot.xmin),
    snapshot,
    ...(parts.length > 0 ? { parts: parts.map((part) => part.oid) } : {}),
    ...(table.copyMode === 'FULL_DATA_SYNC' ? { treatment } : {}),
  };
  const walk = walkOf(table, previous);
  return {
    walk,
    fresh: state.watermark === undefined,
    distinct: unique && (oneSnapshot || walk !== 'updated'),
    replaces: replacesOf(table, state, previous, oid),
    next,
    from: previous ? startOf(table, previous, parts) : null,
    cursor: null,
    batches: 0,
    staged: 0,
  };
}

function walkOf(table: Table, previous: Watermark | null): Walk {
  if (table.copyMode === 'FULL_DATA_SYNC') return 'whole';
  return table.copyMode === 'INSERT_AND_UPDATE' && previous ? 'updated' : 'key';
}

function startOf(table: Table, previous: Watermark, parts: Part[]): string | null {
  if (table.copyMode === 'INSERT_ONLY') return previous.key;
  return attached(previous, parts).some((part) => !part.empty) ? BEGINNING : previous.fence;
}

/**
 * Partitions and inheritors that the watermark's pass did not read. Their rows were written by transactions of any age and
 * may have any updated key, so none of them counts as loaded, and where there may be some the walk starts over.
 */
const attached = ({ parts = [] }: Watermark, now: Part[]): Part[] => now.filter(({ oid }) => !parts.includes(oid));

/** Whether a pass has to look at all of a table's index, for which a question to the source may take too long. */
export const walksAll = (pass: Pass): boolean => pass.walk === 'updated' && pass.from === BEGINNING;

/** A full sync replaces all, as does what comes of a table that was made anew; the others what a reset asked for. */
function replacesOf(table: Table, state: TableState, previous: Watermark | null, oid: number): Pass['replaces'] {
  const anew = state.watermark !== undefined && state.watermark.oid !== oid;
  if (table.copyMode === 'FULL_DATA_SYNC' || anew) return 'all';
  if (state.replaces !== 'beyond') return state.replaces ?? null;
  // Without a watermark that means this table there is no beyond.
  const beyond = table.copyMode === 'INSERT_ONLY' ? previous?.key : previous?.fence;
  return beyond ? { beyond } : 'all';
}

/** A pass that stopped half-way goes on where its last batch was committed, if it still means the same rows. */
export const resumable = (table: Table, state: TableState, oid: number): Pass | null =>
  state.pass && state.pass.batches > 0 && means(state.pass.next, table, oid) && !mayHoldUnknownRows(state)
    ? state.pass
    : null;

/**
 * Whether the stage of a pass that replaces may hold rows of a load that ended without a result, or be gone with it: it
 * has to be filled from the beginning.
 */
const mayHoldUnknownRows = ({ pass, lease }: TableState): boolean =>
  (pass?.replaces ?? null) !== null && lease?.load !== undefined;

/** The gaps that may still fill, those whose days are over, and the rows below the watermark's snapshot that need no second load. */
export function reread(
  table: Table,
  state: TableState,
  pass: Pass,
  { now, parts, gapDays }: { now: Snapshot; parts: Part[]; gapDays: number },
): { gaps: Gap[]; closed: Gap[]; skip: Skip | null } {
  const previous = usableWatermark(table, state, pass.next.oid);
  const { open = [], closed = [] } = Object.groupBy(previous?.gaps ?? [], (gap) =>
    stillOpen(gap, pass.next.fence, gapDays) ? 'open' : 'closed',
  );
  return {
    gaps: open,
    closed,
    skip: previous && {
      below: loadedBelow(previous, now, pass.next.oid),
      now,
      except: attached(previous, parts).map((part) => part.oid),
    },
  };
}

/** Seconds until a lease is free for others even if its owner was never seen to die. */
const LEASE_SECONDS = 20 * 60;

export const leaseFor = (owner: string, now: Date, load?: string): Lease => ({
  owner,
  until: Math.floor(now.getTime() / 1000) + LEASE_SECONDS,
  ...(load === undefined ? {} : { load }),
});

/** A lease is renewed when less than this remains of it: no step works for longer. */
const RENEW_BELOW_SECONDS = 15 * 60;

/** The state with its owner's lease renewed; null where enough remains of it, or it is somebody else's. */
export function renewLease(state: TableState, owner: string, now: Date): TableState | null {
  const { lease } = state;
  if (lease?.owner !== owner || lease.until - now.getTime() / 1000 >= RENEW_BELOW_SECONDS) return null;
  return { ...state, lease: leaseFor(owner, now, lease.load) };
}

/** Whether `me` may work on the table now. */
export const isFree = (state: TableState, me: string, now: Date): boolean =>
  !state.lease || state.lease.owner === me || state.lease.until <= now.getTime() / 1000;

/** Takes the table over; the statements of an owner that died are remembered until they are settled (RULES 14). */
export function takeLease(state: TableState, lease: Lease): TableState {
  // While an orphan is there its heir has submitted nothing: it settles before.
  const orphan = state.orphan ?? (state.lease?.owner === lease.owner ? undefined : state.lease?.load);
  return { ...state, lease, ...(orphan === undefined ? {} : { orphan }) };
}

const sum = (objects: StagedObject[], of: (object: StagedObject) => number): number =>
  objects.reduce((total, object) => total + of(object), 0);
export const rowsIn = (batch: Batch): number => sum(batch.objects, (object) => object.rows);
export const changedIn = (batch: Batch): ChangedColumns | undefined =>
  addChangedColumns(batch.objects.map((object) => object.changed));
export const bytesIn = (batch: Batch): number => sum(batch.objects, (object) => object.bytes);

/** The pass once a batch of it is committed. */
const advanced = (pass: Pass, batch: Batch): Pass => ({
  ...pass,
  cursor: batch.cursor,
  batches: pass.batches + 1,
  staged: pass.staged + rowsIn(batch),
});

/** The pass as it will stand once the batch that is being loaded is committed; null where no further batch can follow. */
export const passAhead = (table: Table, { pass, batch }: TableState, oid: number): Pass | null =>
  pass && batch && !batch.last && means(pass.next, table, oid) ? advanced(pass, batch) : null;

/** The batch that a pass has at this place: the one that is being loaded, or the one ahead of it. */
export const batchAt = ({ pass, batch, ahead }: TableState, batches: number): Batch | undefined =>
  pass && batches === pass.batches + 1 ? ahead : pass?.batches === batches ? batch : undefined;

/** The state with what extract found out about the batch at this place; null where there is none. */
export function withBatchAt(state: TableState, batches: number, change: Partial<Batch>): TableState | null {
  const batch = batchAt(state, batches);
  if (!batch) return null;
  return { ...state, [batch === state.ahead ? 'ahead' : 'batch']: { ...batch, ...change } };
}

/** A wide table of which all columns are changed must not make a run's record too large to be stored. */
const MOST_COLUMNS_TOLD = 50;

/** By name what a batch counts by place; of very many columns those that had the most. */
function named(changed: ChangedColumns | undefined, columns: Pick<Column, 'source'>[]): ChangedColumns | undefined {
  const entries = Object.entries(changed ?? {}).map(
    ([place, counts]) => [columns[Number(place)]?.source ?? place, counts] as const,
  );
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function mostChanged(changed: ChangedColumns): ChangedColumns {
  const entries = Object.entries(changed);
  if (entries.length <= MOST_COLUMNS_TOLD) return changed;
  return Object.fromEntries(
    entries.toSorted(([, a], [, b]) => countOfValues(b) - countOfValues(a)).slice(0, MOST_COLUMNS_TOLD),
  );
}

/**
 * The state once the warehouse has committed its batch: the cursor moves, or the watermark where the pass is complete.
 * @param columns those that the batch has
 */
export function afterCommit(state: TableState, now: Date, columns: Pick<Column, 'source'>[] = []): TableState {
  const { pass, batch, ahead, lease, orphan: _settled, ...rest } = state;
  if (!pass || !batch) throw new Error(`${state.sourceName}: no batch is under way`);
  const at = now.toISOString();
  const changed = addChangedColumns([rest.run?.changed, named(changedIn(batch), columns)]);
  const run = rest.run && {
    ...rest.run,
    ...(changed ? { changed } : {}),
    rows: rest.run.rows + rowsIn(batch),
    bytes: rest.run.bytes + bytesIn(batch),
    ...(batch.last ? { finishedAt: at } : {}),
  };
  if (!batch.last) {
    const kept = lease && leaseFor(lease.owner, now);
    return { ...rest, run, lease: kept, pass: advanced(pass, batch), ...(ahead ? { batch: ahead } : {}) };
  }
  const {
    lastError: _error,
    behindSince: _behind,
    replaces: _replaced,
    staged: _dropped,
    halved: _smaller,
    ...clean
  } = rest;
  const whole = pass.next.mode === 'FULL_DATA_SYNC';
  const rows = whole ? { rows: pass.staged + rowsIn(batch) } : {};
  const snapshots = whole && pass.batches > 0 ? { snapshots: pass.batches + 1 } : {};
  return { ...clean, run: run && { ...run, ...snapshots }, watermark: { ...pass.next, ...rows }, completedAt: at };
}

/**
 * The state after a failure: the lease is given back and the batch forgotten. The pass goes on from its last committed
 * batch; one without any begins anew, with a new fence.
 */
export function afterFailure(state: TableState, error: string, now: Date): TableState {
  const { lease, batch: _batch, ahead: _ahead, pass, ...rest } = state;
  const at = now.toISOString();
  const orphan = state.orphan ?? lease?.load;
  const goesOn = pass && pass.batches > 0 && !mayHoldUnknownRows(state);
  return {
    ...rest,
    ...(goesOn ? { pass } : {}),
    ...(orphan === undefined ? {} : { orphan }),
    run: rest.run && { ...rest.run, finishedAt: at, error },
    behindSince: rest.behindSince ?? at,
    lastError: error,
  };
}

/**
 * The state after a comparison that held the table, and broke off: no load of it has failed. The statement of a mending may
 * still run: whoever takes the table next settles it.
 */
export function afterComparison(state: TableState): TableState {
  const { lease, ...rest } = state;
  const orphan = state.orphan ?? lease?.load;
  return { ...rest, ...(orphan === undefined ? {} : { orphan }) };
}

/** What a run did to a table; `error` where the run broke off before the table's state could tell. */
export function entryOf(state: TableState, runId: string, error: string | null): RunTable {
  const { run } = state;
  if (run?.runId !== runId) return { rows: 0, bytes: 0, seconds: 0, ...(error ? { error } : {}) };
  const seconds = run.finishedAt ? (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000 : 0;
  const { rows, bytes, changed, schemaChanges, unchanged, snapshots, gapsGivenUp, error: why } = run;
  return {
    rows,
    bytes,
    seconds,
    ...(changed ? { changed: sumOfColumns(changed), changedColumns: mostChanged(changed) } : {}),
    ...(schemaChanges ? { schemaChanges } : {}),
    ...(unchanged ? { unchanged } : {}),
    ...(snapshots ? { snapshots } : {}),
    ...(gapsGivenUp ? { gapsGivenUp } : {}),
    ...(why ? { error: why } : {}),
  };
}

/** The state once a full sync is spared: what held the table up is over, and nothing waits. */
export function afterSparing(state: TableState, runId: string, now: Date): TableState {
  const {
    pass: _pass,
    batch: _batch,
    ahead: _ahead,
    lease: _lease,
    lastError: _error,
    behindSince: _since,
    ...rest
  } = state;
  const at = now.toISOString();
  return { ...rest, run: { runId, rows: 0, bytes: 0, startedAt: at, finishedAt: at, unchanged: true } };
}

/** The state of a table whose warehouse side is made anew: everything is to be loaded again. */
export function withoutProgress(state: TableState): TableState {
  const { watermark: _mark, pass: _pass, batch: _batch, ahead: _ahead, completedAt: _at, ...rest } = state;
  return rest;
}
