import * as z from 'zod';
import { oneOf } from './one-of.ts';

/**
 * What becomes of a value that Redshift can't hold as it is. `error` stops its table before anything is loaded; whatever is
 * changed is counted in the run's report and listed beside the batch. docs/values.md explains each.
 */
export const ValuePolicies = z.strictObject({
  /** Text of more bytes than its VARCHAR has; truncated at the end of a UTF-8 character. */
  oversizeText: oneOf(['error', 'truncate', 'null']),
  /** Infinity, years before Christ and after 294276. */
  outOfRangeTime: oneOf(['null', 'clamp', 'error']),
  /** NaN and the infinities of numbers. */
  notANumber: oneOf(['null', 'error']),
  /** A number of more digits than the DECIMAL that profiling chose. */
  numericOverflow: oneOf(['error', 'null']),
  /** What SUPER, VARBYTE and GEOMETRY can't hold: too long, strings too long within, \u0000 or half a character in it. */
  oversizeDocument: oneOf(['error', 'null']),
  /** A binary value of no bytes. */
  emptyBinary: oneOf(['null', 'error']),
});
export type ValuePolicies = z.infer<typeof ValuePolicies>;
export type PolicyName = keyof ValuePolicies;

/** As little as possible is changed: only what has no counterpart at all becomes NULL. */
export const DEFAULT_POLICIES: ValuePolicies = {
  oversizeText: 'error',
  outOfRangeTime: 'null',
  notANumber: 'null',
  numericOverflow: 'error',
  oversizeDocument: 'error',
  emptyBinary: 'null',
};

/** No value is changed: for keys, which tell rows apart. */
export const STRICT_POLICIES: ValuePolicies = {
  oversizeText: 'error',
  outOfRangeTime: 'error',
  notANumber: 'error',
  numericOverflow: 'error',
  oversizeDocument: 'error',
  emptyBinary: 'error',
};

/** Those that a job or a table chooses; the others are its job's, or the defaults. */
export const PolicyChoices = ValuePolicies.partial();

/** What a policy's values are called in a sentence: `3 values are …`, `3 values … became NULL`. */
export const CONCERNED: Record<PolicyName, string> = {
  oversizeText: 'longer than the VARCHAR',
  outOfRangeTime: 'infinite or outside the years 1 to 294276',
  notANumber: 'NaN or infinite',
  numericOverflow: 'of more digits than the DECIMAL',
  oversizeDocument: 'too large for SUPER, VARBYTE or GEOMETRY, or with \\u0000 or half a surrogate pair in it',
  emptyBinary: 'of no bytes',
};

/** What they became, as far as a count knows: which of two a table had chosen then, it does not. */
export const BECAME: Record<PolicyName, string> = {
  oversizeText: 'truncated text or NULL',
  outOfRangeTime: 'NULL or the nearest time that Redshift has',
  notANumber: 'NULL',
  numericOverflow: 'NULL',
  oversizeDocument: 'NULL',
  emptyBinary: 'NULL',
};

/** How many values a policy changed, by its name. */
export type ChangedValues = Partial<Record<PolicyName, number>>;

/** The same by column: by its name, or by its place among the agreed columns where a state machine carries it. */
export type ChangedColumns = Record<string, ChangedValues>;

/** The sum of several counts; undefined where nothing was changed. */
export function addChanged(parts: (ChangedValues | undefined)[]): ChangedValues | undefined {
  const total: ChangedValues = {};
  for (const part of parts)
    for (const [name, count] of Object.entries(part ?? {}) as [PolicyName, number][])
      total[name] = (total[name] ?? 0) + count;
  return Object.keys(total).length > 0 ? total : undefined;
}

/** The same, column by column. */
export function addChangedColumns(parts: (ChangedColumns | undefined)[]): ChangedColumns | undefined {
  const byColumn = Map.groupBy(
    parts.flatMap((part) => Object.entries(part ?? {})),
    ([column]) => column,
  );
  const total = [...byColumn].map(([column, entries]) => [column, addChanged(entries.map(([, part]) => part)) ?? {}]);
  return total.length > 0 ? Object.fromEntries(total) : undefined;
}

/** The counts of all columns together. */
export const sumOfColumns = (changed: ChangedColumns | undefined): ChangedValues | undefined =>
  addChanged(Object.values(changed ?? {}));

export const countOfValues = (changed: ChangedValues | undefined): number =>
  Object.values(changed ?? {}).reduce((sum, count) => sum + count, 0);
