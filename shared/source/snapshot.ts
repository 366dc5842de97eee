import type pg from 'pg';
import { errors } from '../model/errors.ts';
import { lockTable } from '../sql/postgres.ts';

/** A table that is being altered holds up nobody else for longer than this. */
const LOCK_TIMEOUT_MS = 2_000;

/** Rewrites and TRUNCATE aren't MVCC-safe, so tables are locked before the snapshot's first SELECT (RULES 9). */
export const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/** Runs something under a savepoint, so that one bad table doesn't spoil the snapshot (RULES 10). */
export async function underSavepoint<T>(client: pg.Client, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  await client.query(`SAVEPOINT one_table; SET LOCAL statement_timeout = ${timeoutMs}`);
  try {
    const result = await work();
    await client.query('RELEASE SAVEPOINT one_table');
    return result;
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT one_table; RELEASE SAVEPOINT one_table');
    throw error;
  }
}

/**
 * Takes the lock that keeps a table as it is while a snapshot reads it; under a savepoint of its own.
 * @throws LoaderError TableUnreadable: gone, forbidden, or locked by somebody else
 */
export async function lockForReading(client: pg.Client, table: { schema: string; name: string }): Promise<void> {
  const lock = `SAVEPOINT one_lock; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}; ${lockTable(table)}; RELEASE SAVEPOINT one_lock`;
  try {
    await client.query(lock);
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT one_lock; RELEASE SAVEPOINT one_lock');
    throw tableError(error, table);
  }
}

/** A driver's error about one table as ours, with what to do. */
export function tableError(error: unknown, { schema, name }: { schema: string; name: string }): Error {
  const { code, message } = error as { code?: string; message: string };
  const table = `${schema}.${name}`;
  switch (code) {
    case '42P01':
    case '3F000':
      return errors.tableUnreadable(
        `${table} does not exist at the source any more: disable the table, or restore it`,
        error,
      );
    case '42501':
      return errors.tableUnreadable(
        `${table}: no right to read it – run as its owner: GRANT SELECT ON "${schema}"."${name}" TO the job's user`,
        error,
      );
    case '55P03':
      return errors.tableUnreadable(
        `${table} is locked by somebody else, an ALTER TABLE perhaps: the next run tries again`,
        error,
      );
    case '57014':
      return errors.tableUnreadable(
        `${table}: the source took too long to find what is new – is there an index on the table's updatedKey?`,
        error,
      );
    default:
      return code ? errors.tableUnreadable(`${table}: ${message} (SQLSTATE ${code})`, error) : (error as Error);
  }
}
