import { createJob } from './jobs/create.ts';
import { deleteJob } from './jobs/delete.ts';
import { editJob } from './jobs/edit.ts';
import { listJobs } from './jobs/list.ts';
import { runJob } from './jobs/run.ts';
import { setUpJob } from './jobs/setup.ts';
import { showSetup } from './jobs/setup-status.ts';
import { showJob } from './jobs/show.ts';
import { testConnection } from './jobs/test-connection.ts';
import type { Operation } from './operation.ts';
import { listRuns } from './runs/list.ts';
import { showRun } from './runs/show.ts';
import { editTable } from './tables/edit.ts';
import { listTables } from './tables/list.ts';
import { showTable } from './tables/show.ts';

/** Everything that people can do, by the names that callers use: `<noun>.<verb>`. */
export const OPERATIONS = {
  'jobs.create': createJob,
  'jobs.edit': editJob,
  'jobs.show': showJob,
  'jobs.list': listJobs,
  'jobs.test-connection': testConnection,
  'jobs.setup': setUpJob,
  'jobs.setup-status': showSetup,
  'jobs.run': runJob,
  'jobs.delete': deleteJob,
  'tables.list': listTables,
  'tables.show': showTable,
  'tables.edit': editTable,
  'runs.list': listRuns,
  'runs.show': showRun,
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;
