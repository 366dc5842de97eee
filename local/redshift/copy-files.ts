import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import * as z from 'zod';
import { ServiceError } from '../service.ts';
import type { CopyStatement } from './copy-statement.ts';
import { LoadSourceError } from './load-error.ts';

/** Objects as the COPY role sees them; both reject with ServiceError AccessDenied / NoSuchKey. */
export interface Objects {
  read(bucket: string, key: string, roleArn: string): Promise<Readable>;
  list(bucket: string, prefix: string, roleArn: string): Promise<string[]>;
}

/** One object to load. `absent`: a manifest entry without `mandatory` whose object isn't there. */
export interface CopyFile {
  bucket: string;
  key: string;
  mandatory: boolean;
}

const MANIFEST = z.object({
  entries: z.array(z.object({ url: z.string(), mandatory: z.boolean().default(false), meta: z.unknown().optional() })),
});

/** The objects a COPY loads, in order: a manifest's entries (twice if listed twice), or all keys under the prefix. */
export async function copyFiles(copy: CopyStatement, role: string, objects: Objects): Promise<CopyFile[]> {
  const { bucket, key } = copy;
  if (!copy.manifest) {
    const keys = await objects.list(bucket, key, role).catch((error) => refuse(error, bucket, key));
    if (keys.length === 0) throw new LoadSourceError(`The specified S3 prefix '${key}' does not exist`);
    return keys.sort().map((found) => ({ bucket, key: found, mandatory: true }));
  }
  const manifest = await objects.read(bucket, key, role).catch((error) => {
    if (!(error instanceof ServiceError) || error.code !== 'NoSuchKey') return refuse(error, bucket, key);
    throw new LoadSourceError(
      `COPY with MANIFEST parameter requires full path of an S3 object (s3://${bucket}/${key})`,
    );
  });
  const entries = parseManifest(await readText(manifest), key);
  return entries.map(({ url, mandatory }) => {
    const place = /^s3:\/\/([^/]+)\/(.+)$/s.exec(url);
    if (!place) throw new LoadSourceError(`The S3 path "${url}" in the manifest is not valid`);
    return { bucket: place[1] ?? '', key: place[2] ?? '', mandatory };
  });
}

function parseManifest(text: string, key: string): { url: string; mandatory: boolean }[] {
  try {
    const { entries } = MANIFEST.parse(JSON.parse(text));
    if (entries.length > 0) return entries;
  } catch {
    throw new LoadSourceError(`Problem reading manifest file - ${key}: it is not a JSON object with "entries"`);
  }
  throw new LoadSourceError(`Problem reading manifest file - ${key}: it has no entries`);
}

async function readText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/**
 * An object's decompressed bytes, or undefined for an entry that may be missing and is.
 * @throws LoadSourceError in Redshift's words
 */
export async function openFile(
  file: CopyFile,
  copy: CopyStatement,
  role: string,
  objects: Objects,
): Promise<Readable | undefined> {
  let stream: Readable;
  try {
    stream = await objects.read(file.bucket, file.key, role);
  } catch (error) {
    if (!file.mandatory && error instanceof ServiceError && error.code === 'NoSuchKey') return undefined;
    return refuse(error, file.bucket, file.key);
  }
  if (copy.compression === 'none') return stream;
  return Readable.from(decompressed(stream, file, copy.compression), { objectMode: false });
}

/** Zlib's own 16 KB would hand a large load over in thousands of small pieces. */
const PIECE = { chunkSize: 256 * 1024 };

/**
 * Node's zstd stops at the end of a frame and drops what follows in the same piece of input, without an error (seen with
 * Node 24.21; gunzip goes on). Rather than lose rows, such a file is refused.
 */
async function* decompressed(stream: Readable, file: CopyFile, compression: 'gzip' | 'zstd'): AsyncGenerator<Buffer> {
  let bytes = 0;
  const counted = async function* (source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  const decompress = compression === 'gzip' ? createGunzip(PIECE) : createZstdDecompress(PIECE);
  // The loop below sees the error; the callback only keeps pipeline from rethrowing it.
  pipeline(stream, counted, decompress, () => undefined);
  yield* decompress;
  if (decompress.bytesWritten === bytes) return;
  throw new LoadSourceError(
    `Invalid ${compression.toUpperCase()} file: s3://${file.bucket}/${file.key} (${bytes - decompress.bytesWritten} bytes follow its first frame)`,
  );
}

/** How a decompressor's complaint is told. */
export function asSourceError(error: unknown, file: CopyFile, copy: CopyStatement): unknown {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string' || !/^(Z_|ZSTD_|ERR_)/.test(code)) return error;
  return new LoadSourceError(
    `Invalid ${copy.compression.toUpperCase()} file: s3://${file.bucket}/${file.key} (${(error as Error).message})`,
  );
}

function refuse(error: unknown, bucket: string, key: string): never {
  if (!(error instanceof ServiceError)) throw error;
  if (error.code === 'AccessDenied') {
    throw new LoadSourceError(
      `S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 0,ExtRid 0,CanRetry 1 (s3://${bucket}/${key})`,
    );
  }
  if (error.code === 'NoSuchBucket') {
    throw new LoadSourceError(
      `S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket,Rid 0,ExtRid 0,CanRetry 1 (${bucket})`,
    );
  }
  throw new LoadSourceError(
    `Problem reading file s3://${bucket}/${key}: S3ServiceException:${error.message},Status ${error.status},Error ${error.code}`,
  );
}
