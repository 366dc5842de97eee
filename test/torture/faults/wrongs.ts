import { ListMultipartUploadsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type pg from 'pg';
import type { Operator } from '../../../local/operator.ts';
import { verify } from '../../../local/verify.ts';

/** Where to look. */
export interface Places {
  operator: Operator;
  s3: S3Client;
  warehouse: pg.Client;
  bucket: string;
  /** Of both sides, past any fault. */
  urls: { source: string; warehouse: string };
  job: string;
  schema: string;
}

/** Whatever must not be once all has been well: rows that differ, and what was left behind. */
export async function wrongsOf(places: Places): Promise<string[]> {
  const all = [differing(places), leftInTable(places), leftInBucket(places), leftInWarehouse(places)];
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

/** Work that somebody seems to be at, and runs that seem to be going on. */
async function leftInTable({ operator, job }: Places): Promise<string[]> {
  const { states } = await operator.readJob(job);
  const left = [...states].flatMap(([name, { value }]) => {
    const { lease, pass, batch, ahead, orphan, lastError } = value;
    return Object.entries({ lease, pass, batch, ahead, orphan, lastError })
      .filter(([, one]) => one !== undefined)
      .map(([what, one]) => `${name} still has its ${what}: ${JSON.stringify(one)}`);
  });
  const runs = await operator.runs.list(job, 6);
  return [...left, ...runs.filter(({ status }) => status === 'running').map(({ runId }) => `run ${runId} never ended`)];
}

async function leftInBucket({ s3, bucket: Bucket }: Places): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'stage/' }));
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  return [...Contents.map(({ Key }) => `object ${Key} is left`), ...Uploads.map(({ Key }) => `upload ${Key} is open`)];
}

async function leftInWarehouse({ warehouse, schema }: Places): Promise<string[]> {
  const { rows } = await warehouse.query(
    `SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%' AND schemaname = '${schema}'`,
  );
  return rows.map(({ tablename }) => `stage ${tablename} is left`);
}
