import * as z from 'zod';
import { PolicyChoices } from './policies.ts';

export const TREATMENTS = ['exclude', 'sha256', 'null'] as const;
/** A column that is not copied, or only as a hash of its text with the job's salt, or only as NULL. */
export const Treatment = z.enum(TREATMENTS, {
  error: (issue) => `is ${JSON.stringify(issue.input)}: choose ${TREATMENTS.join(', ')}`,
});
export type Treatment = z.infer<typeof Treatment>;

/** How a column is treated; of `treat`'s own names alone, since a column may be called `constructor`. */
export const treatmentOf = (
  { treat = {} }: { treat?: Record<string, Treatment> },
  column: string,
): Treatment | undefined => (Object.hasOwn(treat, column) ? treat[column] : undefined);

export const DIST_STYLES = ['AUTO', 'EVEN', 'ALL'] as const;

/** What a person may wish of a table whatever the source says of it. Columns are named as they are at the source. */
export const Wishes = z.object({
  /** What becomes of values that Redshift can't hold, where it is not as the job has it. */
  policies: PolicyChoices.optional(),
  /** Columns that are excluded or masked. */
  treat: z.record(z.string(), Treatment).optional(),
  /** The warehouse's sort key, when it creates the table; empty for none. Without: the updated key, or an integer key. */
  sortKey: z.array(z.string()).max(400, 'names more than the 400 columns that Redshift takes').optional(),
  /** The column by which the warehouse distributes rows, when it creates the table. */
  distKey: z.string().optional(),
  /** How the warehouse distributes rows without a distKey; AUTO where neither is given. */
  distStyle: z
    .enum(DIST_STYLES, { error: ({ input }) => `is ${JSON.stringify(input)}: choose ${DIST_STYLES.join(', ')}` })
    .optional(),
});
export type Wishes = z.infer<typeof Wishes>;
