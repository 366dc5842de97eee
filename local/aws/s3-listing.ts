import { ServiceError } from '../service.ts';
import type { ObjectMeta } from './s3-store.ts';
import { element, escapeXml } from './s3-xml.ts';

/** The content of ListObjectsV2's answer: one page of at most 1,000 keys and common prefixes. */
export function listing(objects: ObjectMeta[], bucket: string, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const maxKeys = Math.min(Number(query.get('max-keys') ?? 1000), 1000);
  if (!Number.isInteger(maxKeys) || maxKeys < 0) throw new ServiceError('InvalidArgument', 'max-keys is not a number');
  const token = query.get('continuation-token');
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64').toString('utf8');
  const shown = query.get('encoding-type') === 'url' ? encodeURIComponent : (text: string) => escapeXml(text);

  const entries: string[] = [];
  const prefixes = new Set<string>();
  let last = '';
  let truncated = false;
  for (const { key, size, etag, lastModified } of objects) {
    if (after !== '' && (Buffer.compare(Buffer.from(key), Buffer.from(after)) <= 0 || isUnder(key, after, delimiter)))
      continue;
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const common = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
    if (common !== undefined && prefixes.has(common)) continue;
    if (entries.length + prefixes.size >= maxKeys) {
      truncated = true;
      break;
    }
    last = common ?? key;
    if (common !== undefined) prefixes.add(common);
    else {
      const fields = [
        element('Key', shown(key)),
        element('LastModified', lastModified),
        element('ETag', escapeXml(etag)),
      ];
      entries.push(
        element('Contents', [...fields, element('Size', String(size)), element('StorageClass', 'STANDARD')].join('')),
      );
    }
  }
  const common = [...prefixes].map((each) => element('CommonPrefixes', element('Prefix', shown(each))));
  return [
    element('Name', bucket),
    element('Prefix', shown(prefix)),
    element('KeyCount', String(entries.length + prefixes.size)),
    element('MaxKeys', String(maxKeys)),
    element('IsTruncated', String(truncated)),
    query.has('encoding-type') ? element('EncodingType', 'url') : '',
    truncated ? element('NextContinuationToken', Buffer.from(last).toString('base64')) : '',
    ...entries,
    ...common,
  ].join('');
}

/** A page that ended with a common prefix goes on after all the keys under it. */
function isUnder(key: string, after: string, delimiter: string): boolean {
  return delimiter !== '' && after.endsWith(delimiter) && key.startsWith(after);
}
