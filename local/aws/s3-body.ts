import { createHash, type Hash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { ServiceError } from '../service.ts';

/** What was found out about a body while it went by. */
export interface Digest {
  size: number;
  /** Hex. */
  md5: string;
  /** The checksum header that the client sent, e.g. `x-amz-checksum-crc32`, verified. */
  checksum?: { header: string; value: string };
}

/**
 * The body of a PUT without the framing that SDKs put around it (`aws-chunked`), and a digest of it when it has ended.
 * `digest()` compares size and checksums with what the client announced.
 *
 * @throws ServiceError `BadDigest`, `XAmzContentSHA256Mismatch`, `IncompleteBody`, `NotImplemented`
 */
export function readObjectBody(request: IncomingMessage): { bytes: AsyncIterable<Buffer>; digest(): Digest } {
  const { headers } = request;
  const md5 = createHash('md5');
  const trailers: Record<string, string> = {};
  const checksum = announcedChecksum(headers);
  const hash = checksum === undefined ? undefined : hasherFor(checksum.header);
  const signed = headers['x-amz-content-sha256'];
  const sha256 = typeof signed === 'string' && /^[0-9a-f]{64}$/.test(signed) ? createHash('sha256') : undefined;
  let size = 0;

  async function* read(): AsyncGenerator<Buffer> {
    const chunks = headers['content-encoding']?.includes('aws-chunked') ? unchunk(request, trailers) : request;
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      size += chunk.length;
      md5.update(chunk);
      hash?.update(chunk);
      sha256?.update(chunk);
      yield chunk;
    }
  }
  return {
    bytes: read(),
    digest() {
      const announced = Number(headers['x-amz-decoded-content-length'] ?? headers['content-length'] ?? size);
      if (size !== announced) throw new ServiceError('IncompleteBody', `${announced} bytes announced, ${size} came`);
      if (sha256 !== undefined && sha256.digest('hex') !== signed) {
        throw new ServiceError(
          'XAmzContentSHA256Mismatch',
          "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
      }
      if (checksum === undefined || hash === undefined) return { size, md5: md5.digest('hex') };
      const value = hash.digest();
      const expected = checksum.value ?? trailers[checksum.header];
      if (value !== expected) {
        throw new ServiceError(
          'BadDigest',
          `The ${checksum.header} you specified (${expected}) did not match the calculated checksum (${value}).`,
        );
      }
      return { size, md5: md5.digest('hex'), checksum: { header: checksum.header, value } };
    },
  };
}

function announcedChecksum(headers: IncomingHttpHeaders): { header: string; value?: string } | undefined {
  const trailer = headers['x-amz-trailer'];
  if (typeof trailer === 'string' && trailer.startsWith('x-amz-checksum-')) return { header: trailer };
  for (const [header, value] of Object.entries(headers)) {
    if (/^x-amz-checksum-(crc|sha)/.test(header) && typeof value === 'string') return { header, value };
  }
  return undefined;
}

interface Hasher {
  update(chunk: Buffer): unknown;
  /** Base64. */
  digest(): string;
}

function hasherFor(header: string): Hasher {
  switch (header) {
    case 'x-amz-checksum-crc32': {
      let value = 0;
      return {
        update: (chunk) => {
          value = crc32(chunk, value);
        },
        digest: () => {
          const bytes = Buffer.alloc(4);
          bytes.writeUInt32BE(value);
          return bytes.toString('base64');
        },
      };
    }
    case 'x-amz-checksum-sha1':
      return base64(createHash('sha1'));
    case 'x-amz-checksum-sha256':
      return base64(createHash('sha256'));
    default:
      throw new ServiceError('NotImplemented', `${header} can't be verified by the local cloud`, 501);
  }
}

const base64 = (hash: Hash): Hasher => ({ update: (chunk) => hash.update(chunk), digest: () => hash.digest('base64') });

/**
 * Takes off the `aws-chunked` framing: `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n … 0\r\n<trailer>:<value>\r\n\r\n`
 * ("Signature calculations: transferring a payload in multiple chunks", Amazon S3 API reference).
 */
async function* unchunk(source: AsyncIterable<Buffer>, trailers: Record<string, string>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let left = 0;
  let phase: 'size' | 'data' | 'end' | 'trailer' = 'size';
  const line = () => {
    const at = rest.indexOf('\r\n');
    if (at < 0) return undefined;
    const text = rest.subarray(0, at).toString('latin1');
    rest = rest.subarray(at + 2);
    return text;
  };
  for await (const bytes of source) {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (let more = true; more && rest.length > 0; ) {
      if (phase === 'data') {
        const part = rest.subarray(0, left);
        rest = rest.subarray(part.length);
        left -= part.length;
        if (left === 0) phase = 'end';
        yield part;
        continue;
      }
      const text = line();
      if (text === undefined) more = false;
      else if (phase === 'end') phase = 'size';
      else if (phase === 'trailer') {
        const colon = text.indexOf(':');
        if (colon > 0) trailers[text.slice(0, colon).toLowerCase()] = text.slice(colon + 1).trim();
      } else {
        left = Number.parseInt(text, 16);
        if (Number.isNaN(left))
          throw new ServiceError('InvalidChunkSizeError', `Not a chunk's size: ${text.slice(0, 80)}`);
        phase = left === 0 ? 'trailer' : 'data';
      }
    }
  }
  if (phase !== 'trailer') throw new ServiceError('IncompleteBody', 'The body ended inside of a chunk');
}
