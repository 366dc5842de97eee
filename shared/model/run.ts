import type { ChangedColumns, ChangedValues } from './policies.ts';

/** What a run did to one table. */
export interface RunTable {
  rows: number;
  /** Compressed bytes that went through the stage. */
  bytes: number;
  seconds: number;
  error?: string;
  /** Values that policies changed on their way. */
  changed?: ChangedValues;
  /** The same, by the source's columns. */
  changedColumns?: ChangedColumns;
  /** What changed at the source and was taken over. */
  schemaChanges?: string[];
  /** Whether a full sync was spared, since the source proved to have what was loaded before. */
  unchanged?: true;
  /** How many snapshots the rows of a full sync, or a rewind that replaces, come from, where that is not one: it did not fit one function's time. */
  snapshots?: number;
  /** Ranges of missing ids that are no longer watched, since there are too many. */
  gapsGivenUp?: number;
}

/** One execution of a job, as its history keeps it. */
export interface Run {
  runId: string;
  trigger: string;
  /** The schedule whose tick it is; absent for a run by hand. */
  scheduleId?: string;
  /** When it was due; for a run by hand, when it was asked for. ISO, UTC, as all times here. */
  scheduledTime: string;
  startedAt: string;
  finishedAt?: string;
  status: RunStatus;
  /** What the fence could not see, and what to do about it. */
  warnings: string[];
  tables: Record<string, RunTable>;
  /** How many tables it looked at and had nothing to tell of: a hundred entries that say nothing would make it a large item. */
  nothingNew?: number;
  /** The executions that have to end before the run has: see `partOf`. */
  expected: string[];
  error?: string;
  /** Epoch seconds: DynamoDB's time to live. */
  expiresAt: number;
}

export type RunStatus = 'idle' | 'running' | 'succeeded' | 'failed';

const RETENTION_SECONDS = 30 * 86_400;

export const expiryOf = (startedAt: string): number => Math.floor(Date.parse(startedAt) / 1000) + RETENTION_SECONDS;

/** What an execution is called among those that a run waits for: a large table's own, or the run's. */
export const partOf = (table: string | undefined): string => (table === undefined ? 'job' : `table:${table}`);

/** Who holds a large table of a run. */
export const ownerOf = (runId: string, table: string): string => `${runId}/${table}`;

/** Whose a lease is: a run's, or that of a run's large table, which stands behind a slash; a comparison's execution has its kind there. */
export function ownedBy(owner: string): { runId: string; part: string } {
  const [runId = '', ...behind] = owner.split('/');
  return { runId, part: partOf(behind.length > 0 ? behind.join('/') : undefined) };
}
