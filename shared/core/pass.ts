import { isDeepStrictEqual } from 'node:util';
import type { Part } from '../model/catalog.ts';
import type { Batch, Gap, Pass, Snapshot, TableState, Walk, Watermark } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import type { Skip } from '../sql/postgres.ts';
import { loadedBelow } from './already-loaded.ts';
import { rowsIn } from './batch.ts';
import { BEGINNING, decideFence, earlier, type FenceReading, leastSince, type Remembered } from './fence.ts';
import { stillOpen } from './gaps.ts';

/** What a pass is begun from: the fence is read before the snapshot is taken (RULES 1). */
export interface Observation {
  reading: FenceReading;
  snapshot: Snapshot;
  /** What a blind fence goes by besides. */
  remembered: Remembered;
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

/** The zone by which the updated key is read; none where it has one of its own. An excluded key's type is not known: its zone may count. */
function zoneOf({ copyMode, updatedKey, columns, timezone }: Table): { zone?: string } {
  if (copyMode !== 'INSERT_AND_UPDATE') return {};
  const column = columns.find(({ source }) => source === updatedKey);
  return column && column.sourceType.name !== 'timestamp' ? {} : { zone: timezone };
}

/** A watermark by another mode, other keys or another zone, or of a table that was made anew, says nothing of this one. */
export const means = ({ mode, oid, keys, zone }: Watermark, table: Table, tableOid: number): boolean =>
  mode === table.copyMode && oid === tableOid && isDeepStrictEqual(keys, keysOf(table)) && zone === zoneOf(table).zone;

/** Whether a watermark tells which rows of a table are loaded, as one that was rewound does not; of one that is copied whole all are. */
export const covers = (watermark: Watermark, table: Table): boolean =>
  watermark.snapshot !== null && (table.copyMode === 'FULL_DATA_SYNC' || means(watermark, table, watermark.oid));

export const usableWatermark = (table: Table, state: TableState, oid: number): Watermark | null =>
  state.watermark && means(state.watermark, table, oid) ? state.watermark : null;

/**
 * Begins a pass: what will be the watermark is fixed now, by the fence and snapshot that come before the first row is
 * read, and is stored only when the whole pass is committed (RULES 7).
 */
export function beginPass(table: Table, state: TableState, observation: Observation): Pass {
  const { reading, snapshot, remembered, oid, parts, unique, oneSnapshot, treatment } = observation;
  const stored = usableWatermark(table, state, oid);
  const previous = stored && { ...stored, fence: fenceNow(stored, reading) };
  const next: Watermark = {
    mode: table.copyMode,
    oid,
    keys: keysOf(table),
    ...zoneOf(table),
    key: previous?.key ?? null,
    taken: reading.now,
    ownClock: reading.ownClock,
    fence: decideFence(reading, previous?.fence ?? null, remembered, snapshot.xmin),
    snapshot,
    ...(parts.length > 0 ? { parts: parts.map((part) => part.oid) } : {}),
    ...(table.copyMode === 'FULL_DATA_SYNC' ? { treatment } : {}),
  };
  const walk = walkOf(table, previous);
  return {
    walk,
    fresh: state.watermark === undefined && !state.guarded,
    distinct: unique && (oneSnapshot || walk !== 'updated'),
    replaces: replacesOf(table, state, previous, oid),
    next,
    from: previous ? startOf(table, previous, parts) : null,
    cursor: null,
    batches: 0,
    staged: 0,
  };
}

/** A watermark's fence, by the source's clock as it is set now. */
const fenceNow = ({ fence, ownClock }: Watermark, reading: FenceReading): string =>
  ownClock === undefined ? fence : earlier(fence, leastSince(reading, ownClock));

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

/** A full sync replaces all, as does what comes of a table that was made anew or has another key; the others what a reset asked for. */
function replacesOf(table: Table, state: TableState, previous: Watermark | null, oid: number): Pass['replaces'] {
  const anew = state.watermark !== undefined && state.watermark.oid !== oid;
  if (table.copyMode === 'FULL_DATA_SYNC' || anew || isRekeyed(table, state)) return 'all';
  if (state.replaces !== 'beyond') return state.replaces ?? null;
  // Without a watermark that means this table there is no beyond.
  const beyond = table.copyMode === 'INSERT_ONLY' ? previous?.key : previous?.fence;
  return beyond ? { beyond } : 'all';
}

/**
 * Whether extract cuts a pass's batches itself, one chunk after the other, up to the end of the table. What replaces rows by a key that
 * rises with every change must not be cut beforehand: a row that moved beyond the last chunk would go and not come.
 */
export const cutsItself = (
  { copyMode }: Pick<Table, 'copyMode'>,
  { walk, replaces }: Pick<Pass, 'walk' | 'replaces'>,
): boolean => copyMode === 'FULL_DATA_SYNC' || (walk === 'updated' && replaces !== null);

/** Whether rows came by another primary key: by the new one, which may have changed since, they would not be known again. */
export const isRekeyed = ({ primaryKey }: Table, { watermark, pass }: TableState): boolean =>
  [watermark, pass?.next].some((one) => one !== undefined && !isDeepStrictEqual(one.keys.slice(1), primaryKey));

/** A pass that stopped half-way goes on where its last batch was committed, if it still means the same rows, and the same values. */
export const resumable = (table: Table, state: TableState, oid: number, treatment: string): Pass | null =>
  state.pass &&
  state.pass.batches > 0 &&
  means(state.pass.next, table, oid) &&
  treats(state.pass, treatment) &&
  !mayHoldUnknownRows(state)
    ? state.pass
    : null;

/** Whether a pass's values are treated so; one that copies no whole table is not told by them. */
export const treats = ({ next }: Pass, treatment: string): boolean => (next.treatment ?? treatment) === treatment;

/**
 * Whether the stage of a pass that replaces may hold rows of a load that ended without a result, or be gone with it: it
 * has to be filled from the beginning.
 */
export const mayHoldUnknownRows = ({ pass, lease }: TableState): boolean =>
  (pass?.replaces ?? null) !== null && lease?.load !== undefined;

/** The gaps to look into, those of them whose days are over, and the rows below the watermark's snapshot that need no second load. */
export function reread(
  table: Table,
  state: TableState,
  pass: Pass,
  { now, parts, gapDays }: { now: Snapshot; parts: Part[]; gapDays: number },
): { gaps: Gap[]; expired: Gap[]; skip: Skip | null } {
  const { oid } = pass.next;
  const previous = usableWatermark(table, state, oid);
  const gaps = previous?.gaps ?? [];
  // Looked into once more all the same: the table may have rested for longer than gaps are waited for.
  const expired = gaps.filter((gap) => !stillOpen(gap, pass.next.fence, gapDays));
  return { gaps, expired, skip: seenByLastPass(table, state, { oid, parts }, now) };
}

/** What tells the rows that the table's last pass saw from those written since; null where there was none that counts. */
export function seenByLastPass(
  table: Table,
  state: TableState,
  { oid, parts = [] }: { oid: number; parts?: Part[] },
  now: Snapshot,
): Skip | null {
  const previous = usableWatermark(table, state, oid);
  return (
    previous && {
      below: loadedBelow(previous, now, oid),
      now,
      except: attached(previous, parts).map((part) => part.oid),
    }
  );
}

/** The pass once a batch of it is committed. */
export const advanced = (pass: Pass, batch: Batch): Pass => ({
  ...pass,
  cursor: batch.cursor,
  batches: pass.batches + 1,
  staged: pass.staged + rowsIn(batch),
});

/** The pass as it will stand once the batch that is being loaded is committed; null where no further batch can follow. */
export const passAhead = (table: Table, { pass, batch }: TableState, oid: number): Pass | null =>
  pass && batch && !batch.last && means(pass.next, table, oid) ? advanced(pass, batch) : null;
