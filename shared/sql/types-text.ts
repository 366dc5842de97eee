import { longText } from './concerns.ts';
import type { Mapping } from './types.ts';

/** Redshift's VARCHAR counts bytes and holds no more than this (Developer Guide, Character types). */
export const MAX_VARCHAR = 65535;

export const withinBytes = (bytes: number): number => Math.min(bytes, MAX_VARCHAR);

/** A type whose text is that of the given expression; what has no limit of its own may be too long. */
const texts = (
  bytes: number,
  text: (column: string) => string,
  note?: string,
  mayBe?: (column: string) => string,
): Mapping => ({
  type: `VARCHAR(${bytes})`,
  select: text,
  forceQuote: true,
  compare: 'text',
  sourceText: text,
  warehouseText: (column) => column,
  note,
  concerns: bytes < MAX_VARCHAR ? [] : [longText(bytes, text, mayBe)],
});

/**
 * A type whose cast to text is what COPY prints.
 * @param mayBe where the text is dear to make, a condition without which it can't be too long
 */
export const varchar = (bytes: number, note?: string, mayBe?: (column: string) => string): Mapping =>
  texts(bytes, (column) => `${column}::text`, note, mayBe);

/** A type whose cast to text differs from what COPY prints, or may: concat() prints as COPY does, but '' for NULL. */
export const printed = (bytes: number, note?: string): Mapping => ({
  ...texts(bytes, (column) => `CASE WHEN ${column} IS NOT NULL THEN concat(${column}) END`, note),
  select: (column) => column,
});

/**
 * char(n) with its padding, as Postgres prints it. Neither engine lets the blanks count when it compares, so they do no harm
 * in a key; Redshift's CHAR can't be used, as it takes single-byte characters only.
 */
export const padded = (bytes: number): Mapping => printed(bytes, 'keeps the blanks that char(n) is padded with');
