import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { REGION } from '../../local/identity.ts';
import type { Bench } from './harness.ts';

/** An installation's bucket, as an administrator sees it. */
function bucketOf({ installation: { cloud } }: Bench) {
  const client = new S3Client({
    endpoint: cloud.endpoint,
    region: REGION,
    credentials: cloud.credentials,
    forcePathStyle: true,
  });
  return { client, Bucket: cloud.stack.of('AWS::S3::Bucket')[0]?.name };
}

/** The keys below a prefix. */
export async function keysBelow(bench: Bench, Prefix: string): Promise<string[]> {
  const { client, Bucket } = bucketOf(bench);
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix }));
  return Contents.map((object) => object.Key ?? '');
}

/** Takes objects away, as a person might who tidies up. */
export async function removeObjects(bench: Bench, keys: string[]): Promise<void> {
  const { client, Bucket } = bucketOf(bench);
  for (const Key of keys) await client.send(new DeleteObjectCommand({ Bucket, Key }));
}

/** Puts other rows into an object of the stage. */
export async function rewriteObject(bench: Bench, Key: string, change: (csv: string) => string): Promise<void> {
  const { client, Bucket } = bucketOf(bench);
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  const csv = zstdDecompressSync((await Body?.transformToByteArray()) ?? new Uint8Array()).toString();
  await client.send(new PutObjectCommand({ Bucket, Key, Body: zstdCompressSync(change(csv)) }));
}

/** The lines of all objects below a prefix, in the order of their keys. */
export async function linesBelow(bench: Bench, prefix: string): Promise<string[]> {
  const { client, Bucket } = bucketOf(bench);
  const lines: string[] = [];
  for (const Key of await keysBelow(bench, prefix)) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    lines.push(...((await Body?.transformToString()) ?? '').split('\n').filter((line) => line !== ''));
  }
  return lines;
}
