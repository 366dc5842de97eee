import pg from 'pg';
import { comparedColumns } from '../shared/core/agree.ts';
import { compareTable, type QueryRows } from '../shared/core/compare.ts';
import { treatedColumns } from '../shared/core/treatment.ts';
import type { Job } from '../shared/model/job.ts';
import type { Table } from '../shared/model/table.ts';
import { connectSource } from '../shared/source/connect.ts';
import { streamRows } from '../shared/source/stream.ts';
import { DESTINATION } from './installation.ts';
import { translate } from './redshift/dialect.ts';

export interface Verified {
  sourceRows: number;
  warehouseRows: number;
  sourceChecksum: string;
  warehouseChecksum: string;
}

const rowsOf = (client: pg.Client, rewrite: (sql: string) => string = (sql) => sql): QueryRows => ({
  rows: (sql) => streamRows(client, rewrite(sql)),
});

/** What the checksum says to the warehouse must be Redshift's dialect: it passes the same gate as every load. */
function asRedshift(sql: string): string {
  const translated = translate(sql);
  const [only, ...more] = translated.kind === 'sql' ? translated.sql : [];
  if (only === undefined || more.length > 0) throw new Error(`not a query: ${sql}`);
  return only;
}

/** Compares every table of a job on both sides: count, and a checksum over all columns. */
export async function verify(
  job: Job,
  tables: Table[],
  source: string,
  warehouse: string,
  schema = DESTINATION.schema,
): Promise<Map<string, Verified | Error>> {
  const there = await connectSource(source);
  const here = new pg.Client({ connectionString: warehouse });
  // A connection that breaks is told by the query that waits.
  here.on('error', () => undefined);
  await here.connect();
  try {
    await here.query("SET TimeZone = 'UTC'; SET extra_float_digits = 1");
    await here.query('SET search_path TO public, redshift');
    const results = new Map<string, Verified | Error>();
    for (const table of tables) {
      const compared = {
        source: { schema: job.sourceSchema, name: table.sourceName },
        warehouse: { schema, name: table.destinationName },
        columns: treatedColumns(job, { ...table, columns: comparedColumns(table) }),
      };
      const ports = { source: rowsOf(there), warehouse: rowsOf(here, asRedshift) };
      results.set(table.sourceName, await compareTable(compared, ports).catch((error: Error) => error));
    }
    return results;
  } finally {
    await there.end();
    await here.end();
  }
}
