import { outside } from './concerns.ts';
import type { Mapping } from './types.ts';

/** Redshift's documented range ends with this year; Postgres' date goes on to 5874897. */
const LAST_DAY = '294276-12-31';

/**
 * Infinity has no counterpart, and whether COPY reads 'BC' is written nowhere. A plain value needs one comparison: -infinity
 * is below, infinity above.
 */
const calendar = (type: string, first: string, last: string, text: (value: string) => string): Mapping => ({
  type,
  select: (column) => column,
  forceQuote: false,
  compare: 'text',
  sourceText: text,
  warehouseText: text,
  concerns: [outside(first, last)],
});

const MICROSECONDS = 'YYYY-MM-DD HH24:MI:SS.US';

export const date = calendar('DATE', '0001-01-01', LAST_DAY, (value) => `TO_CHAR(${value}, 'YYYY-MM-DD')`);

export const timestamp = calendar(
  'TIMESTAMP',
  '0001-01-01',
  `${LAST_DAY} 23:59:59.999999`,
  (value) => `TO_CHAR(${value}, '${MICROSECONDS}')`,
);

export const timestamptz = calendar(
  'TIMESTAMPTZ',
  '0001-01-01 00:00:00+00',
  `${LAST_DAY} 23:59:59.999999+00`,
  (value) => `TO_CHAR((${value}) AT TIME ZONE 'UTC', '${MICROSECONDS}')`,
);

/** TO_CHAR takes no TIME in Redshift, but a date and a time add up to a timestamp in both. 24:00:00 is the next day's. */
const timeText = (column: string): string => `TO_CHAR(DATE '2000-01-01' + ${column}, 'DD HH24:MI:SS.US')`;

export const time: Mapping = {
  type: 'TIME',
  select: (column) => column,
  forceQuote: false,
  compare: 'text',
  sourceText: timeText,
  warehouseText: timeText,
  concerns: [],
};

/** Without ELSE, so that NULL stays NULL. */
const truth = (column: string): string => `CASE WHEN ${column} THEN 't' WHEN NOT ${column} THEN 'f' END`;

export const boolean: Mapping = {
  type: 'BOOLEAN',
  select: (column) => column,
  forceQuote: false,
  compare: 'text',
  sourceText: truth,
  warehouseText: truth,
  concerns: [],
};
