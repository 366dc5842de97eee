import { pauseInstallation } from './installation/pause.ts';
import { resumeInstallation } from './installation/resume.ts';
import { showInstallation } from './installation/show.ts';
import { createJob } from './jobs/create.ts';
import { deleteJob } from './jobs/delete.ts';
import { editJob } from './jobs/edit.ts';
import { listJobs } from './jobs/list.ts';
import { pauseJob } from './jobs/pause.ts';
import { resetJob } from './jobs/reset.ts';
import { resumeJob } from './jobs/resume.ts';
import { runJob } from './jobs/run.ts';
import { setUpJob } from './jobs/setup.ts';
import { showSetup } from './jobs/setup-status.ts';
import { showJob } from './jobs/show.ts';
import { testConnection } from './jobs/test-connection.ts';
import { verifyJob } from './jobs/verify.ts';
import { showVerification } from './jobs/verify-status.ts';
import type { Operation } from './operation.ts';
import { listRuns } from './runs/list.ts';
import { showRun } from './runs/show.ts';
import { stopRun } from './runs/stop.ts';
import { createSchedule } from './schedules/create.ts';
import { deleteSchedule } from './schedules/delete.ts';
import { disableSchedule } from './schedules/disable.ts';
import { editSchedule } from './schedules/edit.ts';
import { enableSchedule } from './schedules/enable.ts';
import { listSchedules } from './schedules/list.ts';
import { previewSchedule } from './schedules/preview.ts';
import { showSchedule } from './schedules/show.ts';
import { editTable } from './tables/edit.ts';
import { listTables } from './tables/list.ts';
import { resetTable } from './tables/reset.ts';
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
  'jobs.verify': verifyJob,
  'jobs.verify-status': showVerification,
  'jobs.reset': resetJob,
  'jobs.pause': pauseJob,
  'jobs.resume': resumeJob,
  'jobs.delete': deleteJob,
  'tables.list': listTables,
  'tables.show': showTable,
  'tables.edit': editTable,
  'tables.reset': resetTable,
  'schedules.create': createSchedule,
  'schedules.edit': editSchedule,
  'schedules.enable': enableSchedule,
  'schedules.disable': disableSchedule,
  'schedules.delete': deleteSchedule,
  'schedules.list': listSchedules,
  'schedules.show': showSchedule,
  'schedules.preview': previewSchedule,
  'runs.list': listRuns,
  'runs.show': showRun,
  'runs.stop': stopRun,
  'installation.show': showInstallation,
  'installation.pause': pauseInstallation,
  'installation.resume': resumeInstallation,
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;
