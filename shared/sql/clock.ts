import { qualified, quoteIdentifier, quoteLiteral } from './quote.ts';

/** How many seconds the newest value of a column lies ahead of the server's clock: one row, {ahead}, or none. */
export function aheadOfClock(
  schema: string,
  name: string,
  { column, timezone }: { column: string; timezone: string },
): string {
  const at = quoteIdentifier(column);
  return (
    `SELECT extract(epoch FROM ${at} AT TIME ZONE ${quoteLiteral(timezone)} - clock_timestamp())::float8 AS ahead ` +
    `FROM ${qualified(schema, name)} WHERE ${at} < 'infinity' AND ${at} > '-infinity' ORDER BY ${at} DESC LIMIT 1`
  );
}
