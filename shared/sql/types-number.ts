import { misfit, notANumber, notFinite, notFiniteNumeric } from './concerns.ts';
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
  concerns: [],
});

/**
 * COPY reads NaN and Infinity into no type for sure: the manual knows them as values of the floating-point types but doesn't
 * say that COPY does.
 */
export const float = (type: 'REAL' | 'DOUBLE PRECISION'): Mapping => ({
  type,
  select: (column) => column,
  forceQuote: false,
  compare: 'float',
  sourceText: (column) => `${column}::text`,
  warehouseText: (column) => column,
  concerns: [notFinite],
});

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
 * (it truncates, Developer Guide, COPY ROUNDEC).
 */
export const decimal = (precision: number, scale: number, number: (column: string) => string): Mapping => ({
  ...integer(`DECIMAL(${precision},${scale})`),
  select: (column) => `round(${number(column)}, ${scale})`,
  sourceText: (column) => `round(${number(column)}, ${scale})::text`,
  concerns: [notFiniteNumeric(number), misfit(precision, scale, number)],
});

/** numeric(p,s), of which only NaN can't be a DECIMAL; Postgres prints exactly `s` decimals, as Redshift does. */
const constrained = ({ precision, scale }: NumericDigits): Mapping => ({
  ...integer(`DECIMAL(${precision},${scale})`),
  concerns: [notANumber],
});

/** No shorter number has a text of 65,535 bytes: a numeric has at most 16,383 decimals. */
const huge = (column: string): string => `abs(${column}) > '1e40000'`;

/** @param profiled the digits that the values of a numeric without precision need, where somebody looked */
export const numeric = (typmod: number, profiled: NumericDigits | null): Mapping => {
  const declared = declaredDigits(typmod);
  const digits = declared ?? profiled;
  const fitting = digits && decimalFor(digits);
  if (!fitting)
    return varchar(
      MAX_VARCHAR,
      declared ? 'more digits than DECIMAL holds: exact text' : 'no declared digits: exact text',
      huge,
    );
  if (declared) return constrained(fitting);
  return {
    ...decimal(fitting.precision, fitting.scale, (column) => column),
    note: 'no declared digits: typed by the values that setup saw',
  };
};
