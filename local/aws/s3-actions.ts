import type { IncomingMessage } from 'node:http';
import type { Permission } from '../service.ts';

/** An S3 request, recognised by method, path and query (path-style: `/bucket/key`). */
export interface Request {
  /** The API's name, e.g. `UploadPart`. */
  action: string;
  permission: Permission;
  bucket: string;
  key: string;
  query: URLSearchParams;
}

export function readRequest(request: IncomingMessage): Request {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, bucket = '', ...rest] = url.pathname.split('/');
  const key = decodeURIComponent(rest.join('/'));
  const query = url.searchParams;
  const method = request.method ?? 'GET';
  const copies = request.headers['x-amz-copy-source'] !== undefined;
  const action = key === '' ? bucketAction(method, query) : objectAction(method, query, copies);
  const resource = key === '' ? bucket : `${bucket}/${key}`;
  return {
    action,
    bucket: decodeURIComponent(bucket),
    key,
    query,
    permission: { action: permissionOf(action), resource: `arn:aws:s3:::${resource}` },
  };
}

function bucketAction(method: string, query: URLSearchParams): string {
  if (method === 'HEAD') return 'HeadBucket';
  if (method === 'GET' && query.has('uploads')) return 'ListMultipartUploads';
  if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
  if (method === 'POST' && query.has('delete')) return 'DeleteObjects';
  return `${method} bucket ${[...query.keys()].join(' ')}`.trim();
}

function objectAction(method: string, query: URLSearchParams, copies: boolean): string {
  if (query.has('uploadId')) {
    if (method === 'PUT') return copies ? 'UploadPartCopy' : 'UploadPart';
    if (method === 'POST') return 'CompleteMultipartUpload';
    return method === 'DELETE' ? 'AbortMultipartUpload' : 'ListParts';
  }
  if (method === 'POST' && query.has('uploads')) return 'CreateMultipartUpload';
  const plain: Record<string, string> = {
    PUT: copies ? 'CopyObject' : 'PutObject',
    GET: 'GetObject',
    HEAD: 'HeadObject',
    DELETE: 'DeleteObject',
  };
  return (
    (query.size === 0 || query.has('x-id') ? plain[method] : undefined) ??
    `${method} object ${[...query.keys()].join(' ')}`
  );
}

/** "Required permissions for Amazon S3 API operations" (Amazon S3 User Guide). */
function permissionOf(action: string): string {
  switch (action) {
    case 'PutObject':
    case 'CreateMultipartUpload':
    case 'UploadPart':
    case 'CompleteMultipartUpload':
      return 's3:PutObject';
    case 'GetObject':
    case 'HeadObject':
      return 's3:GetObject';
    case 'DeleteObject':
    case 'DeleteObjects':
      return 's3:DeleteObject';
    case 'ListObjectsV2':
    case 'HeadBucket':
      return 's3:ListBucket';
    case 'ListMultipartUploads':
      return 's3:ListBucketMultipartUploads';
    default:
      return `s3:${action}`;
  }
}
