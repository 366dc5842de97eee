import type { Gap } from '../model/state.ts';

/** Neighbouring gaps are kept as one range up to this many ids: probing it costs at most as many index entries. */
const MERGED_WIDTH = 1_000n;
/** The newest ranges that are watched. DynamoDB's items hold 400 KB; a range takes about 90 bytes. */
const KEPT_GAPS = 1_000;

const width = (from: string, to: string): bigint => BigInt(to) - BigInt(from) + 1n;

/** Whether a gap may still be filled: younger than `gapDays`, seen from the fence, below which nothing is open. */
export function stillOpen(gap: Gap, fence: string, gapDays: number): boolean {
  const closesAt = Date.parse(gap.seen) + gapDays * 86_400_000;
  return Date.parse(fence) < closesAt;
}

/** Ranges that a message names; the others are counted. */
const NAMED = 10;

/** What a run tells of gaps whose days are over: from now on a row with such an id would be missed. */
export function describeClosed(table: string, closed: Gap[], gapDays: number): string {
  const named = closed.slice(0, NAMED).map(({ from, to }) => (from === to ? from : `${from}–${to}`));
  const more = closed.length > NAMED ? ` and ${closed.length - NAMED} further ranges` : '';
  return (
    `${table}: ids missing within ${named.join(', ')}${more} did not come in ${gapDays} days and are no longer waited for – ` +
    'if such rows may still come, raise gapDays and reset the table to an id below'
  );
}

/** What a run tells of gaps that are too many to be watched. */
export const describeGivenUp = (table: string, givenUp: number): string =>
  `${table}: ${givenUp} ranges of missing ids, the lowest, are no longer waited for: ${KEPT_GAPS} are watched at most – ` +
  'if such rows may still come, copy the table by INSERT_AND_UPDATE, or verify it with repair';

/**
 * The gaps below a cursor: what a batch that was never committed had found beyond is found again. A range that neighbours were
 * merged into may lie on both sides.
 */
export const gapsUpTo = (gaps: Gap[], cursor: string | null): Gap[] =>
  gaps.flatMap((gap) => {
    if (cursor === null || BigInt(gap.from) > BigInt(cursor)) return [];
    return [BigInt(gap.to) > BigInt(cursor) ? { ...gap, to: cursor } : gap];
  });

/**
 * The ranges to watch from now on. A sequence with CACHE, or an application that takes ids in blocks, commits id 2 long
 * after id 51, with no transaction open in between: only the ids that were never seen tell (RULES 8).
 *
 * @param missing the ids that a snapshot did not show, ascending
 * @returns the ranges, ascending, and how many of the oldest had to be given up
 */
export function watchGaps(missing: Gap[]): { gaps: Gap[]; dropped: number } {
  const merged: Gap[] = [];
  for (const gap of missing) {
    const last = merged.at(-1);
    if (last && width(last.from, gap.to) <= MERGED_WIDTH) {
      last.to = gap.to;
      last.seen = last.seen > gap.seen ? last.seen : gap.seen;
    } else merged.push({ ...gap });
  }
  const dropped = Math.max(0, merged.length - KEPT_GAPS);
  return { gaps: merged.slice(dropped), dropped };
}
