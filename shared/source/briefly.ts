import type pg from 'pg';
import { isConnectionLost } from './connect.ts';

/** What one table may cost the source, and all of them together. */
const TABLE_MS = 5_000;
const BUDGET_MS = 40_000;

/** A query that looks at a table, for one row. */
export interface Question {
  table: string;
  sql: string;
}

/**
 * What setup would like to know of tables, in as little time as it may take of the source. A table that can't be read, or takes too
 * long, is left out.
 */
export async function* askBriefly<Row extends pg.QueryResultRow>(
  client: pg.Client,
  questions: Question[],
  now: () => Date,
): AsyncGenerator<[table: string, row: Row | undefined]> {
  const deadline = now().getTime() + BUDGET_MS;
  for (const { table, sql } of questions) {
    const left = Math.min(TABLE_MS, deadline - now().getTime());
    if (left <= 0) return;
    await client.query(`SET statement_timeout = ${Math.ceil(left)}`);
    const answer = await client.query<Row>(sql).catch((error: Error) => {
      if (isConnectionLost(error)) throw error;
    });
    if (answer) yield [table, answer.rows[0]];
  }
}
