import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { comparedColumns } from '../shared/core/agree.ts';
import { compareTable, type QueryRows } from '../shared/core/compare.ts';
import { treatedColumns } from '../shared/core/treatment.ts';
import type { Job } from '../shared/model/job.ts';
import type { Table } from '../shared/model/table.ts';
import { connectSource } from '../shared/source/connect.ts';
import { DESTINATION } from './installation.ts';
import { translate } from './redshift/dialect.ts';

const BATCH = 1_000;

export interface Verified {
  sourceRows: number;
  warehouseRows: number;
  sourceChecksum: string;
  warehouseChecksum: string;
}

/** Rows as they arrive, every value as the server's own text. */
const rowsOf = (client: pg.Client, rewrite: (sql: string) => string = (sql) => sql): QueryRows => ({
  async *rows(sql) {
    const types = { getTypeParser: () => (text: string) => text };
    const query = new QueryStream(rewrite(sql), [], { rowMode: 'array', batchSize: BATCH, types } as never);
    yield* client.query(query) as AsyncIterable<(string | null)[]>;
  },
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
