import assert from 'node:assert/strict';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { REGION } from '../../local/identity.ts';
import type { Bench, TestJob } from './harness.ts';

/** After a failure: every lease is free, and nothing is staged, in S3 or in the warehouse. */
export async function nothingLeft({ installation: { cloud } }: Bench, job: TestJob): Promise<void> {
  await cloud.idle();
  const { states } = await job.read();
  for (const [name, { value }] of states) assert.equal(value.lease, undefined, `${name} is free`);
  const client = new S3Client({
    endpoint: cloud.endpoint,
    region: REGION,
    credentials: cloud.credentials,
    forcePathStyle: true,
  });
  const Bucket = cloud.stack.of('AWS::S3::Bucket')[0]?.name;
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `stage/${job.jobId}/` }));
  assert.deepEqual(
    Contents.map((object) => object.Key),
    [],
    'no object is left',
  );
  assert.deepEqual(await job.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'loader%'"), []);
}
