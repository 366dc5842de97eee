import * as z from 'zod';

/** How one table stood when both sides were compared. */
export const VerifiedTable = z.object({
  table: z.string(),
  /** `repaired`: rows differed, and were replaced by what the source has. */
  status: z.enum(['running', 'identical', 'different', 'repaired', 'failed']),
  /** Rows that were covered; null where it never came to that. */
  rows: z.int().nullable(),
  /** Of these, rows whose values no SQL can compare, and code did: a large table's take turns. */
  values: z.int().nullable(),
  missing: z.int(),
  /** Rows that only the warehouse has: no difference where the table keeps what the source deleted. */
  extra: z.int(),
  different: z.int(),
  /** Rows that differed until the run in between copied the table anew: changed at the source since its last sync, or wrong. */
  replaced: z.int(),
  /** The object that names the rows; null where there is none. */
  object: z.string().nullable(),
  error: z.string().nullable(),
});
export type VerifiedTable = z.infer<typeof VerifiedTable>;

/** A verification that somebody asked for. */
export const Verification = z.object({
  verifyId: z.string(),
  /** `failed` also where rows differed: whoever asks by a script wants to know. */
  status: z.enum(['running', 'succeeded', 'failed']),
  tables: z.array(VerifiedTable),
});
export type Verification = z.infer<typeof Verification>;
