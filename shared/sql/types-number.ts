import type { Mapping } from './types.ts';
import { MAX_VARCHAR, varchar } from './types-text.ts';

/** `precision` digits in all, `scale` of them behind the point. */
export interface NumericDigits {
  precision: number;
  scale: number;
}

const MAX_PRECISION = 38;
const MAX_SCALE = 37;
/** DECIMAL of 19 digits and fewer is kept in 8 bytes, which end at 9,223,372,036,854,775,807 (Developer Guide, Numeric types). */
const EIGHT_BYTE_PRECISION = 19;

export const integer = (type: string, note?: string): Mapping => ({
  type,
  select: (column) => column,
  forceQuote: false,
  compare: 'text',
  sourceText: (column) => `${column}::text`,
  warehouseText: (column) => `${column}::VARCHAR`,
  note,
});

/**
 * COPY reads NaN and Infinity into no type for sure: the manual knows them as values of the floating-point types but doesn't
 * say that COPY does. They load as NULL.
 */
const SPECIAL = "('NaN', 'Infinity', '-Infinity')";

export const float = (type: 'REAL' | 'DOUBLE PRECISION'): Mapping => {
  const finite = (column: string): string => `CASE WHEN ${column} NOT IN ${SPECIAL} THEN ${column} END`;
  return {
    type,
    select: finite,
    forceQuote: false,
    compare: 'float',
    sourceText: (column) => `(${finite(column)})::text`,
    warehouseText: (column) => column,
    note: 'NaN and Infinity become NULL',
  };
};

/** Precision and scale of numeric(p,s) out of its typmod; the scale is signed, eleven bits (since PostgreSQL 15). */
const declaredDigits = (typmod: number): NumericDigits | null => {
  if (typmod < 4) return null;
  const packed = typmod - 4;
  return { precision: (packed >> 16) & 0xffff, scale: ((packed & 0x7ff) ^ 1024) - 1024 };
};

/** The DECIMAL that holds every numeric(precision, scale), or null where 38 digits don't. */
const decimalFor = ({ precision, scale }: NumericDigits): NumericDigits | null => {
  const digits = Math.max(precision - Math.min(scale, 0), scale, 1);
  const behind = Math.max(scale, 0);
  if (digits > MAX_PRECISION || behind > MAX_SCALE) return null;
  return { precision: digits === EIGHT_BYTE_PRECISION ? EIGHT_BYTE_PRECISION + 1 : digits, scale: behind };
};

/**
 * DECIMAL for values that usually, but not by their type, fit: COPY would cut off surplus decimals without a word
 * (it truncates, Developer Guide, COPY ROUNDEC), so such a value is given as text that COPY refuses and the error shows.
 */
export const decimal = (precision: number, scale: number, number: (column: string) => string): Mapping => {
  const fits = (column: string): string => `${number(column)} = round(${number(column)}, ${scale})`;
  const special = (column: string): string => `${number(column)}::text IN ${SPECIAL}`;
  const rounded = (column: string): string => `round(${number(column)}, ${scale})::text`;
  const choose = (column: string, misfit: string): string =>
    `CASE WHEN ${special(column)} THEN NULL WHEN ${fits(column)} THEN ${rounded(column)} ELSE ${misfit} END`;
  return {
    type: `DECIMAL(${precision},${scale})`,
    select: (column) => choose(column, `${number(column)}::text || ' has more than ${scale} decimals'`),
    forceQuote: false,
    compare: 'text',
    sourceText: (column) => choose(column, `${number(column)}::text`),
    warehouseText: (column) => `${column}::VARCHAR`,
  };
};

/** numeric(p,s), of which only NaN can't be a DECIMAL; Postgres prints exactly `s` decimals, as Redshift does. */
const constrained = ({ precision, scale }: NumericDigits): Mapping => ({
  ...integer(`DECIMAL(${precision},${scale})`, 'NaN becomes NULL'),
  select: (column) => `NULLIF(${column}, 'NaN')`,
  sourceText: (column) => `NULLIF(${column}, 'NaN')::text`,
});

/** @param profiled the digits that the values of a numeric without precision need, where somebody looked */
export const numeric = (typmod: number, profiled: NumericDigits | null): Mapping => {
  const declared = declaredDigits(typmod);
  const digits = declared ?? profiled;
  const fitting = digits && decimalFor(digits);
  if (!fitting)
    return varchar(
      MAX_VARCHAR,
      declared ? 'more digits than DECIMAL holds: exact text' : 'no declared digits: exact text',
    );
  if (declared) return constrained(fitting);
  return {
    ...decimal(fitting.precision, fitting.scale, (column) => column),
    note: 'typed by the values seen so far: one that needs more decimals stops the load; NaN and Infinity become NULL',
  };
};
