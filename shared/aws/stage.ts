import { createHash } from 'node:crypto';
import { PassThrough, Transform, type Writable } from 'node:stream';
import { DeleteObjectsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Batch, TableState } from '../model/state.ts';

/** Parts of an upload: memory per stream is at most PART_BYTES × (PARTS_IN_FLIGHT + 1); an object at most 160 GB. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_IN_FLIGHT = 2;
/** DeleteObjects takes at most this many keys. */
const DELETE_AT_ONCE = 1_000;

/** Where a chunk's object lies: under the job and run, the table by a hash, since its name may be anything. */
export const objectKey = (jobId: string, runId: string, table: string, part: string): string =>
  `stage/${jobId}/${runId}/${createHash('sha256').update(table).digest('hex').slice(0, 16)}/${part}.csv.zst`;

/** Where it is told which rows' values an object has changed: kept for longer than the object, by the bucket's lifecycle. */
export const changedKey = (objectKey: string): string =>
  objectKey.replace(/^stage\//, 'changed/').replace(/\.csv\.zst$/, '.jsonl');

/** The object of one range of one call of extract, of the batch that comes after so many others of its pass. */
export const chunkKey = (
  { jobId, runId, table }: { jobId: string; runId: string; table: string },
  batches: number,
  call: number,
  range: number,
): string => objectKey(jobId, runId, table, `${batches}-${call}-${range}`);

/** Every object that a table's batches may have staged, whether their extracts ended or not. */
export function stagedKeys(jobId: string, runId: string, { sourceName, pass, batch, ahead }: TableState): string[] {
  if (!pass || !batch) return [];
  const chunksOf = ({ calls = [] }: Batch, batches: number) =>
    calls.flatMap((ranges, call) =>
      Array.from({ length: ranges }, (_, i) => chunkKey({ jobId, runId, table: sourceName }, batches, call, i)),
    );
  const objects = batch.objects.map((object) => object.key);
  const chunks = [...chunksOf(batch, pass.batches), ...(ahead ? chunksOf(ahead, pass.batches + 1) : [])];
  const all = [...new Set([...objects, ...chunks])];
  // The manifest is named by the first of several.
  return objects[0] && objects.length > 1 ? [...all, manifestKey(objects[0])] : all;
}

/** Names the objects of a batch that has several. */
export const manifestKey = (firstKey: string): string => `${firstKey}.manifest`;

/**
 * Each object is a zstd frame with a checksum of its own, which COPY verifies, and travels by TLS: a checksum and a hash in
 * the signature besides would cost a sixth of extract's CPU.
 */
function s3Client(): S3Client {
  const client = new S3Client({ requestChecksumCalculation: 'WHEN_REQUIRED' });
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsignedPayload' },
  );
  return client;
}

/** The staging bucket. */
export class Stage {
  readonly #client: S3Client;
  readonly bucket: string;

  constructor(bucket: string, client = s3Client()) {
    this.bucket = bucket;
    this.#client = client;
  }

  url(key: string): string {
    return `s3://${this.bucket}/${key}`;
  }

  /**
   * Uploads what `fill` writes, part by part; small objects take a single PUT. When `fill` fails the upload is aborted and
   * leaves nothing behind.
   * @returns what `fill` returned, and the bytes uploaded
   */
  async write<T>(key: string, fill: (sink: Writable) => Promise<T>): Promise<{ result: T; bytes: number }> {
    let bytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        done(null, chunk);
      },
    });
    const body = counted.pipe(new PassThrough());
    const upload = new Upload({
      client: this.#client,
      params: { Bucket: this.bucket, Key: key, Body: body },
      partSize: PART_BYTES,
      queueSize: PARTS_IN_FLIGHT,
    });
    counted.on('error', (error) => body.destroy(error));
    const uploaded = upload.done();
    // Until both are awaited below, a failed upload must not count as unhandled.
    uploaded.catch((error) => counted.destroy(error as Error));
    try {
      const result = await fill(counted);
      await uploaded;
      return { result, bytes };
    } catch (error) {
      // Not upload.abort(): that answers at once, and would abort the parts in flight after Lambda has frozen the process.
      body.destroy(error as Error);
      const complete = await uploaded.then(
        () => true,
        () => false,
      );
      if (complete) await this.remove([key]);
      throw error;
    }
  }

  async put(key: string, body: string | Uint8Array): Promise<void> {
    await this.#client.send(new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: body }));
  }

  /** Removes objects that are loaded; what a dead run left, the bucket's lifecycle expires. */
  async remove(keys: string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += DELETE_AT_ONCE) {
      const Objects = keys.slice(start, start + DELETE_AT_ONCE).map((Key) => ({ Key }));
      const { Errors = [] } = await this.#client.send(
        new DeleteObjectsCommand({ Bucket: this.bucket, Delete: { Objects, Quiet: true } }),
      );
      const [first] = Errors;
      if (first) throw new Error(`S3 refused to delete ${first.Key}: ${first.Code} ${first.Message}`);
    }
  }
}
