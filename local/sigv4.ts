import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Caller, ServiceError } from './service.ts';

/** One who may sign requests. */
export interface Identity {
  caller: Caller;
  secretAccessKey: string;
  sessionToken?: string;
  /** The execution on whose behalf a function's process works just now. */
  worksFor?: string | undefined;
  /** The services that can be reached from where it runs; absent: all. */
  reach?: { services: string[]; because: string };
}

export interface Signature {
  accessKeyId: string;
  date: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
}

/**
 * The Authorization header's parts (Signature Version 4, "Authenticating Requests" in the IAM User Guide).
 * @throws ServiceError `MissingAuthenticationTokenException`, `IncompleteSignatureException`
 */
export function readSignature(request: IncomingMessage): Signature {
  const header = request.headers.authorization;
  if (header === undefined) {
    throw new ServiceError('MissingAuthenticationTokenException', 'Request is missing Authentication Token', 403);
  }
  const field = (name: string) => new RegExp(`${name}=([^,\\s]+)`).exec(header)?.[1];
  const [accessKeyId, date, region, service, end] = field('Credential')?.split('/') ?? [];
  const signature = field('Signature');
  const signedHeaders = field('SignedHeaders')?.split(';');
  if (
    !header.startsWith('AWS4-HMAC-SHA256 ') ||
    !accessKeyId ||
    !date ||
    !region ||
    !service ||
    end !== 'aws4_request'
  ) {
    throw new ServiceError('IncompleteSignatureException', 'Authorization header is not AWS4-HMAC-SHA256', 403);
  }
  if (signature === undefined || signedHeaders === undefined) {
    throw new ServiceError(
      'IncompleteSignatureException',
      "Authorization header requires 'Signature' and 'SignedHeaders'",
      403,
    );
  }
  return { accessKeyId, date, region, service, signedHeaders, signature };
}

/**
 * Checks the signature as AWS does. The body is covered by `x-amz-content-sha256`, which whoever reads the body compares.
 * @throws ServiceError `UnrecognizedClientException`, `InvalidSignatureException`
 */
export function verify(request: IncomingMessage, signed: Signature, identity: Identity | undefined): Identity {
  if (identity === undefined || request.headers['x-amz-security-token'] !== identity.sessionToken) {
    throw new ServiceError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
      403,
    );
  }
  const scope = `${signed.date}/${signed.region}/${signed.service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', headerOf(request, 'x-amz-date'), scope, sha256(canonical(request, signed))].join(
    '\n',
  );
  const key = [signed.date, signed.region, signed.service, 'aws4_request'].reduce<Buffer>(
    (secret, part) => hmac(secret, part),
    Buffer.from(`AWS4${identity.secretAccessKey}`),
  );
  const expected = hmac(key, toSign);
  const given = Buffer.from(signed.signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new ServiceError(
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
      403,
    );
  }
  return identity;
}

function canonical(request: IncomingMessage, signed: Signature): string {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  // S3 alone signs the path as it is sent; all others encode it a second time.
  const canonicalPath = signed.service === 's3' ? path : path.split('/').map(encode).join('/');
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
    })
    .sort();
  const headers = signed.signedHeaders.map((name) => `${name}:${headerOf(request, name)}\n`);
  const payload = headerOf(request, 'x-amz-content-sha256');
  return [
    request.method,
    canonicalPath,
    pairs.join('&'),
    headers.join(''),
    signed.signedHeaders.join(';'),
    payload,
  ].join('\n');
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value.join(',') : (value ?? '')).trim().replace(/ +/g, ' ');
}

const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();

export const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
