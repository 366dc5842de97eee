import * as z from 'zod';
import { restoredColumn, type StoredColumn } from './column.ts';
import { NewColumns, positive, Revision, Share } from './job.ts';
import { oneOf } from './one-of.ts';
import { Wishes } from './wishes.ts';

export const COPY_MODES = ['INSERT_ONLY', 'INSERT_AND_UPDATE', 'FULL_DATA_SYNC'] as const;
export const CopyMode = z.enum(COPY_MODES, {
  error: (issue) => `is ${JSON.stringify(issue.input)}: choose ${COPY_MODES.join(', ')}`,
});
export type CopyMode = z.infer<typeof CopyMode>;

const StoredColumns = z.array(z.custom<StoredColumn>().transform(restoredColumn));

/**
 * What a person decides about a table, and the columns that setup agreed with the warehouse. What the loader knows of
 * the table's progress is another item (`state.ts`), so that an edit and a load never overwrite each other.
 */
export const Table = z.object({
  /** Name at the source, in the job's schema. */
  sourceName: z.string().min(1),
  /** Name in the destination's schema. */
  destinationName: z.string().min(1),
  primaryKey: z.array(z.string()),
  updatedKey: z.string().nullable(),
  copyMode: CopyMode,
  disabled: z.boolean().default(false),
  rowLimit: positive.optional(),
  chunkSize: positive.optional(),
  /** What becomes of rows that the source deleted: kept, or found by comparing keys and removed. A full sync has no choice. */
  deletes: oneOf(['ignore', 'remove']).default('ignore'),
  /** Seconds between two comparisons of keys. */
  reconcileEvery: positive.default(86_400),
  /** A larger share of the warehouse's rows is never deleted at one go; from 0 to 1. */
  maxDeletedShare: z.number().min(0).max(1).default(0.2),
  /** The least share of the warehouse's rows that may take their place; the job's where absent. */
  minShare: Share.optional(),
  /** Seconds between two verifications; the job's where absent. */
  verifyEvery: positive.optional(),
  /** Whether a verification repairs what it finds. */
  repair: z.boolean().default(false),
  /** The zone of an updatedKey that is a timestamp without one. */
  timezone: z.string().default('UTC'),
  ...Wishes.shape,
  /** What becomes of rows loaded before when a column comes, where it is not as the job has it. */
  newColumns: NewColumns.optional(),
  columns: StoredColumns,
  /** Columns that the source no longer has: the warehouse keeps them, NULL in whatever is loaded since. */
  dropped: StoredColumns.default([]),
  /** Columns of the source that were excluded when the others were agreed: rows loaded so far lack their values. */
  excluded: z.array(z.string()).default([]),
  /** What the warehouse's table was last brought to, as `shapeOf` has it: by other columns it is altered before a load. */
  shape: z.string().optional(),
  /** What changed at the source and was taken over, the newest last. */
  schemaHistory: z.array(z.object({ at: z.string(), change: z.string() })).default([]),
  /** Set by create-tables once the warehouse has the table. */
  created: z.boolean().default(false),
  /** What setup guessed and what a person should check. */
  why: z.string().default(''),
  checks: z.array(z.string()).default([]),
  /** How its values change on their way, where they can't stay as they are: nothing that a person has to do. */
  notes: z.array(z.string()).default([]),
  revision: Revision,
});

export type Table = z.infer<typeof Table>;
