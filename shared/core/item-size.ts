import { storedColumn } from '../model/column.ts';
import type { Table } from '../model/table.ts';
import { treatmentOf } from '../model/wishes.ts';

/** "The maximum item size in DynamoDB is 400 KB, which includes both attribute name binary length and attribute value lengths". */
const MAX_ITEM_BYTES = 400 * 1024;
/** For its keys, and for what a run adds: a history of changes. */
const RESERVE_BYTES = 16 * 1024;

/**
 * Why a table's item would not fit into the config table, and what to do; null where it fits. Columns that are excluded count
 * as the next run will write them, so that no edit is taken which a run could not carry out.
 */
export function tooLarge(table: Table): string | null {
  const { treat = {} } = table;
  const excluded = new Set([
    ...table.excluded,
    ...Object.keys(treat).filter((name) => treatmentOf(table, name) === 'exclude'),
  ]);
  const { columns, dropped, ...rest } = table;
  const bytes = bytesOf({
    ...rest,
    columns: columns.map(storedColumn),
    dropped: dropped.map(storedColumn),
    excluded: [...excluded],
  });
  if (bytes <= MAX_ITEM_BYTES - RESERVE_BYTES) return null;
  return (
    `names ${Object.keys(treat).length} columns in treat beside the ${columns.length + dropped.length} that are agreed, and with all their names its item would take ` +
    `${bytes} bytes, where DynamoDB has ${MAX_ITEM_BYTES}: name fewer columns, shorten their names at the source, or copy a ` +
    "materialized view of the columns that you want (the job's include)"
  );
}

/** About what DynamoDB counts: UTF-8, a byte for each entry, three for a list or map, and for a number half its digits. */
function bytesOf(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return Math.ceil(String(value).length / 2) + 2;
  if (Array.isArray(value)) return value.reduce((bytes, one) => bytes + bytesOf(one) + 1, 3);
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).reduce(
      (bytes, [name, one]) => bytes + (one === undefined ? 0 : Buffer.byteLength(name) + bytesOf(one) + 1),
      3,
    );
  return 1;
}
