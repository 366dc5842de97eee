/** What becomes of a table's state once something has ended, and what is told of it. */
import { isDeepStrictEqual } from 'node:util';
import type { Column } from '../model/column.ts';
import { addChangedColumns, type ChangedColumns, countOfValues, sumOfColumns } from '../model/policies.ts';
import type { RunTable } from '../model/run.ts';
import type { TableState } from '../model/state.ts';
import { bytesIn, changedIn, rowsIn } from './batch.ts';
import { leaseFor } from './lease.ts';
import { advanced, cutsItself, mayHoldUnknownRows } from './pass.ts';

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
    resetFrom: _before,
    guarded: _guarded,
    staged: _dropped,
    halved: _smaller,
    ...clean
  } = rest;
  const whole = pass.next.mode === 'FULL_DATA_SYNC';
  const rows = whole ? { rows: pass.staged + rowsIn(batch) } : {};
  const snapshots =
    cutsItself({ copyMode: pass.next.mode }, pass) && pass.batches > 0 ? { snapshots: pass.batches + 1 } : {};
  return { ...clean, run: run && { ...run, ...snapshots }, watermark: { ...pass.next, ...rows }, completedAt: at };
}

/**
 * The state once nothing is found left of a pass: it is complete without a load, and so nobody has settled what a dead owner left
 * running, or dropped what it staged.
 */
export function afterNothing(state: TableState, now: Date): TableState {
  const { orphan, staged } = state;
  return {
    ...afterCommit(state, now),
    ...(orphan === undefined ? {} : { orphan }),
    ...(staged === undefined ? {} : { staged }),
  };
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

/** Whether a batch has been committed since a state was read. */
export const hasProgressed = (before: TableState, now: TableState): boolean =>
  (now.completedAt !== undefined && now.completedAt !== before.completedAt) ||
  ((now.pass?.batches ?? 0) > 0 && !isDeepStrictEqual(now.pass, before.pass));

/** The state of a table whose warehouse side is made anew: everything is to be loaded again. */
export function withoutProgress(state: TableState): TableState {
  const {
    watermark: _mark,
    resetFrom: _from,
    pass: _pass,
    batch: _batch,
    ahead: _ahead,
    completedAt: _at,
    ...rest
  } = state;
  return rest;
}

/**
 * The state of a table of which all rows are to be loaded again, in place of those that are there.
 * @param guarded whether the loader asks for it, and not a person who knows how many rows there should be
 */
export const toReload = (state: TableState, guarded: boolean): TableState => ({
  ...withoutProgress(state),
  ...(state.resetFrom ? { resetFrom: state.resetFrom } : {}),
  replaces: 'all',
  ...(guarded ? { guarded } : {}),
});

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
