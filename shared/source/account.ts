import type pg from 'pg';
import { gapsUpTo, watchGaps } from '../core/gaps.ts';
import type { Gap, Pass } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { lowestId, missingIds, type Source } from '../sql/postgres.ts';
import { openGaps, type Reading } from './reading.ts';

/**
 * For INSERT_ONLY: the watermark that the pass will leave once its rows up to `highest` are loaded, with the ids that this
 * snapshot does not show. It must be no later than the snapshot that the rows are read by.
 *
 * @param highest the last id that is loaded; null where there is none
 * @param clock when the source was looked at, by its own clock: from then on the gaps found now are waited for
 * @returns with how many of the oldest gaps had to be given up
 */
export async function accountFor(
  client: pg.Client,
  table: Table,
  pass: Pass,
  reading: Pick<Reading, 'source' | 'scope' | 'expired'>,
  highest: string | null,
  clock: string,
): Promise<{ next: Pass['next']; gapsGivenUp: number }> {
  if (table.copyMode !== 'INSERT_ONLY') return { next: pass.next, gapsGivenUp: 0 };
  const { source } = reading;
  const done = pass.cursor?.[0] ?? null;
  const after = done ?? pass.from;
  const from = after === null ? await firstId(client, source) : BigInt(after) + 1n;
  const ranges = accountedRanges(pass, openGaps(reading), from, highest, clock);
  const missing = await missingWithin(client, source, ranges);
  const known = pass.batches === 0 ? [] : gapsUpTo(pass.next.gaps ?? [], done);
  const { gaps, dropped } = watchGaps([...known, ...missing]);
  return { next: { ...pass.next, key: highest, gaps }, gapsGivenUp: dropped };
}

/** What of the ranges this snapshot does not show, ascending. */
export async function missingWithin(client: pg.Client, source: Source, ranges: Gap[]): Promise<Gap[]> {
  if (ranges.length === 0) return [];
  const { rows } = await client.query<{ seen: string; low: string; high: string }>(missingIds(source, ranges));
  return rows.map(({ low, high, seen }) => ({ from: low, to: high, seen }));
}

/** Where ids begin: at 1, or at the lowest that there is where a sequence began below. */
async function firstId(client: pg.Client, source: Source): Promise<bigint> {
  const { min } = (await client.query(lowestId(source))).rows[0] as { min: string | null };
  return min !== null && BigInt(min) < 1n ? BigInt(min) : 1n;
}

/** The ids up to `highest` that a pass has to account for: what it reads anew, and the gaps below. */
const accountedRanges = (pass: Pass, gaps: Gap[], from: bigint, highest: string | null, seen: string): Gap[] => {
  const beyond = highest !== null && BigInt(highest) >= from ? [{ from: String(from), to: highest, seen }] : [];
  return pass.batches === 0 ? [...gaps, ...beyond] : beyond;
};
