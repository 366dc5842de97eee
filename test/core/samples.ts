import type { FenceReading } from '../../shared/core/fence.ts';
import type { Column } from '../../shared/model/column.ts';
import type { Pass, Snapshot, TableState, Watermark } from '../../shared/model/state.ts';
import type { Table } from '../../shared/model/table.ts';

const column = (source: string, type: string, sourceType: string): Column => ({
  source,
  name: source.toLowerCase(),
  type,
  sourceType: { name: sourceType, schema: 'pg_catalog', kind: 'base', typmod: -1, declared: sourceType },
});

export const orders: Table = {
  sourceName: 'Orders',
  destinationName: 'orders',
  primaryKey: ['Id'],
  updatedKey: 'updated_at',
  copyMode: 'INSERT_AND_UPDATE',
  disabled: false,
  deletes: 'ignore',
  reconcileEvery: 86_400,
  maxDeletedShare: 0.2,
  repair: false,
  timezone: 'UTC',
  columns: [
    column('Id', 'BIGINT', 'int8'),
    column('note', 'VARCHAR(65535)', 'text'),
    column('updated_at', 'TIMESTAMPTZ', 'timestamptz'),
  ],
  dropped: [],
  excluded: [],
  schemaHistory: [],
  created: true,
  why: '',
  checks: [],
  notes: [],
  revision: 0,
};
export const events: Table = { ...orders, copyMode: 'INSERT_ONLY', updatedKey: null };
export const prices: Table = { ...orders, copyMode: 'FULL_DATA_SYNC', updatedKey: null };

export const snapshot: Snapshot = {
  xmin: '100',
  xmax: '110',
  xip: ['100', '105'],
  system: '7',
  timeline: 1,
  standby: false,
};
export const reading: FenceReading = {
  fence: '2026-11-22T10:00:00.000000Z',
  now: '2026-11-22T10:05:05.000000Z',
  clock: '2026-11-22T10:05:00.000000Z',
  prepared: 0,
  ahead: 0,
  ownClock: '2026-11-22T10:05:05.000Z',
  blind: null,
  checkpoint: { time: '2026-11-22T08:00:00.000000Z', nextXid: '40' },
  open: [],
};
export const keysOf = (table: Table): string[] => [table.updatedKey ?? '', ...table.primaryKey];

export const watermark = (table: Table, change: Partial<Watermark> = {}): Watermark => ({
  mode: table.copyMode,
  oid: 1,
  keys: keysOf(table),
  key: null,
  taken: '2026-11-22T09:05:05.000000Z',
  fence: '2026-11-22T09:00:00.000000Z',
  snapshot: { ...snapshot, xmin: '50', xmax: '60', xip: [] },
  ...change,
});

export const passOf = (table: Table, change: Partial<Pass> = {}): Pass => ({
  walk: 'key',
  fresh: false,
  distinct: true,
  replaces: table.copyMode === 'FULL_DATA_SYNC' ? 'all' : null,
  next: watermark(table),
  from: null,
  cursor: null,
  batches: 0,
  staged: 0,
  ...change,
});

export const stateOf = (table: Table, change: Partial<TableState> = {}): TableState => ({
  sourceName: table.sourceName,
  ...change,
});
