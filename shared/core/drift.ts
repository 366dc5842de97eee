import type { Compared, ComparisonEvent, Difference, Differences, Suspect } from '../model/compared.ts';
import { errors } from '../model/errors.ts';
import type { Watermark } from '../model/state.ts';
import type { Table } from '../model/table.ts';

/** Rows by bucket: how many, and the sum of their hashes. */
export type Sums = Record<string, [rows: number, sum: string]>;

/** What the warehouse's sums were taken under: the source is asked for the same rows. */
export interface WarehouseSums {
  /** null for all rows. */
  watermark: Watermark | null;
  sums: Sums;
}

/** What the comparison's first look covered. */
export interface Looked {
  rows: { source: number; warehouse: number };
  /** Rows by which buckets of the warehouse exceed the source's: so many are extra at least, though not all may be looked at. */
  surplus: number;
  covered: NonNullable<Compared['covered']>;
}

const NO_ROWS: Sums[string] = [0, '0'];
export const rowsOf = (sums: Sums): number => Object.values(sums).reduce((rows, [count]) => rows + count, 0);

/** The buckets whose sums differ, those with the most rows too many in the warehouse first. */
export function differing(source: Sums, warehouse: Sums): string[] {
  const of = (sums: Sums, bucket: string) => sums[bucket] ?? NO_ROWS;
  const surplus = (bucket: string) => of(warehouse, bucket)[0] - of(source, bucket)[0];
  return [...new Set([...Object.keys(source), ...Object.keys(warehouse)])]
    .filter((bucket) => of(source, bucket).join() !== of(warehouse, bucket).join())
    .sort((a, b) => surplus(b) - surplus(a) || (a < b ? -1 : 1));
}

const ofBucket = (sums: Sums, bucket: string): number => sums[bucket]?.[0] ?? 0;

/** One side's rows of the buckets. */
export const rowsIn = (buckets: string[], sums: Sums): number =>
  buckets.reduce((rows, bucket) => rows + ofBucket(sums, bucket), 0);

/** Rows that the warehouse has more than the source in those of the buckets where it has more. */
export const surplusIn = (buckets: string[], source: Sums, warehouse: Sums): number =>
  buckets.reduce((rows, bucket) => rows + Math.max(0, ofBucket(warehouse, bucket) - ofBucket(source, bucket)), 0);

/** Rows of the buckets, on the side that has more of them. */
export const mostRowsIn = (buckets: string[], source: Sums, warehouse: Sums): number =>
  buckets.reduce((rows, bucket) => rows + Math.max(ofBucket(source, bucket), ofBucket(warehouse, bucket)), 0);

/** As many of the buckets, in their order, as hold at most `budget` rows on either side; one at least. */
export function within(budget: number, buckets: string[], sides: Sums[]): string[] {
  let rows = 0;
  return buckets.filter((bucket, i) => {
    rows += Math.max(...sides.map((sums) => sums[bucket]?.[0] ?? 0));
    return i === 0 || rows <= budget;
  });
}

/** Every bucket once, beginning with the n-th: values that only code compares are covered in turns. */
export const inTurn = (buckets: string[], from: number): string[] => {
  const sorted = buckets.toSorted();
  const start = sorted.length === 0 ? 0 : from % sorted.length;
  return [...sorted.slice(start), ...sorted.slice(0, start)];
};

/** What one side has of a key: a row, or several where it repeats. */
interface Held {
  bucket: string;
  /** How often each digest comes. */
  digests: Map<string, number>;
  written: string[];
}

/** One side's rows of some buckets, by key. */
export class Rows {
  readonly #held = new Map<string, Held>();

  add(key: string[], digest: string, bucket: string, written: string[] = key): void {
    const id = idOf(key);
    const held = this.#held.get(id) ?? { bucket, digests: new Map<string, number>(), written };
    held.digests.set(digest, (held.digests.get(digest) ?? 0) + 1);
    this.#held.set(id, held);
  }

  get ids(): Iterable<string> {
    return this.#held.keys();
  }

  bucket(id: string): string | undefined {
    return this.#held.get(id)?.bucket;
  }

  /** The key as the side itself writes it. */
  written(id: string): string[] | undefined {
    return this.#held.get(id)?.written;
  }

  /** The row's digest, or those of the rows in whatever order they came, with how often each does; null where there is none. */
  digest(id: string): string | null {
    const held = this.#held.get(id);
    if (!held) return null;
    const told = [...held.digests].map(([digest, times]) => (times === 1 ? digest : `${digest}×${times}`));
    return told.sort().join('+');
  }
}

export const idOf = (key: string[]): string => JSON.stringify(key);

function difference(source: string | null, warehouse: string | null): Difference | null {
  if (source === warehouse) return null;
  if (source === null) return 'extra';
  return warehouse === null ? 'missing' : 'different';
}

/** The rows that differ now. */
export function suspectsIn(source: Rows, warehouse: Rows): Suspect[] {
  return [...new Set([...source.ids, ...warehouse.ids])].flatMap((id) => {
    const held = source.digest(id);
    const what = difference(held, warehouse.digest(id));
    const bucket = source.bucket(id) ?? warehouse.bucket(id) ?? '';
    return what ? [{ key: JSON.parse(id) as string[], bucket, what, source: held }] : [];
  });
}

/**
 * The suspects that still differ at the second look while the source holds of them what it held at the first: a row that
 * changed in between says nothing, since the warehouse may not know the change yet (RULES 22).
 */
export function confirmed(suspects: Suspect[], source: Rows, warehouse: Rows): Suspect[] {
  return suspects.flatMap((suspect) => {
    const id = idOf(suspect.key);
    const now = source.digest(id);
    const what = difference(now, warehouse.digest(id));
    return what && now === suspect.source ? [{ ...suspect, what }] : [];
  });
}

export function countOf(suspects: Suspect[]): Differences {
  const counts: Differences = { missing: 0, extra: 0, different: 0 };
  for (const { what } of suspects) counts[what] += 1;
  return counts;
}

/** Whether a row that only the warehouse has is an error: not where rows deleted at the source are to stay. */
export const removesDeleted = (table: Table): boolean =>
  table.copyMode === 'FULL_DATA_SYNC' || table.deletes === 'remove';

/** Whether what differs is to be repaired. @param waiting what a second look is about: it goes by what the first one decided */
export const repairs = (
  { second, repair }: Pick<ComparisonEvent, 'second' | 'repair'>,
  table: Table,
  waiting?: Compared['suspects'],
): boolean => (second ? waiting?.repair === true : repair || table.repair);

/** The differences that count as drift. */
export const driftOf = (table: Table, { missing, extra, different }: Differences): number =>
  missing + different + (removesDeleted(table) ? extra : 0);

/**
 * Keeps a source that was emptied by mistake, or shows only a part of its rows, from emptying the warehouse.
 * @throws LoaderError TooManyDeletes
 */
export function guardDeletes(table: Table, extra: number, rows: { source: number; warehouse: number }): void {
  const share = rows.warehouse === 0 ? 0 : extra / rows.warehouse;
  const emptied = rows.source === 0 && rows.warehouse > 0;
  if (!emptied && share <= table.maxDeletedShare) return;
  const percent = (part: number) => `${Math.round(part * 1000) / 10} %`;
  const what = emptied ? 'the source has no rows at all' : `the source lacks ${extra} rows, ${percent(share)}`;
  throw errors.tooManyDeletes(
    `${table.sourceName}: ${what} of the warehouse's ${rows.warehouse}, and maxDeletedShare is ${percent(table.maxDeletedShare)}, ` +
      'so nothing was deleted: check the source; if it is right, raise maxDeletedShare, or re-load the table',
  );
}
