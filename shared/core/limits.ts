import { errors } from '../model/errors.ts';
import { type Job, Limits } from '../model/job.ts';
import { problemsOf } from '../model/problems.ts';
import type { Pass } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { appendsAll } from './load-statements.ts';

/**
 * A table's own limits, else its job's.
 * @param halved how often they were found too large for the source
 * @throws LoaderError BadConfiguration where the two don't go together
 */
export function limitsOf(job: Job, table: Table, halved = 0): Limits {
  const parsed = Limits.safeParse({
    rowLimit: table.rowLimit ?? job.rowLimit,
    chunkSize: table.chunkSize ?? job.chunkSize,
  });
  const smaller = (limit: number) => Math.max(1, Math.floor(limit / 2 ** halved));
  if (parsed.success) return { rowLimit: smaller(parsed.data.rowLimit), chunkSize: smaller(parsed.data.chunkSize) };
  throw errors.badConfiguration(`${table.sourceName}: ${problemsOf(parsed.error)}`);
}

/**
 * Rows of the first batches of a first load: two chunks, and in each twice the one before, so that the warehouse need not wait
 * until a whole batch is read, and says early what it refuses. Where rows are merged a batch costs it a look at all that is
 * there: as few as can be.
 */
export const firstRows = (table: Table, pass: Pass, chunkSize: number): number =>
  appendsAll(table, pass) ? chunkSize * 2 ** (pass.batches + 1) : Number.POSITIVE_INFINITY;
