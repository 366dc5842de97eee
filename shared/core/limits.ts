import { errors } from '../model/errors.ts';
import { type Job, Limits } from '../model/job.ts';
import { problemsOf } from '../model/problems.ts';
import type { Table } from '../model/table.ts';

/** A table's own limits, else its job's. @throws LoaderError BadConfiguration where the two don't go together */
export function limitsOf(job: Job, table: Table): Limits {
  const parsed = Limits.safeParse({
    rowLimit: table.rowLimit ?? job.rowLimit,
    chunkSize: table.chunkSize ?? job.chunkSize,
  });
  if (parsed.success) return parsed.data;
  throw errors.badConfiguration(`${table.sourceName}: ${problemsOf(parsed.error)}`);
}
