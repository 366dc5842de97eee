/**
 * Values that the warehouse can't hold as they are. Each kind of column names its own, as conditions for Postgres; what
 * becomes of them is a policy (`values.ts`). Conditions are written so that an ordinary value costs next to nothing.
 */
import type { PolicyName } from '../model/policies.ts';

export interface Concern {
  policy: PolicyName;
  /** From a quoted column, whether its value is concerned; not true of NULL. */
  when(column: string): string;
  /** What is loaded in its place, for the policies that name something; in a type that the mapping's expressions take. */
  instead?: Partial<Record<'truncate' | 'clamp', (column: string) => string>>;
}

/**
 * Redshift counts the bytes of UTF-8, octet_length those of the database's own encoding, of which none is more than three
 * times shorter. Of a stored text it takes the length without reading the value.
 */
const exceeds = (text: string, bytes: number): string =>
  `octet_length(${text}) > ${Math.floor(bytes / 3)} AND octet_length(convert_to(${text}, 'UTF8')) > ${bytes}`;

/** At most so many bytes, never half a character: bytes 10xxxxxx go on with one. */
const cut = (text: string, bytes: number): string => {
  const utf8 = `convert_to(${text}, 'UTF8')`;
  const starts = (at: number) => `get_byte(${utf8}, ${at}) & 192 <> 128`;
  const back = [0, 1, 2].map((n) => `WHEN ${starts(bytes - n)} THEN ${bytes - n}`).join(' ');
  return `convert_from(substr(${utf8}, 1, CASE ${back} ELSE ${bytes - 3} END), 'UTF8')`;
};

/** @param text the value's text, from a quoted column @param mayBe a cheaper condition that all concerned values meet */
export const longText = (
  bytes: number,
  text: (column: string) => string,
  mayBe: (column: string) => string = () => '',
): Concern => ({
  policy: 'oversizeText',
  when: (column) => [mayBe(column), exceeds(text(column), bytes)].filter((part) => part !== '').join(' AND '),
  instead: { truncate: (column) => cut(text(column), bytes) },
});

/** Compression makes a stored value at most 255 times shorter: of a short one nothing more has to be asked. */
const stored = (column: string, bytes: number): string => `pg_column_size(${column}) > ${bytes}`;

/** SUPER holds 16 MB, 1,000 levels, and 65,535 bytes of a string in it: users report the smaller of two documented limits. */
const MAX_DOCUMENT = 16_777_216;
const MAX_STRING = 65_535;
const MAX_LEVELS = 1_000;

/** @param document jsonb, from a quoted column */
export const longDocument = (document: (column: string) => string): Concern => ({
  policy: 'oversizeDocument',
  when: (column) => {
    const text = `(${document(column)})::text`;
    const length = `octet_length(convert_to(${text}, 'UTF8'))`;
    const strings = `SELECT FROM jsonb_path_query(${document(column)}, 'strict $.**') part WHERE jsonb_typeof(part) = 'string' AND octet_length(convert_to(part #>> '{}', 'UTF8')) > ${MAX_STRING}`;
    const opened = `char_length(${text}) - char_length(translate(${text}, '[{', ''))`;
    const deep = `${opened} > ${MAX_LEVELS} AND jsonb_path_exists(${document(column)}, 'strict $.**{${MAX_LEVELS + 1} to last}')`;
    // Every level opens and closes a bracket.
    const suspect = `${stored(column, 64)} AND ${length} > ${2 * MAX_LEVELS}`;
    return `${suspect} AND (${length} > ${MAX_DOCUMENT} OR ${length} > ${MAX_STRING} AND EXISTS (${strings}) OR ${deep})`;
  },
});

/**
 * Whether a json document has what jsonb refuses: an escape of NUL, which no text of either engine can hold, or one half of a
 * surrogate pair without the other. A backslash that is meant as such is doubled; without those every `\u` is an escape.
 */
const unreadable = (column: string): string => {
  const escapes = `replace(${column}::text, '\\\\', ' ')`;
  const unpaired = `regexp_replace(${escapes}, '\\\\u[dD][89abAB]..\\\\u[dD][c-fC-F]..', '', 'g') ~ '\\\\u[dD][89a-fA-F]'`;
  return `position('\\u' IN ${column}::text) > 0 AND (position('\\u0000' IN ${escapes}) > 0 OR ${unpaired})`;
};

/** json: a document that jsonb refuses can't even be looked into. */
export const unreadableOr = (concern: Concern): Concern => ({
  ...concern,
  when: (column) => `CASE WHEN ${unreadable(column)} THEN true ELSE ${concern.when(column)} END`,
});

export const longBinary = (bytes: number): Concern => ({
  policy: 'oversizeDocument',
  when: (column) => `octet_length(${column}) > ${bytes}`,
});

/** A value that Postgres prints as hexadecimal digits. */
export const longHex = (bytes: number): Concern => ({
  policy: 'oversizeDocument',
  when: (column) => `${stored(column, Math.floor(bytes / 255))} AND octet_length(${column}::text) > ${2 * bytes}`,
});

export const noBytes: Concern = { policy: 'emptyBinary', when: (column) => `octet_length(${column}) = 0` };

/** Infinity is above and below all; the years before Christ are below the first. */
export const outside = (first: string, last: string): Concern => ({
  policy: 'outOfRangeTime',
  when: (column) => `${column} NOT BETWEEN '${first}' AND '${last}'`,
  instead: { clamp: (column) => `least(greatest(${column}, '${first}'), '${last}')` },
});

const SPECIAL = "('NaN', 'Infinity', '-Infinity')";

export const notFinite: Concern = { policy: 'notANumber', when: (column) => `${column} IN ${SPECIAL}` };

export const notANumber: Concern = { policy: 'notANumber', when: (column) => `${column} = 'NaN'` };

/** numeric; before version 14 'Infinity' is none, so it is known by its text. */
export const notFiniteNumeric = (number: (column: string) => string): Concern => ({
  policy: 'notANumber',
  when: (column) => `abs(${number(column)}) >= '1e38' AND ${number(column)}::text IN ${SPECIAL}`,
});

export const misfit = (precision: number, scale: number, number: (column: string) => string): Concern => ({
  policy: 'numericOverflow',
  when: (column) =>
    `(abs(${number(column)}) >= '1e${precision - scale}' OR ${number(column)} <> round(${number(column)}, ${scale}))`,
});
