import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { settleOrphan } from '../../functions/sweep.ts';
import { deltaKey, Stage, tablePrefix } from '../../shared/aws/stage.ts';
import { services } from './services.ts';

const MB = 1024 * 1024;
const at = services(setUp, cleanUp);
let stage: Stage;
/** The operations that the stage's client has sent. */
const sent: string[] = [];
const keyOf = (name: string) => `stage/${at.prefix}/${name}`;

function setUp(): void {
  at.s3.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        sent.push(commandName.replace(/Command$/, ''));
        return next(args);
      },
    { step: 'initialize' },
  );
  stage = new Stage(at.bucket, at.s3);
}

async function cleanUp(): Promise<void> {
  await stage.remove(await keys());
  for (const { Key, UploadId } of await uploads())
    await at.s3.send(new AbortMultipartUploadCommand({ Bucket: at.bucket, Key, UploadId }));
}

async function keys(): Promise<string[]> {
  const { Contents = [] } = await at.s3.send(new ListObjectsV2Command({ Bucket: at.bucket, Prefix: keyOf('') }));
  return Contents.map(({ Key = '' }) => Key);
}

async function uploads() {
  const { Uploads = [] } = await at.s3.send(new ListMultipartUploadsCommand({ Bucket: at.bucket, Prefix: keyOf('') }));
  return Uploads.filter(({ Key }) => Key?.startsWith(keyOf('')));
}

async function hashOf(body: Readable): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(body, new Writable({ write: (chunk, _encoding, done) => void done(hash.update(chunk) && null) }));
  return hash.digest('hex');
}

/** Writes that many chunks of 1 MB, as fast as they are taken. */
async function fill(sink: Writable, megabytes: number): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(async function* () {
    for (let i = 0; i < megabytes; i++) {
      const chunk = randomBytes(MB);
      hash.update(chunk);
      yield chunk;
    }
  }, sink);
  return hash.digest('hex');
}

test('40 MB come back as they were written, uploaded in parts', async () => {
  sent.length = 0;
  const { result, bytes } = await stage.write(keyOf('large'), (sink) => fill(sink, 40));
  assert.equal(bytes, 40 * MB);
  assert.ok(sent.includes('CompleteMultipartUpload') && sent.filter((one) => one === 'UploadPart').length === 3);
  const { Body, ContentLength } = await at.s3.send(new GetObjectCommand({ Bucket: at.bucket, Key: keyOf('large') }));
  assert.equal(ContentLength, 40 * MB);
  assert.equal(await hashOf(Body as Readable), result);
});

test('a small object takes a single PUT, and so does an empty one', async () => {
  for (const [name, body] of [
    ['small', 'a,b\n'],
    ['empty', ''],
  ] as const) {
    sent.length = 0;
    const { bytes } = await stage.write(keyOf(name), async (sink) => void sink.end(body));
    assert.deepEqual(sent, ['PutObject']);
    const { ContentLength } = await at.s3.send(new HeadObjectCommand({ Bucket: at.bucket, Key: keyOf(name) }));
    assert.deepEqual([bytes, ContentLength], [body.length, body.length]);
  }
});

test('an upload whose source fails leaves neither an object nor an open upload, and tells why', async () => {
  for (const megabytes of [0, 1, 40])
    await assert.rejects(
      stage.write(keyOf(`failed-${megabytes}`), async (sink) => {
        for (let i = 0; i < megabytes; i++)
          if (!sink.write(randomBytes(MB))) await new Promise((go) => sink.once('drain', go));
        throw new Error('the source went away');
      }),
      /the source went away/,
    );
  await assert.rejects(
    stage.write(keyOf('failed-late'), async (sink) => {
      await fill(sink, 20);
      throw new Error('the source went away');
    }),
    /the source went away/,
  );
  assert.deepEqual(
    (await keys()).filter((key) => key.includes('failed')),
    [],
  );
  assert.deepEqual(await uploads(), []);
});

test('what is begun is free for the next while it is being stored, and tells its bytes once it is there', async () => {
  const first = await stage.begin(keyOf('first'), (sink) => fill(sink, 1));
  const second = await stage.begin(keyOf('second'), (sink) => fill(sink, 20));
  assert.deepEqual([await first.stored, await second.stored], [MB, 20 * MB]);
  for (const [key, { result }] of [['first', first] as const, ['second', second] as const]) {
    const { Body } = await at.s3.send(new GetObjectCommand({ Bucket: at.bucket, Key: keyOf(key) }));
    assert.equal(await hashOf(Body as Readable), result);
  }
  const { stored } = await new Stage(`${at.prefix}-nowhere`, at.s3).begin(
    keyOf('a'),
    async (sink) => void sink.end('x'),
  );
  await assert.rejects(stored, { name: 'NoSuchBucket' });
});

test('a bucket that is not there fails the write with its name', async () => {
  const nowhere = new Stage(`${at.prefix}-nowhere`, at.s3);
  await assert.rejects(
    nowhere.write(keyOf('a'), (sink) => fill(sink, 1)),
    { name: 'NoSuchBucket' },
  );
});

test('objects are removed, those that are not there without complaint, more than one call takes included', async () => {
  await stage.put(keyOf('one'), 'x');
  await stage.put(keyOf('two & <three> "four" ü'), 'x');
  const never = Array.from({ length: 1_100 }, (_, i) => keyOf(`never-${i}`));
  sent.length = 0;
  await stage.remove([keyOf('one'), ...never, keyOf('two & <three> "four" ü')]);
  // S3 takes 1,000 keys a call, its stand-in any.
  assert.deepEqual(sent, ['DeleteObjects', 'DeleteObjects']);
  assert.deepEqual(
    (await keys()).filter((key) => /one|two/.test(key)),
    [],
  );
  await stage.remove([]);
});

test('what lies below a prefix is listed and discarded, an upload that was never completed included', async () => {
  const open = new CreateMultipartUploadCommand({ Bucket: at.bucket, Key: keyOf('left/open') });
  const { UploadId: uploadId = '' } = await at.s3.send(open);
  await stage.put(keyOf('left/object'), 'x');
  await stage.put(keyOf('kept'), 'x');
  const left = await stage.list(keyOf('left/'));
  assert.deepEqual(left, [{ key: keyOf('left/object') }, { key: keyOf('left/open'), uploadId }]);
  await stage.discard(left);
  assert.deepEqual(await stage.list(keyOf('left/')), []);
  assert.deepEqual(await stage.list(keyOf('kept')), [{ key: keyOf('kept') }]);
});

test('more than S3 lists or deletes at once are listed and removed all the same', async () => {
  const names = Array.from({ length: 1_001 }, (_, i) => keyOf(`many/${i}`));
  for (let start = 0; start < names.length; start += 100)
    await Promise.all(names.slice(start, start + 100).map((name) => stage.put(name, 'x')));
  const many = await stage.list(keyOf('many/'));
  assert.equal(many.length, 1_001);
  await stage.discard(many);
  assert.deepEqual(await stage.list(keyOf('many/')), []);
});

test('when a dead load is settled its objects are gone already, those of the batch that stays are not', async () => {
  const [jobId, table] = [at.prefix, 'orders'];
  const mine = { shape: '', nullMarker: '~22~', objects: [], cursor: null, last: true };
  const [dead, alive] = ['~11~', '~22~'].map((nullMarker) => deltaKey(jobId, 'run', table, nullMarker));
  for (const key of [dead, alive]) await stage.put(key ?? '', 'rows');
  const settled: string[][] = [];
  const there = async () => (await stage.list(tablePrefix(jobId, table))).map(({ key }) => key);
  const settle = async (name: string) => void settled.push([name, ...(await there())]);
  await settleOrphan('load/1/', { jobId, table }, [mine], { stage, warehouse: { settle } });
  assert.deepEqual(settled, [['load/1/', alive]]);
});

test('what S3 refused to remove is told', async () => {
  // An account refuses it to whoever lacks the permission; this is the answer that the API reference documents for that.
  const server = createServer((_request, response) => {
    const error = '<Error><Key>stage/a</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0"?><DeleteResult>${error}</DeleteResult>`);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials,
    forcePathStyle: true,
  });
  try {
    const denied = /refused to delete stage\/a: AccessDenied Access Denied/;
    await assert.rejects(new Stage('bucket', client).remove(['stage/a']), denied);
  } finally {
    client.destroy();
    server.closeAllConnections();
    server.close();
  }
});

test('the URL is what COPY takes', () => {
  assert.equal(stage.url('stage/a'), `s3://${at.bucket}/stage/a`);
});
