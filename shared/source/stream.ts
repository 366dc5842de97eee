import type pg from 'pg';
import QueryStream from 'pg-query-stream';

/** Rows asked of the server at once. */
const BATCH = 1_000;

/** A query's rows as they arrive, every value as the server's own text: memory stays flat. */
export async function* streamRows(client: pg.Client, sql: string): AsyncGenerator<(string | null)[]> {
  const types = { getTypeParser: () => (text: string) => text };
  const query = new QueryStream(sql, [], { rowMode: 'array', batchSize: BATCH, types } as never);
  yield* client.query(query) as AsyncIterable<(string | null)[]>;
}
