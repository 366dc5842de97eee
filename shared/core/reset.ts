import { errors } from '../model/errors.ts';
import type { TableState, Watermark } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { gapsUpTo } from './gaps.ts';
import { isFree } from './lease.ts';
import { toReload } from './outcome.ts';
import { keysOf, means } from './pass.ts';

/** What a person may ask for, or a repair of rows that no key tells apart: the only way that a watermark moves back. */
export type Reset =
  /**
   * The next pass reads the whole table and replaces it in one transaction: what the source lacks goes.
   * @property guarded whether the loader asks, and not a person who knows how many rows there should be
   */
  | { kind: 'reload'; guarded?: true }
  /**
   * The next pass reads again from a point on: a moment of the updated key (ISO 8601 with a zone) or an id.
   * @property replace whether the warehouse's rows from there on go, in the transaction that brings the pass's last rows
   */
  | { kind: 'rewind'; to: string; replace: boolean };

/**
 * The state of a table that is reset. A pass under way is forgotten; the statement of an owner that died is not.
 *
 * @throws LoaderError TableBusy while a run works on the table: the reset would be lost in what the run writes next;
 *   BadConfiguration where the table's mode knows no such point, or it lies ahead of the watermark
 */
export function resetState(table: Table, state: TableState, reset: Reset, now: Date): TableState {
  if (state.lease && !isFree(state, '', now))
    throw errors.tableBusy(
      `${table.sourceName} is being loaded or compared by ${state.lease.owner}: reset it when that has ended, or stop that execution`,
    );
  const { lease, pass: _pass, batch: _batch, ahead: _ahead, replaces: _earlier, guarded: _by, ...rest } = state;
  const orphan = rest.orphan ?? lease?.load;
  const before = state.resetFrom ?? state.watermark;
  const idle: TableState = {
    ...rest,
    ...(before ? { resetFrom: before } : {}),
    ...(orphan === undefined ? {} : { orphan }),
    behindSince: rest.behindSince ?? now.toISOString(),
  };
  if (reset.kind === 'reload') return toReload(idle, reset.guarded ?? false);
  return { ...idle, watermark: rewound(table, before, reset.to), ...(reset.replace ? { replaces: 'beyond' } : {}) };
}

/** Whether a reset waits for the next pass: until then it is not known which rows are loaded. */
export const waitsForReset = ({ watermark, replaces }: Pick<TableState, 'watermark' | 'replaces'>): boolean =>
  watermark?.snapshot === null || replaces !== undefined;

function rewound(table: Table, before: Watermark | undefined, to: string): Watermark {
  const refuse = (why: string) => errors.badConfiguration(`${table.sourceName}: ${why}`);
  if (table.copyMode === 'FULL_DATA_SYNC')
    throw refuse('is copied whole by every run, and knows no point to read again from: reset it without one');
  if (!before || !means(before, table, before.oid))
    throw refuse(
      `has no watermark for ${table.copyMode} by ${keysOf(table).filter(Boolean).join(', ')}, and so no point to read again from: the next run loads all of it anyway`,
    );
  const { newest: _seen, ...watermark } = before;
  if (table.copyMode === 'INSERT_ONLY') {
    if (!/^-?\d{1,19}$/.test(to)) throw refuse(`${JSON.stringify(to)} is no id: give the highest id to keep`);
    if (watermark.key === null || BigInt(to) > BigInt(watermark.key))
      throw refuse(`id ${to} lies ahead of the watermark ${watermark.key}: give a lower one`);
    const gaps = watermark.gaps && gapsUpTo(watermark.gaps, to);
    return { ...watermark, key: to, snapshot: null, ...(gaps ? { gaps } : {}) };
  }
  const moment = inMicroseconds(to);
  if (moment === null)
    throw refuse(`${JSON.stringify(to)} is no time: give one with its zone, such as 2026-11-22T09:30:00Z`);
  if (moment > watermark.fence)
    throw refuse(`${to} lies ahead of the watermark ${watermark.fence}: give an earlier time`);
  return { ...watermark, fence: moment, snapshot: null };
}

/** ISO 8601 with a zone as a fence is written: UTC, six digits, which compare as text. */
function inMicroseconds(text: string): string | null {
  const [, whole = '', fraction = '', zone = ''] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const seconds = Date.parse(`${whole}${zone}`);
  if (whole === '' || Number.isNaN(seconds) || !isDay(whole.slice(0, 10))) return null;
  return new Date(seconds).toISOString().replace(/\.\d+Z$/, `.${fraction.padEnd(6, '0')}Z`);
}

/** Date.parse takes the thirtieth of February for the second of March. */
const isDay = (day: string): boolean => {
  const moment = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(moment) && new Date(moment).toISOString().startsWith(day);
};
