import type pg from 'pg';
import type { QueryRows } from '../../shared/core/compare.ts';
import { streamRows } from '../../shared/source/stream.ts';

/** Runs SELECTs on this connection, one at a time. */
export const queryRows = (client: pg.Client): QueryRows => ({ rows: (sql) => streamRows(client, sql) });
