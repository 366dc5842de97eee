import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Transform, type Writable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Batch } from '../model/state.ts';

/** Parts of an upload: memory per stream is at most PART_BYTES × (PARTS_IN_FLIGHT + 1); an object at most 160 GB. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_IN_FLIGHT = 2;
/** DeleteObjects takes at most this many keys. */
const DELETE_AT_ONCE = 1_000;

/** A table's place in the stage: a hash, since its name may be anything. */
export const tableHash = (table: string): string => createHash('sha256').update(table).digest('hex').slice(0, 16);

/** Where an object lies: under job, table and run. */
export const objectKey = (jobId: string, runId: string, table: string, part: string): string =>
  `${tablePrefix(jobId, table)}${runId}/${part}.csv.zst`;

/** What setup proves by that a file can go from S3 into Redshift. No job is called so. */
export const PROOF_KEY = 'stage/proof.csv.zst';
export const jobPrefix = (jobId: string): string => `stage/${jobId}/`;
export const tablePrefix = (jobId: string, table: string): string => `${jobPrefix(jobId)}${tableHash(table)}/`;

/**
 * Names a batch's objects apart from those of a batch that was cut before it in its place: what a function that nobody waits
 * for any more writes late is then never taken for them.
 */
const markOf = ({ nullMarker }: Pick<Batch, 'nullMarker'>): string => nullMarker.replaceAll('~', '');

/** What a comparison mends a table by: it lies there only while the comparison holds the table's lease. */
export const mendKey = (jobId: string, runId: string, table: string, part: string, nullMarker: string): string =>
  objectKey(jobId, runId, table, `mend-${part}-${markOf({ nullMarker })}`);

/** A small delta's one object. */
export const deltaKey = (jobId: string, runId: string, table: string, nullMarker: string): string =>
  objectKey(jobId, runId, table, `delta-${markOf({ nullMarker })}`);

/** Where it is told which rows' values an object has changed: kept for longer than the object, by the bucket's lifecycle. */
export const changedKey = (objectKey: string): string =>
  objectKey.replace(/^stage\//, 'changed/').replace(/(\.[0-9a-f]{8})?\.csv\.zst$/, '.jsonl');

/** Tells the objects of one call of extract from those of its twin: an invocation may be delivered twice, and the two see other rows. */
export const newWriter = (): string => randomBytes(4).toString('hex');

/** A text that stands for NULL in one batch's CSV: no value can be taken for it. */
export const newNullMarker = (): string => `~${randomBytes(8).toString('hex')}~`;

/** The object of one range of one call of extract. */
export const chunkKey = (
  { jobId, runId, table }: { jobId: string; runId: string; table: string },
  batch: Pick<Batch, 'nullMarker'>,
  { call, writer }: { call: number; writer: string },
  range: number,
): string => objectKey(jobId, runId, table, `${markOf(batch)}-${call}-${range}.${writer}`);

/** A batch's objects, and what names them. */
export function stagedKeys({ objects }: Batch): string[] {
  const keys = objects.map((object) => object.key);
  // The manifest is named by the first of several.
  return keys[0] && keys.length > 1 ? [...keys, manifestKey(keys[0])] : keys;
}

/** Something that lies in the stage: an object, or an upload that was never completed. */
export interface Staged {
  key: string;
  uploadId?: string;
}

/** The table, by its hash, the run or comparison that staged it, and which of the two that is. */
export function stagedBy({ key }: Staged): { table: string; runId: string; mends: boolean } {
  const [, , table = '', runId = '', part = ''] = key.split('/');
  return { table, runId, mends: part.startsWith('mend-') };
}

/** Whether something belongs to one of these batches. */
export const isOf = ({ key }: Staged, batches: (Batch | undefined)[]): boolean =>
  batches.some((batch) => batch && (key.includes(`/${markOf(batch)}-`) || key.includes(`-${markOf(batch)}.`)));

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
    const { result, stored } = await this.begin(key, fill);
    return { result, bytes: await stored };
  }

  /**
   * The same, but as soon as `fill` has ended, while the upload may still be under way.
   * @returns what `fill` returned, and `stored`: the bytes, once they are there. It has to be waited for, whatever comes: a
   * function that ends before it would be frozen in the middle of an upload
   */
  async begin<T>(key: string, fill: (sink: Writable) => Promise<T>): Promise<{ result: T; stored: Promise<number> }> {
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
    const stored = upload.done().then(() => bytes);
    // Until somebody waits for it, a failed upload must not count as unhandled.
    stored.catch((error) => counted.destroy(error as Error));
    try {
      return { result: await fill(counted), stored };
    } catch (error) {
      // Not upload.abort(): that answers at once, and would abort the parts in flight after Lambda has frozen the process.
      body.destroy(error as Error);
      const complete = await stored.then(
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

  /** All that lies below a prefix. */
  async list(prefix: string): Promise<Staged[]> {
    const staged: Staged[] = [];
    const pages = paginateListObjectsV2({ client: this.#client }, { Bucket: this.bucket, Prefix: prefix });
    for await (const { Contents = [] } of pages) staged.push(...Contents.map(({ Key = '' }) => ({ key: Key })));
    // A thousand at once: those that more than a thousand dead writers leave, the bucket's lifecycle ends.
    const { Uploads = [] } = await this.#client.send(
      new ListMultipartUploadsCommand({ Bucket: this.bucket, Prefix: prefix }),
    );
    return [...staged, ...Uploads.map(({ Key = '', UploadId = '' }) => ({ key: Key, uploadId: UploadId }))];
  }

  /** Removes what was listed, open uploads as well. */
  async discard(staged: Staged[]): Promise<void> {
    for (const { key, uploadId } of staged)
      if (uploadId !== undefined)
        await this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.bucket, Key: key, UploadId: uploadId }));
    await this.remove(staged.flatMap(({ key, uploadId }) => (uploadId === undefined ? [key] : [])));
  }

  /** Removes objects by their keys, those that are not there without complaint. */
  async remove(keys: string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += DELETE_AT_ONCE) {
      const Objects = keys.slice(start, start + DELETE_AT_ONCE).map((Key) => ({ Key }));
      const { Errors = [] } = await this.#client.send(
        new DeleteObjectsCommand({ Bucket: this.bucket, Delete: { Objects, Quiet: true } }),
      );
      const [first] = Errors;
      // By S3's own name for it: of some, such as SlowDown, it is known that they pass.
      if (first)
        throw Object.assign(new Error(`S3 refused to delete ${first.Key}: ${first.Code} ${first.Message}`), {
          name: first.Code ?? 'Error',
        });
    }
  }
}
