/** What Redshift documents and Postgres lacks, for comparing on a plain Postgres. */
export const REDSHIFT_FUNCTIONS = `
  CREATE FUNCTION from_varbyte(value bytea, format text) RETURNS text LANGUAGE sql AS $$ SELECT upper(encode(value, format)) $$;
  CREATE FUNCTION redshift_json(value jsonb) RETURNS text LANGUAGE sql AS $$ SELECT coalesce(value::text, 'null') $$;`;

/** Postgres 17 has a JSON_SERIALIZE of its own, and it is a keyword; given a jsonb it returns the bytes inside, not text. */
export const inPostgres = (redshift: string): string => redshift.replaceAll('JSON_SERIALIZE(', 'redshift_json(');

/** A Redshift type as a column of Postgres that refuses what Redshift refuses, and how the text of a CSV field gets into it. */
export const warehouseColumn = (type: string): { type: string; fromText(column: string): string } => {
  const bytes = /^VARCHAR\((\d+)\)$/.exec(type)?.[1];
  if (bytes) return { type: `varchar(${bytes}) CHECK (octet_length(c) <= ${bytes})`, fromText: (column) => column };
  if (type === 'SUPER') return { type: 'jsonb', fromText: (column) => `${column}::jsonb` };
  const binary = /^VARBYTE\((\d+)\)$/.exec(type)?.[1];
  if (binary)
    return { type: `bytea CHECK (octet_length(c) <= ${binary})`, fromText: (column) => `decode(${column}, 'hex')` };
  // COPY truncates surplus decimals where Postgres would round them.
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1];
  if (scale) return { type, fromText: (column) => `trunc(${column}::numeric, ${scale})` };
  return { type, fromText: (column) => `${column}::${type}` };
};
