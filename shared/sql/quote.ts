/**
 * All quoting of the product happens here, for both dialects: no other file puts a name or a value between quotes.
 * Every function refuses NUL, which neither engine can hold in text, and unpaired surrogates, which UTF-8 can't carry.
 */

const BACKSLASH = '\\';

const checked = (text: string, what: string): string => {
  if (text.includes('\0')) throw new TypeError(`${what} contains a NUL character, which SQL text cannot carry`);
  if (!text.isWellFormed()) throw new TypeError(`${what} contains an unpaired surrogate, which UTF-8 cannot carry`);
  return text;
};

const inSingleQuotes = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * A name between double quotes, for Postgres and Redshift alike: `we"ird` → `"we""ird"`.
 * Redshift folds A–Z to lower case inside quotes, too; pass it names that `foldNames` has made.
 * @throws TypeError when the name is empty or holds NUL or an unpaired surrogate
 */
export const quoteIdentifier = (name: string): string => {
  if (name === '') throw new TypeError('an empty name cannot be quoted: name the column, table or schema');
  return `"${checked(name, `the name ${JSON.stringify(name)}`).replaceAll('"', '""')}"`;
};

/** `"schema"."name"`. @throws TypeError as quoteIdentifier */
export const qualified = (schema: string, name: string): string =>
  `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;

/**
 * A text value as an *expression* that both engines read alike: `it's` → `'it''s'`, `a\b` → `('a' || CHR(92) || 'b')`.
 *
 * A backslash between single quotes is itself in Postgres (standard_conforming_strings) but starts an escape in Redshift,
 * whose grammar stems from PostgreSQL 8.0 (its manual writes `'\\d'` for the pattern \d). CHR exists in both, and means the
 * same whatever the setting. Where the grammar takes nothing but a literal, use quotePlainLiteral.
 * @throws TypeError on NUL and unpaired surrogates
 */
export const quoteLiteral = (text: string): string => {
  const parts = checked(text, 'a text value').split(BACKSLASH);
  if (parts.length === 1) return inSingleQuotes(text);
  const pieces = parts.flatMap((part, i) => [
    ...(i > 0 ? ['CHR(92)'] : []),
    ...(part === '' ? [] : [inSingleQuotes(part)]),
  ]);
  return `(${pieces.join(' || ')})`;
};

/**
 * A literal for places where no expression may stand, such as the options of COPY (`NULL AS '…'`, `FROM 's3://…'`).
 * @throws TypeError also on a backslash, because no spelling of it means the same in both engines
 */
export const quotePlainLiteral = (text: string): string => {
  if (text.includes(BACKSLASH))
    throw new TypeError(
      `${JSON.stringify(text)} contains a backslash, which engines read differently here: leave it out`,
    );
  return inSingleQuotes(checked(text, 'a text value'));
};
