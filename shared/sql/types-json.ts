import type { Mapping } from './types.ts';

/**
 * JSON_SERIALIZE returns the text 'null' for an SQL NULL (Developer Guide), hence the CASE. Since that makes a JSON null
 * at the top indistinguishable from NULL wherever SUPER is read, it loads as NULL.
 */
const serialized = (column: string): string => `CASE WHEN ${column} IS NOT NULL THEN JSON_SERIALIZE(${column}) END`;

const superOf = (value: (column: string) => string, note: string): Mapping => ({
  type: 'SUPER',
  select: value,
  forceQuote: false,
  compare: 'json',
  sourceText: (column) => `(${value(column)})::text`,
  warehouseText: serialized,
  note,
});

/** jsonb. */
export const jsonText = superOf((column) => `NULLIF(${column}, 'null')`, 'a JSON null at the top becomes NULL');

/**
 * json, which keeps duplicate names where Redshift's parser refuses them: "the same attribute name cannot appear in the same
 * object". Through jsonb the last one wins, as it does for every operator of Postgres. jsonb can't hold \u0000 and would
 * fail the whole extract, so such a document goes as it is, and COPY judges it.
 */
export const jsonDocument = superOf(
  (column) =>
    `CASE WHEN position(CHR(92) || 'u0000' IN ${column}::text) = 0 THEN NULLIF(${column}::jsonb, 'null')::text ELSE ${column}::text END`,
  'of duplicate names the last one is kept; a JSON null at the top becomes NULL',
);

/** Whatever to_jsonb makes of an array, a composite or an hstore. */
export const jsonOf = (note: string): Mapping => superOf((column) => `to_jsonb(${column})`, note);
