import { longBinary, longHex, noBytes } from './concerns.ts';
import type { Mapping } from './types.ts';

const hex = (column: string): string => `encode(${column}, 'hex')`;

/**
 * bytea: VARBYTE at its greatest length, 16 MiB; COPY reads hexadecimal from CSV. A value of no bytes can't be loaded: an
 * empty field loads NULL into anything but VARCHAR (Developer Guide, COPY), and whether quotes around it change that is
 * written nowhere.
 */
export const binary: Mapping = {
  type: 'VARBYTE(16777216)',
  select: hex,
  forceQuote: true,
  compare: 'text',
  sourceText: hex,
  warehouseText: (column) => `LOWER(FROM_VARBYTE(${column}, 'hex'))`,
  concerns: [noBytes, longBinary(16_777_216)],
};

/** PostGIS prints hexadecimal EWKB, and that is what COPY reads. */
export const spatial = (type: 'GEOMETRY' | 'GEOGRAPHY'): Mapping => ({
  type,
  select: (column) => column,
  forceQuote: true,
  compare: 'text',
  sourceText: (column) => `lower(${column}::text)`,
  warehouseText: (column) => `LOWER(ST_AsHexEWKB(${column}))`,
  // 1,048,447 bytes, "the maximum size of a GEOMETRY object" (Developer Guide, Spatial limitations).
  concerns: [longHex(1_048_447)],
});
