import type { Mask } from '../model/column.ts';
import type { Mapping } from './types.ts';

/**
 * The setting of a session that holds the job's salt: given when the connection is made, it stands in no statement that
 * pg_stat_activity or the server's log could show.
 */
export const SALT_SETTING = 'redshift_loader.salt';

/** Bytes of a SHA-256 as hexadecimal digits. */
export const HASH_TYPE = 'VARCHAR(64)';

/** Salt first: whoever knows the hash and the values still lacks half of what was hashed. */
const hashed = (column: string): string =>
  `encode(sha256(convert_to(current_setting('${SALT_SETTING}') || (${column})::text, 'UTF8')), 'hex')`;

/** What a masked column's mapping becomes; a hash is made of whatever text the value has, so nothing can be of concern. */
export function masked(mask: Mask, mapping: Mapping): Mapping {
  if (mask === 'null') return { ...mapping, select: () => 'NULL', sourceText: () => 'NULL::text', concerns: [] };
  return {
    type: HASH_TYPE,
    select: hashed,
    forceQuote: true,
    compare: 'text',
    sourceText: hashed,
    warehouseText: (column) => column,
    concerns: [],
  };
}
