import { type Concern, longDocument, unreadableOr } from './concerns.ts';
import type { Mapping } from './types.ts';

/**
 * JSON_SERIALIZE returns the text 'null' for an SQL NULL (Developer Guide), hence the CASE. Since that makes a JSON null
 * at the top indistinguishable from NULL wherever SUPER is read, it loads as NULL.
 */
const serialized = (column: string): string => `CASE WHEN ${column} IS NOT NULL THEN JSON_SERIALIZE(${column}) END`;

const superOf = (value: (column: string) => string, concern: Concern, note: string): Mapping => ({
  type: 'SUPER',
  select: value,
  forceQuote: false,
  compare: 'json',
  sourceText: (column) => `(${value(column)})::text`,
  warehouseText: serialized,
  note,
  concerns: [concern],
});

const withoutNull = (document: string): string => `NULLIF(${document}, 'null')`;
const parsed = (column: string): string => `${column}::jsonb`;

/** jsonb. */
export const jsonText = superOf(
  withoutNull,
  longDocument((column) => column),
  'a JSON null at the top becomes NULL, as SUPER tells the two apart nowhere',
);

/**
 * json, which keeps duplicate names where Redshift's parser refuses them: "the same attribute name cannot appear in the same
 * object". Through jsonb the last one wins, as it does for every operator of Postgres.
 */
export const jsonDocument = superOf(
  (column) => withoutNull(parsed(column)),
  unreadableOr(longDocument(parsed)),
  'of duplicate names the last one is kept; a JSON null at the top becomes NULL, as SUPER tells the two apart nowhere',
);

const converted = (column: string): string => `to_jsonb(${column})`;

/** Whatever to_jsonb makes of an array, a composite or an hstore. */
export const jsonOf = (note: string): Mapping => superOf(converted, longDocument(converted), note);
