import type { Mapping } from './types.ts';

/**
 * A value of no bytes is NULL: an empty field loads NULL into anything but VARCHAR (Developer Guide, COPY), and whether
 * quotes around it change that is written nowhere.
 */
const hex = (column: string): string => `NULLIF(encode(${column}, 'hex'), '')`;

/** bytea: VARBYTE at its greatest length, 16 MiB; COPY reads hexadecimal from CSV. */
export const binary: Mapping = {
  type: 'VARBYTE(16777216)',
  select: hex,
  forceQuote: true,
  compare: 'text',
  sourceText: hex,
  warehouseText: (column) => `LOWER(FROM_VARBYTE(${column}, 'hex'))`,
  note: 'at most 16,777,216 bytes a value; an empty value becomes NULL',
};

/** PostGIS prints hexadecimal EWKB, and that is what COPY reads. */
export const spatial = (type: 'GEOMETRY' | 'GEOGRAPHY'): Mapping => ({
  type,
  select: (column) => column,
  forceQuote: true,
  compare: 'text',
  sourceText: (column) => `lower(${column}::text)`,
  warehouseText: (column) => `LOWER(ST_AsHexEWKB(${column}))`,
  note: 'at most 1,048,447 bytes a value',
});
