import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { createS3 } from '../../local/aws/s3.ts';
import { createGate } from '../../local/gate.ts';
import { readRoles } from '../../local/iam.ts';
import { type FixtureCloud, fixtureCloud } from './fixture-cloud.ts';

let cloud: FixtureCloud;
let client: S3Client;
let Bucket: string;
before(async () => {
  cloud = await fixtureCloud();
  client = new S3Client(cloud.client);
  Bucket = cloud.bucket;
});
after(async () => {
  client.destroy();
  await cloud[Symbol.asyncDispose]();
});

const MB = 1024 * 1024;

test('an object comes back with its bytes, type and metadata, in part and whole', async () => {
  const Key = 'folder/ä b+c%2F&<x>.csv';
  await client.send(
    new PutObjectCommand({ Bucket, Key, Body: 'hello world', ContentType: 'text/csv', Metadata: { rows: '7' } }),
  );
  const whole = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
  assert.equal(await whole.Body?.transformToString(), 'hello world');
  assert.equal(whole.ContentType, 'text/csv');
  assert.deepEqual(whole.Metadata, { rows: '7' });
  assert.equal(whole.ETag, `"${createHash('md5').update('hello world').digest('hex')}"`);
  const part = await client.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=6-' }));
  assert.equal(await part.Body?.transformToString(), 'world');
  assert.equal((await client.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength, 11);
});

test('an upload of 200 MB in parts round-trips, and its bytes never lie in memory together', async () => {
  const block = Buffer.alloc(MB, 'abcdefgh');
  const expected = createHash('md5');
  const source = Readable.from(
    (function* () {
      for (let i = 0; i < 200; i++) {
        block.writeUInt32BE(i);
        expected.update(block);
        yield Buffer.from(block);
      }
    })(),
    { objectMode: false },
  );
  let peak = 0;
  const before = process.memoryUsage().arrayBuffers;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }, 20);
  const upload = new Upload({ client, params: { Bucket, Key: 'large', Body: source }, partSize: 5 * MB, queueSize: 1 });
  await upload.done();
  const { Body, ContentLength } = await client.send(new GetObjectCommand({ Bucket, Key: 'large' }));
  const actual = createHash('md5');
  for await (const chunk of Body as Readable) actual.update(chunk);
  clearInterval(sampler);
  assert.equal(ContentLength, 200 * MB);
  assert.equal(actual.digest('hex'), expected.digest('hex'));
  // The client's own parts are in here, too: they lie in this process.
  assert.ok(peak < 100 * MB, `${Math.round(peak / MB)} MB of buffers`);
});

test('keys are listed by prefix in the order of their bytes, page by page, and grouped by a delimiter', async () => {
  const keys = ['list/a/1', 'list/a/2', 'list/B', 'list/b', 'list/ä', 'other'];
  for (const Key of keys) await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
  const found: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix: 'list/', MaxKeys: 2, ContinuationToken }),
    );
    found.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  assert.deepEqual(found, ['list/B', 'list/a/1', 'list/a/2', 'list/b', 'list/ä']);
  const grouped = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'list/', Delimiter: '/' }));
  assert.deepEqual(grouped.CommonPrefixes, [{ Prefix: 'list/a/' }]);
  assert.equal(grouped.KeyCount, 4);
});

test('deleted objects are gone, one by one and in one call', async () => {
  for (const Key of ['d/1', 'd/2', 'd/&3']) await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'd/1' }));
  await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'd/2' }, { Key: 'd/&3' }] } }));
  assert.equal((await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'd/' }))).KeyCount, 0);
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: 'd/1' })), { name: 'NoSuchKey' });
});

test('an upload that is aborted leaves nothing; one that is open is listed; a part too small is refused', async () => {
  const start = async () => (await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'open' }))).UploadId;
  const UploadId = await start();
  const listed = await client.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.deepEqual(
    listed.Uploads?.map((upload) => upload.UploadId),
    [UploadId],
  );
  const put = (PartNumber: number) =>
    client.send(new UploadPartCommand({ Bucket, Key: 'open', UploadId, PartNumber, Body: 'small' }));
  const [{ ETag: first }, { ETag: second }] = [await put(1), await put(2)];
  const Parts = [
    { PartNumber: 1, ETag: first },
    { PartNumber: 2, ETag: second },
  ];
  const complete = new CompleteMultipartUploadCommand({ Bucket, Key: 'open', UploadId, MultipartUpload: { Parts } });
  await assert.rejects(client.send(complete), { name: 'EntityTooSmall' });
  await client.send(new AbortMultipartUploadCommand({ Bucket, Key: 'open', UploadId }));
  await assert.rejects(client.send(complete), { name: 'NoSuchUpload' });
  await assert.rejects(client.send(new HeadObjectCommand({ Bucket, Key: 'open' })), { name: 'NotFound' });
});

test('a body that is not the announced one is refused and does not become an object', async () => {
  const wrong = new PutObjectCommand({ Bucket, Key: 'wrong', Body: 'hello', ChecksumCRC32: 'AAAAAA==' });
  await assert.rejects(client.send(wrong), { name: 'BadDigest' });
  await assert.rejects(client.send(new HeadObjectCommand({ Bucket, Key: 'wrong' })), { name: 'NotFound' });
});

test('If-None-Match keeps an object that is there', async () => {
  const put = (Body: string) => client.send(new PutObjectCommand({ Bucket, Key: 'once', Body, IfNoneMatch: '*' }));
  await put('first');
  await assert.rejects(put('second'), { name: 'PreconditionFailed' });
});

test('what the stand-in does not have is refused by name', async () => {
  const answer = client.send(new ListObjectsV2Command({ Bucket: 'no-such-bucket' }));
  await assert.rejects(answer, { name: 'NoSuchBucket' });
});

test('objects are there after the next start, and COPY reads them as its role allows', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'allowed/1.csv', Body: '1,2' }));
  await client.send(new PutObjectCommand({ Bucket, Key: 'private/1.csv', Body: '3,4' }));
  const iam = readRoles(cloud.stack);
  const { objects } = createS3({ dir: `${cloud.state}/s3`, buckets: [Bucket], gate: createGate(iam), iam });
  const role = cloud.outputs.CopyRole ?? '';
  assert.equal(await text(await objects.read(Bucket, 'allowed/1.csv', role)), '1,2');
  await assert.rejects(objects.read(Bucket, 'private/1.csv', role), { name: 'AccessDenied', message: /s3:GetObject/ });
  await assert.rejects(objects.list(Bucket, 'allowed/', role), { name: 'AccessDenied', message: /s3:ListBucket/ });
  const stranger = cloud.stack.of('AWS::IAM::Role').find(({ logicalId }) => logicalId.startsWith('Probe'))?.arn ?? '';
  const message = /not authorized to assume IAM Role/;
  await assert.rejects(objects.read(Bucket, 'allowed/1.csv', stranger), { name: 'AccessDenied', message });
});
