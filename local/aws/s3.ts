import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type RestService, readBody } from '../endpoint.ts';
import type { Gate } from '../gate.ts';
import { assumedRole, type Iam } from '../iam.ts';
import { type Caller, ServiceError } from '../service.ts';
import { type Request, readRequest } from './s3-actions.ts';
import { readObjectBody } from './s3-body.ts';
import { listing } from './s3-listing.ts';
import { type ObjectMeta, ObjectStore } from './s3-store.ts';
import { element, errorXml, escapeXml, keysIn, partsIn } from './s3-xml.ts';

/** Objects as a role sees them: what COPY reads. */
export interface Objects {
  /** @throws ServiceError `AccessDenied`, `NoSuchKey`, `NoSuchBucket` */
  read(bucket: string, key: string, roleArn: string): Promise<Readable>;
  /** The keys under a prefix, in S3's order. */
  list(bucket: string, prefix: string, roleArn: string): Promise<string[]>;
}

export interface S3 extends RestService {
  objects: Objects;
}

interface Exchange extends Request {
  request: IncomingMessage;
  response: ServerResponse;
  caller: Caller;
}

/** Sent when the call has passed everything, a fault injected after it too. */
type Answer = () => void | Promise<void>;

/** S3's REST protocol over a folder: path-style, without versions, copies or bucket configuration. */
export function createS3(options: { dir: string; buckets: string[]; gate: Gate; iam: Iam }): S3 {
  const store = new ObjectStore(options.dir, options.buckets);

  /** "If you don't have the s3:ListBucket permission, Amazon S3 returns 403 Access Denied" (GetObject, API reference). */
  const existing = (bucket: string, key: string, caller: Caller): ObjectMeta => {
    const object = store.find(bucket, key);
    if (object !== undefined) return object;
    options.iam.authorize(caller, [{ action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}` }]);
    throw new ServiceError('NoSuchKey', 'The specified key does not exist.', 404);
  };

  const verbs: Record<string, (exchange: Exchange) => Promise<Answer>> = {
    async PutObject({ bucket, key, request, response }) {
      const current = store.find(bucket, key);
      const { 'if-none-match': ifNoneMatch, 'if-match': ifMatch } = request.headers;
      if ((ifNoneMatch === '*' && current !== undefined) || (ifMatch !== undefined && ifMatch !== current?.etag)) {
        throw new ServiceError(
          'PreconditionFailed',
          'At least one of the pre-conditions you specified did not hold',
          412,
        );
      }
      const object = await store.put(bucket, key, readObjectBody(request), keptHeaders(request));
      return () =>
        void response.writeHead(200, { etag: object.etag, ...checksumsOf(object), 'content-length': 0 }).end();
    },
    async GetObject({ bucket, key, request, response, caller }) {
      const object = existing(bucket, key, caller);
      const range = rangeOf(request.headers.range, object.size);
      const headers = {
        ...headersOf(object),
        ...(request.headers['x-amz-checksum-mode'] === 'ENABLED' && range === undefined && checksumsOf(object)),
        'content-length': range === undefined ? object.size : range.end - range.start + 1,
        ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${object.size}` }),
      };
      return async () => {
        response.writeHead(range === undefined ? 200 : 206, headers);
        await pipeline(store.read(bucket, key, range), response);
      };
    },
    async HeadObject({ bucket, key, response, caller }) {
      const object = existing(bucket, key, caller);
      return () => void response.writeHead(200, { ...headersOf(object), 'content-length': object.size }).end();
    },
    async DeleteObject({ bucket, key, response }) {
      await store.delete(bucket, key);
      return () => void response.writeHead(204).end();
    },
    // Every key is allowed or refused for itself, and the answer says which (DeleteObjects, API reference).
    async DeleteObjects({ bucket, request, response, caller }) {
      const results: string[] = [];
      for (const key of keysIn((await readBody(request)).toString('utf8'))) {
        const name = element('Key', escapeXml(key));
        try {
          allowed(caller, 's3:DeleteObject', `arn:aws:s3:::${bucket}/${key}`);
          await store.delete(bucket, key);
          results.push(element('Deleted', name));
        } catch (error) {
          const { code, message } = inS3Words(
            error instanceof ServiceError ? error : new ServiceError('InternalError', String(error), 500),
          );
          results.push(element('Error', name + element('Code', code) + element('Message', escapeXml(message))));
        }
      }
      return () => xml(response, 'DeleteResult', results.join(''));
    },
    async HeadBucket({ bucket, response }) {
      store.bucket(bucket);
      return () => void response.writeHead(200).end();
    },
    async ListObjectsV2({ bucket, query, response }) {
      return () =>
        xml(response, 'ListBucketResult', listing(store.list(bucket, query.get('prefix') ?? ''), bucket, query));
    },
    async ListMultipartUploads({ bucket, query, response }) {
      store.bucket(bucket);
      const prefix = query.get('prefix') ?? '';
      const below = store.uploads(bucket).filter(({ key }) => key.startsWith(prefix));
      const uploads = below.map(({ id, key, initiated }) => {
        return element(
          'Upload',
          element('Key', escapeXml(key)) + element('UploadId', id) + element('Initiated', initiated),
        );
      });
      return () =>
        xml(
          response,
          'ListMultipartUploadsResult',
          element('Bucket', bucket) + element('IsTruncated', 'false') + uploads.join(''),
        );
    },
    async CreateMultipartUpload({ bucket, key, request, response }) {
      const id = store.startUpload(bucket, key, keptHeaders(request));
      return () =>
        xml(
          response,
          'InitiateMultipartUploadResult',
          element('Bucket', bucket) + element('Key', escapeXml(key)) + element('UploadId', id),
        );
    },
    async UploadPart({ query, request, response }) {
      const number = Number(query.get('partNumber'));
      const { md5, checksum } = await store.putPart(query.get('uploadId') ?? '', number, readObjectBody(request));
      return () =>
        void response
          .writeHead(200, {
            etag: `"${md5}"`,
            ...(checksum && { [checksum.header]: checksum.value }),
            'content-length': 0,
          })
          .end();
    },
    async CompleteMultipartUpload({ bucket, key, query, request, response }) {
      const parts = partsIn((await readBody(request)).toString('utf8'));
      const { etag } = await store.completeUpload(query.get('uploadId') ?? '', parts);
      const fields = element('Bucket', bucket) + element('Key', escapeXml(key)) + element('ETag', escapeXml(etag));
      return () => xml(response, 'CompleteMultipartUploadResult', fields);
    },
    async AbortMultipartUpload({ query, response }) {
      await store.abortUpload(query.get('uploadId') ?? '');
      return () => void response.writeHead(204).end();
    },
  };

  const asRedshift = (roleArn: string): Caller => {
    const services = ['redshift-serverless.amazonaws.com', 'redshift.amazonaws.com'];
    const trusted = services.some((service) => {
      try {
        options.iam.assume(roleArn, service);
        return true;
      } catch {
        return false;
      }
    });
    if (!trusted)
      throw new ServiceError('AccessDenied', `Redshift is not authorized to assume IAM Role ${roleArn}`, 403);
    return assumedRole(roleArn, 'RedshiftIamRoleSession', 'redshift');
  };
  const allowed = (caller: Caller, action: string, resource: string) => {
    try {
      options.iam.authorize(caller, [{ action, resource }]);
    } catch (error) {
      throw new ServiceError('AccessDenied', error instanceof Error ? error.message : String(error), 403);
    }
  };

  return {
    service: 's3',
    async handle(request, response, caller) {
      const { action, permission, ...parsed } = readRequest(request);
      const verb = verbs[action];
      if (verb === undefined) throw new ServiceError('NotImplemented', `The local S3 has no ${action}`, 501);
      const exchange = { action, permission, ...parsed, request, response, caller };
      const permissions = action === 'DeleteObjects' ? [] : [permission];
      // Of listings ListBucket alone knows the key (Service Authorization Reference, Amazon S3).
      const prefix = action === 'ListObjectsV2' ? parsed.query.get('prefix') : null;
      const call = { service: 's3', action, caller, permissions, ...(prefix ? { keys: { 's3:prefix': prefix } } : {}) };
      const answer = await options.gate.perform(call, () => verb(exchange));
      await answer();
    },
    refuse(response, error) {
      const refusal = inS3Words(error);
      const body = response.req.method === 'HEAD' ? '' : errorXml(refusal);
      response.writeHead(refusal.status, {
        'content-type': 'application/xml',
        'content-length': Buffer.byteLength(body),
      });
      response.end(body);
    },
    objects: {
      async read(bucket, key, roleArn) {
        const caller = asRedshift(roleArn);
        allowed(caller, 's3:GetObject', `arn:aws:s3:::${bucket}/${key}`);
        if (store.find(bucket, key) === undefined)
          throw new ServiceError('NoSuchKey', 'The specified key does not exist.', 404);
        return store.read(bucket, key);
      },
      async list(bucket, prefix, roleArn) {
        allowed(asRedshift(roleArn), 's3:ListBucket', `arn:aws:s3:::${bucket}`);
        return store.list(bucket, prefix).map(({ key }) => key);
      },
    },
  };
}

function keptHeaders({ headers }: IncomingMessage): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': headers['content-type'] ?? 'application/octet-stream' };
  const encoding = headers['content-encoding']
    ?.split(',')
    .map((e) => e.trim())
    .filter((e) => e !== 'aws-chunked' && e !== '');
  if (encoding !== undefined && encoding.length > 0) kept['content-encoding'] = encoding.join(',');
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('x-amz-meta-') && typeof value === 'string') kept[name] = value;
  }
  return kept;
}

const isChecksum = (name: string) => name.startsWith('x-amz-checksum-');
const headersOf = ({ headers, etag, lastModified }: ObjectMeta) => ({
  ...Object.fromEntries(Object.entries(headers).filter(([name]) => !isChecksum(name))),
  etag,
  'last-modified': new Date(lastModified).toUTCString(),
  'accept-ranges': 'bytes',
});
const checksumsOf = ({ headers }: ObjectMeta) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => isChecksum(name)));

function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (start <= end) return { start, end };
  throw new ServiceError('InvalidRange', 'The requested range is not satisfiable', 416);
}

function xml(response: ServerResponse, root: string, content: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`;
  response.writeHead(200, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) }).end(body);
}

/** S3 has names of its own for what the other services call otherwise. */
function inS3Words(error: ServiceError): ServiceError {
  const code: Record<string, string> = {
    AccessDeniedException: 'AccessDenied',
    MissingAuthenticationTokenException: 'AccessDenied',
    UnrecognizedClientException: 'InvalidAccessKeyId',
    InvalidSignatureException: 'SignatureDoesNotMatch',
    InternalFailure: 'InternalError',
  };
  const renamed = code[error.code];
  return renamed === undefined ? error : new ServiceError(renamed, error.message, error.status === 500 ? 500 : 403);
}
