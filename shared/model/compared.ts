import * as z from 'zod';
import type { Snapshot } from './state.ts';

/** Why both sides of a table are compared: to prove that rows are the same, or to find keys that the source deleted. */
export const COMPARISONS = ['verify', 'reconcile'] as const;
export const ComparisonKind = z.enum(COMPARISONS);
export type ComparisonKind = z.infer<typeof ComparisonKind>;

/** A comparison that is to be done. */
export const DueComparison = z.object({
  table: z.string(),
  kind: ComparisonKind,
  /** Whether it is the second look at what an earlier one found (RULES 22). */
  second: z.boolean().default(false),
});
export type DueComparison = z.infer<typeof DueComparison>;

/**
 * What the two functions of a comparison are told and answer, in turns: the warehouse's side does a step first, then the
 * source's (RULES 23), which names the next.
 */
export const ComparisonEvent = DueComparison.extend({
  jobId: z.string(),
  /** The execution's name. */
  runId: z.string(),
  /** Whether what is found is to be repaired, whatever the table says. */
  repair: z.boolean().default(false),
  /**
   * begin: sums of all buckets, or what a second look needs · rows: of the buckets that differ · again: of the suspects, under the
   * lease where rows are to change, after a pass or at once where none is needed · mend: by the warehouse alone · more: rows are left
   * to mend, which the warehouse looks at again · end: it broke off · done: nothing is left to do
   */
  step: z.enum(['begin', 'rows', 'again', 'mend', 'more', 'end', 'done']).default('begin'),
  /** Whether buckets that differ are left to the next, since they hold too many rows. */
  unfinished: z.boolean().default(false),
  /** Columns, by the source's names, that the source no longer has: nothing can be said of them. */
  without: z.array(z.string()).default([]),
  /** What the first look asked of each row (`questionDigest`), where the second comes at once. */
  question: z.string().optional(),
  /** Rows that it has mended so far: many take several turns of again and mend. */
  mended: z.int().default(0),
  /** Why it broke off: what the failed step threw. */
  error: z.object({ Error: z.string(), Cause: z.string() }).partial().nullable().default(null),
});
export type ComparisonEvent = z.infer<typeof ComparisonEvent>;

/** Who holds the lease while rows are compared that are to be changed. */
export const comparisonOwner = ({ runId, kind }: { runId: string; kind: ComparisonKind }): string => `${runId}/${kind}`;

/** How a row differs: the warehouse lacks it, has it though the source has not, or holds other values or several of it. */
export type Difference = 'missing' | 'extra' | 'different';

/** A row that differed at the first look. */
export interface Suspect {
  /** The key's values, in the key's order; for a table without a key the row's hash. */
  key: string[];
  bucket: string;
  what: Difference;
  /** Digest of the row at the source; null where it has none. */
  source: string | null;
}

export type Differences = Record<Difference, number>;

/** What the last comparisons of a table found: an item of its own, so that a load never waits for it. All times ISO, UTC. */
export interface Compared {
  sourceName: string;
  /** The run that is to begin a comparison of it, after its loads, and since when: others leave it to that. */
  claimedBy?: string;
  claimedAt?: string;
  /** When the last of its kind was begun: none is begun again while it may run. */
  verifyBegun?: string;
  reconcileBegun?: string;
  /** The execution that began it. */
  verifyBy?: string;
  reconcileBy?: string;
  /** When the last of its kind ended, whatever it found. */
  verifyEnded?: string;
  reconcileEnded?: string;
  /** Rows that differed and wait for a second look after the next pass. */
  suspects?: {
    object: string;
    rows: number;
    seen: string;
    repair: boolean;
    /** What was asked of each row (`questionDigest`); absent in those of before it was kept. */
    question?: string;
    /** What the source was read by then; absent in those of before it was kept. */
    snapshot?: Snapshot;
  };
  /**
   * What survived the second look of the last verification, and the object that names the rows. `replaced`: rows that differed, until
   * the pass between both looks copied the table anew: whether they were wrong or had changed at the source, nobody can tell.
   */
  found?: Differences & { object: string | null; repaired: boolean; replaced?: number };
  /**
   * The rows that the last verification covered, and where the next begins with values that no SQL can hash. `left`: rows of
   * buckets that differ, and were too many to be looked at; `looked`: those of the buckets that were.
   */
  covered?: { rows: number; values: number; nextBucket: number; left?: number; looked?: number };
  /** Rows that the last reconcile deleted. */
  deleted?: number;
  /** The last comparison whose execution was stopped: what it takes after that nobody would give back. */
  stopped?: string;
  /** Why the last of its kind broke off, and what to do. */
  verifyError?: string;
  reconcileError?: string;
}

/** What is written once the comparison that a run claimed is begun, or will not be. */
export const UNCLAIMED: Partial<Compared> = { claimedBy: undefined, claimedAt: undefined };

/**
 * What is written of a comparison that ended without an error, beside what it found. One that removes what the source deleted, and
 * could not look at all of it, is due again at once.
 */
export const endedWell = (
  { kind, unfinished }: Pick<ComparisonEvent, 'kind' | 'unfinished'>,
  now: Date,
): Partial<Compared> => ({
  [`${kind}Ended`]: now.toISOString(),
  ...(kind === 'reconcile' && unfinished ? { reconcileBegun: undefined, reconcileEnded: undefined } : {}),
  [`${kind}Error`]: undefined,
  ...UNCLAIMED,
});
