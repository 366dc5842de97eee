import type { Statement, Warehouse } from '../shared/aws/warehouse.ts';
import { describeLoadError, describeRefusal } from '../shared/core/load-advice.ts';
import type { Destination } from '../shared/model/destination.ts';
import { errors } from '../shared/model/errors.ts';
import type { Job } from '../shared/model/job.ts';
import type { Table } from '../shared/model/table.ts';
import { qualified } from '../shared/sql/quote.ts';
import { countOf, isShareGuard } from '../shared/sql/redshift.ts';

/**
 * Why the warehouse refused a table's load, and what to do: its own words, and what they mean where ours provoked them.
 * @param extracted the rows that the pass has brought, this batch included
 */
export async function whyRefused(
  statement: Statement,
  extracted: { table: Table; rows: number },
  job: Job,
  { warehouse, destination }: { warehouse: Warehouse; destination: Destination },
): Promise<Error> {
  const { table, rows } = extracted;
  const refused = (why: string) => errors.warehouseRefused(`${table.sourceName}: ${why}`);
  const value = await warehouse.loadError(statement);
  // Names the staged object, which is kept for people to look into while the table's error is told.
  if (value) return refused(describeLoadError(value, table, job.sourceSchema, destination.schema));
  if (!isShareGuard(statement.sql)) return refused(describeRefusal(statement.error, table, destination.schema));
  const there = await rowsOf(warehouse, qualified(destination.schema, table.destinationName));
  return errors.sourceShrank(
    `${table.sourceName}: the source has ${rows} rows and the warehouse ${there}, and minShare is ${table.minShare ?? job.minShare}, so ` +
      `nothing was replaced: check the source; if it is right, re-load the table once (npm run admin -- tables reset ` +
      `${job.jobId} ${table.sourceName}), or lower minShare`,
  );
}

async function rowsOf(warehouse: Warehouse, target: string): Promise<string> {
  for await (const [rows] of warehouse.query(countOf(target))) return rows ?? '0';
  throw new Error(`the warehouse did not say how many rows ${target} has`);
}
