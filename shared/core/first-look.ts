import { createHash } from 'node:crypto';
import type { ComparisonEvent } from '../model/compared.ts';
import { differing, inTurn, type Looked, mostRowsIn, rowsIn, rowsOf, type Sums, surplusIn, within } from './drift.ts';

/** Rows that one comparison tells apart by key: they are held in memory, and the Data API gives no more than 500 MB. */
const ROWS_BUDGET = 100_000;

/** Both sides' sums by bucket. */
interface Sides {
  source: Sums;
  warehouse: Sums;
}

/** The buckets whose rows are looked at, what that covers, and whether buckets that differ are left. */
export interface FirstLook {
  chosen: string[];
  looked: Looked;
  unfinished: boolean;
}

/**
 * Chooses the buckets whose rows are looked at: those that differ, then in turns those whose values SQL can't hash.
 *
 * @param valued whether there are such values
 * @param nextBucket where their turn begins
 */
export function firstLook(
  { kind, runId }: Pick<ComparisonEvent, 'kind' | 'runId'>,
  { source, warehouse }: Sides,
  { valued, nextBucket }: { valued: boolean; nextBucket: number },
  budget = ROWS_BUDGET,
): FirstLook {
  const all = differing(source, warehouse);
  // Those that are removed have most rows too many; else each verification begins with others, lest some never have their turn.
  const differ = kind === 'reconcile' ? all : inTurn(all, startOf(runId));
  const others = valued ? inTurn(Object.keys(source), nextBucket) : [];
  const chosen = within(budget, [...new Set([...differ, ...others])], [source, warehouse]);
  const among = new Set(chosen);
  const unseen = differ.filter((bucket) => !among.has(bucket));
  const left = mostRowsIn(unseen, source, warehouse);
  const looked = rowsIn(chosen, source);
  const rows = rowsOf(source) - rowsIn(unseen, source);
  const turned = chosen.length - Math.min(differ.length, chosen.length);
  return {
    chosen,
    looked: {
      rows: { source: rowsOf(source), warehouse: rowsOf(warehouse) },
      surplus: surplusIn(differ, source, warehouse),
      covered: {
        rows,
        values: valued ? looked : rows,
        nextBucket: valued ? (nextBucket + turned) % Math.max(1, Object.keys(source).length) : 0,
        ...(left > 0 ? { left, looked } : {}),
      },
    },
    unfinished: (kind === 'reconcile' ? surplusIn(unseen, source, warehouse) : left) > 0,
  };
}

/** Another number with each comparison. */
const startOf = (runId: string): number => createHash('sha256').update(runId).digest().readUInt32BE();
