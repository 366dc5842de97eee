import { qualified, quoteIdentifier } from './quote.ts';

/** How many rows tell what a column holds: enough to see what it is for, few enough to read in a moment. */
export const PROFILED_ROWS = 100_000;

/**
 * How many digits the values of numeric columns have before and behind the point, over the first rows that the server
 * comes by: one row, {rows, b0, s0, b1, s1, …}, all numbers; NULL for a column without values.
 */
export function profileNumerics(schema: string, name: string, columns: string[]): string {
  const list = columns.map((column, i) => {
    const at = `c${i}`;
    const finite = `FILTER (WHERE ${at}::text NOT IN ('NaN', 'Infinity', '-Infinity'))`;
    const before = `CASE WHEN abs(${at}) < 1 THEN 0 ELSE length(trunc(abs(${at}))::text) END`;
    return {
      taken: `${quoteIdentifier(column)} AS ${at}`,
      told: `max(${before}) ${finite} AS b${i}, max(scale(${at})) ${finite} AS s${i}`,
    };
  });
  return (
    `SELECT count(*)::int AS rows, ${list.map(({ told }) => told).join(', ')} FROM ` +
    `(SELECT ${list.map(({ taken }) => taken).join(', ')} FROM ${qualified(schema, name)} LIMIT ${PROFILED_ROWS}) t`
  );
}
