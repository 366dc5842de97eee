import { ListMultipartUploadsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type pg from 'pg';
import type { Cloud } from '../../../local/cloud.ts';
import type { Operator } from '../../../local/operator.ts';
import { verify } from '../../../local/verify.ts';
import type { Schedules } from '../../../shared/aws/schedules.ts';
import { jobPrefix } from '../../../shared/aws/stage.ts';
import { follow, followedOf } from '../../../shared/core/schedule/follow.ts';
import { COMPARISONS } from '../../../shared/model/compared.ts';

/** What was asked of the admin function last, and has succeeded. */
export interface Asked {
  table: string;
  rowLimit: number;
  maxLagSeconds: number;
  schedule: string;
  frequency: number;
}

/** Where to look. */
export interface Places {
  asked: Asked | null;
  operator: Operator;
  schedules: Schedules;
  /** EventBridge Scheduler's own. */
  scheduler: Cloud['scheduler'];
  s3: S3Client;
  source: pg.Client;
  warehouse: pg.Client;
  bucket: string;
  /** Of both sides, past any fault. */
  urls: { source: string; warehouse: string };
  job: string;
  schema: string;
}

/** Whatever must not be once all has been well: rows that differ, and what was left behind. */
export async function wrongsOf(places: Places): Promise<string[]> {
  const all = [
    differing(places),
    notMet(places),
    notFollowed(places),
    notEdited(places),
    leftInTable(places),
    leftInBucket(places),
    leftInWarehouse(places),
  ];
  return (await Promise.all(all)).flat();
}

async function differing({ operator, urls, job: jobId, schema }: Places): Promise<string[]> {
  const { job, tables } = await operator.readJob(jobId);
  const results = await verify(job, tables, urls.source, urls.warehouse, schema);
  return [...results].flatMap(([name, found]) => {
    if (found instanceof Error) return [`${name}: ${found.message}`];
    const { sourceRows, warehouseRows, sourceChecksum, warehouseChecksum } = found;
    if (sourceRows === warehouseRows && sourceChecksum === warehouseChecksum) return [];
    return [`${name} differs: ${sourceRows} rows at the source, ${warehouseRows} in the warehouse`];
  });
}

/** Tables of the source that the job does not know. */
async function notMet({ operator, source, job }: Places): Promise<string[]> {
  const { tables } = await operator.readJob(job);
  const { rows } = await source.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  return rows.flatMap(({ tablename }) =>
    tables.some(({ sourceName, created }) => sourceName === tablename && created) ? [] : [`${tablename} is not set up`],
  );
}

/** Schedules that Scheduler holds otherwise than their items say. */
async function notFollowed({ schedules, scheduler, job }: Places): Promise<string[]> {
  const follows = follow(await schedules.list(job), { disabled: false });
  return [...follows.values()].flatMap(({ schedule, enabled }) => {
    if (!schedule) return ['a schedule can not be followed'];
    const { name, expression } = followedOf(schedule, enabled, Date.now());
    const held = scheduler.list().find((one) => one.name === name)?.definition.ScheduleExpression;
    return held === expression ? [] : [`${name} is ${expression}, and Scheduler holds ${held}`];
  });
}

/** Items that say something else than was asked for. */
async function notEdited({ operator, schedules, job: jobId, asked }: Places): Promise<string[]> {
  if (!asked) return [];
  const { table, schedule, ...wanted } = asked;
  const { job, tables } = await operator.readJob(jobId);
  const kept = await schedules.read(jobId, schedule);
  const found = {
    rowLimit: tables.find(({ sourceName }) => sourceName === table)?.rowLimit,
    maxLagSeconds: job.maxLagSeconds,
    frequency: kept && !(kept.schedule instanceof Error) ? kept.schedule.frequency : undefined,
  };
  const names = Object.keys(wanted) as (keyof typeof wanted)[];
  return names.flatMap((name) =>
    found[name] === wanted[name] ? [] : [`${name} is ${found[name]}, and was edited to ${wanted[name]}`],
  );
}

/** Work that somebody seems to be at, and runs that seem to be going on. */
async function leftInTable({ operator, job }: Places): Promise<string[]> {
  const { states, compared } = await operator.readJob(job);
  const comparing = [...compared.values()].flatMap((one) => {
    const { sourceName, claimedBy, suspects, verifyError, reconcileError } = one;
    const begun = COMPARISONS.filter((kind) => (one[`${kind}Begun`] ?? '') > (one[`${kind}Ended`] ?? ''));
    return Object.entries({
      claimedBy,
      suspects,
      verifyError,
      reconcileError,
      begun: begun.length > 0 ? begun : undefined,
    })
      .filter(([, value]) => value !== undefined)
      .map(([what, value]) => `${sourceName} is still compared, ${what}: ${JSON.stringify(value)}`);
  });
  const left = [...states].flatMap(([name, { value }]) => {
    const { lease, pass, batch, ahead, orphan, replaces, lastError } = value;
    return Object.entries({ lease, pass, batch, ahead, orphan, replaces, lastError })
      .filter(([, one]) => one !== undefined)
      .map(([what, one]) => `${name} still has its ${what}: ${JSON.stringify(one)}`);
  });
  const runs = await operator.runs.list(job, 6);
  return [
    ...left,
    ...comparing,
    ...runs.filter(({ status }) => status === 'running').map(({ runId }) => `run ${runId} never ended`),
  ];
}

async function leftInBucket({ s3, bucket: Bucket, job }: Places): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: jobPrefix(job) }));
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  return [...Contents.map(({ Key }) => `object ${Key} is left`), ...Uploads.map(({ Key }) => `upload ${Key} is open`)];
}

async function leftInWarehouse({ warehouse, schema }: Places): Promise<string[]> {
  const { rows } = await warehouse.query(
    `SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%' AND schemaname = '${schema}'`,
  );
  return rows.map(({ tablename }) => `stage ${tablename} is left`);
}
