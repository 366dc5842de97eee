import type { ClientBase } from 'pg';
import QueryStream from 'pg-query-stream';
import type { QueryRows } from '../../shared/core/compare.ts';

/** Values stay the text that Postgres sent: numbers keep all their digits, timestamps their microseconds. */
const asText = { getTypeParser: () => (value: string | Buffer) => String(value) };

/** Runs SELECTs on this connection, one at a time, by a cursor: memory stays flat whatever the table. */
export const queryRows = (client: ClientBase): QueryRows => ({
  rows: (sql) => client.query(new QueryStream(sql, [], { rowMode: 'array', batchSize: 1_000, types: asText })),
});
