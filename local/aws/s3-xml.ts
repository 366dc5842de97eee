import type { ServiceError } from '../service.ts';
import type { Part } from './s3-store.ts';

export const element = (name: string, content: string) => `<${name}>${content}</${name}>`;

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
  '\n': '&#10;',
};
export const escapeXml = (text: string) => text.replace(/[&<>"\r\n]/g, (c) => entities[c] ?? c);

function unescapeXml(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#\d+|lt|gt|quot|apos|amp);/gi, (_whole, entity: string) => {
    if (entity.startsWith('#x')) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
    if (entity.startsWith('#')) return String.fromCodePoint(Number(entity.slice(1)));
    return { lt: '<', gt: '>', quot: '"', apos: "'" }[entity] ?? '&';
  });
}

export function errorXml({ code, message }: ServiceError): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('Error', element('Code', code) + element('Message', escapeXml(message)))}`;
}

/** The parts named by CompleteMultipartUpload. */
export function partsIn(xml: string): Part[] {
  return [...xml.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    number: Number(/<PartNumber>(\d+)<\/PartNumber>/.exec(part)?.[1]),
    etag: unescapeXml(/<ETag>(.*?)<\/ETag>/s.exec(part)?.[1] ?? ''),
  }));
}

/** The keys named by DeleteObjects. */
export function keysIn(xml: string): string[] {
  return [...xml.matchAll(/<Key>(.*?)<\/Key>/gs)].map(([, key = '']) => unescapeXml(key));
}
