import type { Mapping } from './types.ts';

/** Redshift's VARCHAR counts bytes and holds no more than this (Developer Guide, Character types). */
export const MAX_VARCHAR = 65535;

export const withinBytes = (bytes: number): number => Math.min(bytes, MAX_VARCHAR);

/** A type whose cast to text is what COPY prints. */
export const varchar = (bytes: number, note?: string): Mapping => ({
  type: `VARCHAR(${bytes})`,
  select: (column) => column,
  forceQuote: true,
  compare: 'text',
  sourceText: (column) => `${column}::text`,
  warehouseText: (column) => column,
  note,
});

/** A type whose cast to text differs from what COPY prints, or may: concat() prints as COPY does, but '' for NULL. */
export const printed = (bytes: number, note?: string): Mapping => ({
  ...varchar(bytes, note),
  sourceText: (column) => `CASE WHEN ${column} IS NOT NULL THEN concat(${column}) END`,
});

/**
 * char(n) with its padding, as Postgres prints it. Neither engine lets the blanks count when it compares, so they do no harm
 * in a key; Redshift's CHAR can't be used, as it takes single-byte characters only.
 */
export const padded = (bytes: number): Mapping => printed(bytes, 'keeps the blanks that char(n) is padded with');
