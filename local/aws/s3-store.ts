import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { ServiceError } from '../service.ts';
import type { Digest } from './s3-body.ts';

const Meta = z.object({
  key: z.string(),
  size: z.number(),
  /** With its quotes. */
  etag: z.string(),
  /** ISO 8601. */
  lastModified: z.string(),
  /** Response headers given at the upload: content-type, x-amz-meta-…, checksums. */
  headers: z.record(z.string(), z.string()),
});
export type ObjectMeta = z.infer<typeof Meta>;

export interface Part {
  number: number;
  etag: string;
}

interface Upload {
  bucket: string;
  key: string;
  headers: Record<string, string>;
  initiated: string;
  parts: Map<number, { size: number; md5: string; file: string }>;
}

/** A body on its way in: its bytes, and their digest once they have all been read (throws if it isn't the announced one). */
export interface Incoming {
  bytes: AsyncIterable<Buffer>;
  digest(): Digest;
}

/** "Part size: 5 MiB to 5 GiB. There is no minimum size limit on the last part" (Amazon S3 multipart upload limits). */
const MIN_PART = 5 * 1024 * 1024;

/** Objects as files, two each: the bytes (`.data`) and what is known of them (`.json`). Bytes never lie in memory. */
export class ObjectStore {
  readonly #dir: string;
  readonly #buckets = new Map<string, Map<string, ObjectMeta>>();
  readonly #uploads = new Map<string, Upload>();

  constructor(dir: string, buckets: string[]) {
    this.#dir = dir;
    // An upload doesn't outlive the process that its parts were sent to: its sender is gone with it.
    mkdirSync(join(dir, '.uploads'), { recursive: true });
    for (const bucket of buckets) this.#buckets.set(bucket, load(join(dir, bucket)));
  }

  bucket(name: string): Map<string, ObjectMeta> {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined)
      throw new ServiceError('NoSuchBucket', `The specified bucket does not exist: ${name}`, 404);
    return bucket;
  }

  find(bucket: string, key: string): ObjectMeta | undefined {
    return this.bucket(bucket).get(key);
  }

  /** @param range first and last byte, both included */
  read(bucket: string, key: string, range?: { start: number; end: number }): Readable {
    return createReadStream(`${this.#path(bucket, key)}.data`, range ?? {});
  }

  /** Keys with this prefix in the order of their UTF-8 bytes, as S3 lists them. */
  list(bucket: string, prefix: string): ObjectMeta[] {
    const found = [...this.bucket(bucket).values()].filter(({ key }) => key.startsWith(prefix));
    return found.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  async put(bucket: string, key: string, body: Incoming, headers: Record<string, string>): Promise<ObjectMeta> {
    this.bucket(bucket);
    const { file, digest } = await this.#receive(body);
    const checksum = digest.checksum && { [digest.checksum.header]: digest.checksum.value };
    return this.#commit(bucket, file, {
      key,
      size: digest.size,
      etag: `"${digest.md5}"`,
      headers: { ...headers, ...checksum },
    });
  }

  async delete(bucket: string, key: string): Promise<void> {
    this.bucket(bucket).delete(key);
    const path = this.#path(bucket, key);
    await Promise.all([rm(`${path}.json`, { force: true }), rm(`${path}.data`, { force: true })]);
  }

  startUpload(bucket: string, key: string, headers: Record<string, string>): string {
    this.bucket(bucket);
    const id = randomUUID();
    this.#uploads.set(id, { bucket, key, headers, initiated: new Date().toISOString(), parts: new Map() });
    return id;
  }

  uploads(bucket: string): { id: string; key: string; initiated: string }[] {
    return [...this.#uploads]
      .filter(([, upload]) => upload.bucket === bucket)
      .map(([id, { key, initiated }]) => ({ id, key, initiated }));
  }

  /** Returns the part's digest; its ETag is the quoted MD5. */
  async putPart(id: string, number: number, body: Incoming): Promise<Digest> {
    const upload = this.#upload(id);
    if (!(number >= 1 && number <= 10_000)) {
      throw new ServiceError('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
    }
    const { file, digest } = await this.#receive(body);
    const replaced = upload.parts.get(number);
    upload.parts.set(number, { size: digest.size, md5: digest.md5, file });
    if (replaced !== undefined) await rm(replaced.file, { force: true });
    return digest;
  }

  async completeUpload(id: string, parts: Part[]): Promise<ObjectMeta> {
    const upload = this.#upload(id);
    const chosen = parts.map(({ number, etag }, i) => {
      const part = upload.parts.get(number);
      if (part === undefined || part.md5 !== etag.replaceAll('"', '')) {
        throw new ServiceError('InvalidPart', `Part ${number} could not be found, or its ETag is another`);
      }
      if (i > 0 && number <= (parts[i - 1]?.number ?? 0))
        throw new ServiceError('InvalidPartOrder', 'Parts must be in ascending order');
      if (i < parts.length - 1 && part.size < MIN_PART) {
        throw new ServiceError('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
      }
      return part;
    });
    const [first, ...others] = chosen;
    if (first === undefined) throw new ServiceError('MalformedXML', 'You must specify at least one part');
    for (const { file } of others)
      await pipeline(createReadStream(file), createWriteStream(first.file, { flags: 'a' }));
    this.#uploads.delete(id);
    const md5 = createHash('md5');
    for (const part of chosen) md5.update(Buffer.from(part.md5, 'hex'));
    const size = chosen.reduce((sum, part) => sum + part.size, 0);
    const etag = `"${md5.digest('hex')}-${chosen.length}"`;
    const object = await this.#commit(upload.bucket, first.file, {
      key: upload.key,
      size,
      etag,
      headers: upload.headers,
    });
    await this.#discard(upload);
    return object;
  }

  async abortUpload(id: string): Promise<void> {
    const upload = this.#upload(id);
    this.#uploads.delete(id);
    await this.#discard(upload);
  }

  #upload(id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload !== undefined) return upload;
    throw new ServiceError(
      'NoSuchUpload',
      'The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      404,
    );
  }

  async #discard(upload: Upload): Promise<void> {
    await Promise.all([...upload.parts.values()].map(({ file }) => rm(file, { force: true })));
  }

  async #receive(body: Incoming): Promise<{ file: string; digest: Digest }> {
    const file = join(this.#dir, '.uploads', randomUUID());
    try {
      await pipeline(body.bytes, createWriteStream(file));
      return { file, digest: body.digest() };
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }

  /** An object appears all at once: bytes first, then the file that makes them known. */
  async #commit(bucket: string, file: string, meta: Omit<ObjectMeta, 'lastModified'>): Promise<ObjectMeta> {
    const object = { ...meta, lastModified: new Date().toISOString() };
    const path = this.#path(bucket, meta.key);
    await rename(file, `${path}.data`);
    await writeFile(`${path}.json`, JSON.stringify(object));
    this.bucket(bucket).set(meta.key, object);
    return object;
  }

  /** Readable where the file system allows a name of that length. */
  #path(bucket: string, key: string): string {
    const name = encodeURIComponent(key).replaceAll('.', '%2E');
    const hash = createHash('sha256').update(key).digest('hex');
    return join(this.#dir, bucket, name.length <= 200 ? name : `${name.slice(0, 120)}-${hash}`);
  }
}

function load(dir: string): Map<string, ObjectMeta> {
  if (!existsSync(dir)) mkdirSync(dir, { recursive: true });
  const files = readdirSync(dir).filter((file) => file.endsWith('.json'));
  const objects = files.map((file) => Meta.parse(JSON.parse(readFileSync(join(dir, file), 'utf8'))));
  return new Map(objects.map((object) => [object.key, object]));
}
