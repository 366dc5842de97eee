import { plural } from '../../local/ui/units.ts';
import { renderVerification } from '../../local/ui/verification.ts';
import type { Commands } from '../commands.ts';
import { details, grid, moment, type Style } from '../layout.ts';
import { renderSetUp, toDo } from './setup.ts';
import { tableGrid } from './tables.ts';

const edited = ({ job, version }: { job: string; version: number }): string =>
  `  Job ${job} is edited (version ${version})\n`;

export const JOBS: Commands<'jobs'> = {
  'jobs.create': {
    args: ['jobId'],
    show: ({ job }) => `  Job ${job} is created. Next: jobs test-connection ${job}, then jobs setup ${job}\n`,
  },
  'jobs.edit': { args: ['jobId'], show: edited },
  'jobs.pause': { args: ['jobId'], show: ({ job }) => `  Job ${job} rests until jobs resume ${job}\n` },
  'jobs.resume': { args: ['jobId'], show: ({ job }) => `  The schedules of job ${job} run again\n` },
  'jobs.list': {
    args: [],
    show: ({ jobs }, style) =>
      grid(
        jobs,
        [
          { head: 'job', cell: (one) => one.jobId },
          { head: 'destination', cell: (one) => one.destination },
          { head: 'tables', cell: (one) => one.tables },
          { head: 'last run', cell: (one) => one.lastRun?.status ?? null },
          { head: 'at (UTC)', cell: (one) => moment(one.lastRun?.startedAt) },
          { head: 'error', cell: (one) => one.error },
        ],
        style,
      ),
  },
  'jobs.show': {
    args: ['jobId'],
    show: ({ job, version, tables, lastRun, error }, style) => {
      const run = lastRun ? `${lastRun.status}, ${moment(lastRun.startedAt)} UTC` : 'none yet';
      const told = { ...job, version, 'last run': run, ...(error ? { error } : {}) };
      return `${details(told, style)}\n${tableGrid(tables, style)}`;
    },
  },
  'jobs.test-connection': { args: ['jobId'], show: connection },
  'jobs.setup': { args: ['jobId'], show: ({ setupId }) => `  Setup ${setupId} is started\n` },
  'jobs.setup-status': { args: ['setupId'], show: renderSetUp },
  'jobs.run': { args: ['jobId'], show: ({ job, runId }) => `  Run ${runId} is started: runs show ${job} --watch\n` },
  'jobs.verify': {
    args: ['jobId'],
    show: ({ job, verifyId }) => `  Verification ${verifyId} is started: jobs verify-status ${job} ${verifyId}\n`,
  },
  'jobs.verify-status': { args: ['jobId', 'verifyId'], show: renderVerification },
  'jobs.reset': {
    args: ['jobId'],
    show: ({ job, tables }) => `  The next run of job ${job} loads ${plural(tables.length, 'table')} from scratch\n`,
  },
  'jobs.delete': {
    args: ['jobId'],
    show: ({ job, items, secretRemoved, stages }) =>
      `  Job ${job} is deleted: ${plural(items, 'item')}${secretRemoved ? ', and its secret' : '; its secret is yours, and stays'}. ` +
      `The warehouse keeps its rows${stages.length > 0 ? `, and what loads that broke off have left, which nobody drops now: run ${stages.join(' ')}` : ''}\n`,
  },
};

function connection(
  found: {
    where: string;
    user: string;
    serverVersion: string;
    standby: boolean;
    tables: { name: string; readable: boolean }[];
    grants: string[];
    checks: string[];
  },
  style: Style,
): string {
  const hidden = found.tables.filter((table) => !table.readable).map(({ name }) => name);
  return details(
    {
      source: found.where,
      user: found.user,
      server: `Postgres ${found.serverVersion}${found.standby ? ', a standby' : ''}`,
      tables: found.tables.length,
      ...(hidden.length > 0 ? { 'not readable': hidden } : {}),
      ...toDo(found),
    },
    style,
  );
}
