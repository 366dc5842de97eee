import * as z from 'zod';
import { oneOf } from './one-of.ts';
import { PolicyChoices } from './policies.ts';
import { Wishes } from './wishes.ts';

/** Rises by one with every edit by a person: whoever edits says which one they saw. Written by hand, an item has none. */
export const Revision = z.int().nonnegative().default(0);

/** Rows of one batch and of one chunk: IMPORT_ROW_LIMIT and IMPORT_CHUNK_SIZE. */
export const DEFAULT_ROW_LIMIT = 1_000_000;
export const DEFAULT_CHUNK_SIZE = 100_000;

const wholeNumber = (issue: { input?: unknown }): string =>
  `is ${JSON.stringify(issue.input)}: give a whole number above 0`;
/** A limit: what it may be, said in words that name what it is. */
export const positive = z.int({ error: wholeNumber }).positive({ error: wholeNumber });

const share = (issue: { input?: unknown }): string => `is ${JSON.stringify(issue.input)}: give a number from 0 to 1`;
/**
 * The least share of the warehouse's rows that the source has to have. Half by default: a source that lost more at one go, or
 * all, is rather being restored or filled anew than tidied up, and yesterday's rows serve readers better than none.
 */
export const Share = z.number({ error: share }).min(0, { error: share }).max(1, { error: share });

/** The limits that a job sets and a table may override. */
export const Limits = z
  .object({ rowLimit: positive, chunkSize: positive })
  .refine((limits) => limits.chunkSize <= limits.rowLimit, {
    path: ['chunkSize'],
    message: 'is larger than rowLimit: a batch is cut into chunks, so give at most rowLimit',
  });

export type Limits = z.infer<typeof Limits>;

/** Whether rows loaded before a column came get its values by a re-load of their table, or only when they change. */
export const NewColumns = oneOf(['forward', 'reload']);

/** A job: one source database paired with one destination of the deployment. */
export const Job = z
  .object({
    jobId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'takes 1 to 40 of a-z, 0-9 and -'),
    /** The source's connection string lies in this secret. */
    secretArn: z
      .string()
      .startsWith('arn:', { abort: true, error: 'is no ARN: give the ARN of a secret, arn:aws:secretsmanager:…' }),
    /** Whether the secret was made for this job, and goes with it; a user's own stays. */
    ownsSecret: z.boolean().default(false),
    sourceSchema: z.string().min(1).default('public'),
    /** Tables that setup leaves out; `*` stands for anything. */
    exclude: z.array(z.string()).default(['schema_migrations', 'ar_internal_metadata', 'tmp_*']),
    /** What becomes of values that Redshift can't hold, for all of its tables; a table may choose otherwise. */
    policies: PolicyChoices.default({}),
    /** Foreign tables and materialized views that setup copies, too: always whole, since they can't be locked. */
    include: z.array(z.string()).default([]),
    /** What is wished of tables that setup has yet to meet, by their names; it goes on their items. */
    tables: z.record(z.string(), Wishes).default({}),
    /** The name of one of the deployment's destinations. */
    destination: z.string().min(1),
    rowLimit: positive.default(DEFAULT_ROW_LIMIT),
    chunkSize: positive.default(DEFAULT_CHUNK_SIZE),
    /** Connections to the source that a run's large tables share; where there are more tables, they take turns. */
    maxSourceConnections: positive.max(40, 'is too high: give at most 40').default(8),
    /** Seconds below the fence that every pass reads again: application clocks and rounding put values there. */
    scanBack: z.int().nonnegative().default(300),
    /** Days after which an id that never came no longer counts as one that may still come. */
    gapDays: positive.default(7),
    /** A table whose source has a smaller share of the warehouse's rows is not replaced; 0 replaces it whatever the source has. */
    minShare: Share.default(0.5),
    /** Seconds after which a table without a completed pass counts as behind. */
    maxLagSeconds: positive.default(3600),
    /** Whether the job's schedules rest; a run by hand still runs. */
    disabled: z.boolean().default(false),
    /** Whether what changes at the source is taken over, or stops its table until a person has looked. */
    schemaChanges: oneOf(['apply', 'pause']).default('apply'),
    newColumns: NewColumns.default('forward'),
    /** Whether tables that are new at the source are set up without being asked for. */
    autoAddTables: z.boolean().default(false),
    revision: Revision,
    /** Seconds between two verifications of a table; never where absent: each wakes the warehouse. */
    verifyEvery: positive.optional(),
  })
  .refine((job) => job.chunkSize <= job.rowLimit, {
    path: ['chunkSize'],
    message: 'is larger than rowLimit: a batch is cut into chunks, so give at most rowLimit',
  });

export type Job = z.infer<typeof Job>;
