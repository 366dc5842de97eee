import type pg from 'pg';
import { errors, LoaderError } from '../model/errors.ts';
import { SALT_SETTING } from '../sql/masks.ts';
import { lockTable, PIN_TRANSACTION } from '../sql/postgres.ts';
import { qualified, quoteIdentifier } from '../sql/quote.ts';
import { isCancelled, isConnectionLost, SQLSTATE, sourceError } from './connect.ts';

/** A table that is being altered holds up nobody else for longer than this. */
const LOCK_TIMEOUT_MS = 2_000;

/** Rewrites and TRUNCATE aren't MVCC-safe, so tables are locked before the snapshot's first SELECT (RULES 9). */
export const BEGIN = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${PIN_TRANSACTION}`;

/** Where the connection is lost this fails, too: what broke it is the error to tell. */
const rollBack = (client: pg.Client, savepoint: string) =>
  client.query(`ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`).catch(() => undefined);

/** Runs something under a savepoint, so that one bad table doesn't spoil the snapshot (RULES 10). */
export async function underSavepoint<T>(client: pg.Client, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  await client.query(`SAVEPOINT one_table; SET LOCAL statement_timeout = ${timeoutMs}`);
  try {
    const result = await work();
    await client.query('RELEASE SAVEPOINT one_table');
    return result;
  } catch (error) {
    await rollBack(client, 'one_table');
    throw error;
  }
}

/** The same; null where it takes longer than it may. */
export async function withinTime<T>(client: pg.Client, timeoutMs: number, work: () => Promise<T>): Promise<T | null> {
  try {
    return await underSavepoint(client, timeoutMs, work);
  } catch (error) {
    if (isCancelled(error)) return null;
    throw error;
  }
}

/**
 * Takes the lock that keeps a table as it is while a snapshot reads it; under a savepoint of its own.
 * @throws LoaderError TableUnreadable: gone, forbidden, or locked by somebody else
 */
export async function lockForReading(client: pg.Client, table: TableName): Promise<void> {
  const lock = `SAVEPOINT one_lock; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}; ${lockTable(table)}; RELEASE SAVEPOINT one_lock`;
  try {
    await client.query(lock);
  } catch (error) {
    await rollBack(client, 'one_lock');
    // No table: foreign tables and materialized views can't be locked. The catalog tells whether it is one of those.
    if ((error as { code?: string }).code === '42809') return;
    throw tableError(error, table, client);
  }
}

interface TableName {
  schema: string;
  name: string;
}

/** A driver's error about one table as ours, with what to do; one of the connection itself is SourceUnavailable. */
export function tableError(error: unknown, { schema, name }: TableName, client: pg.Client): Error {
  if (error instanceof LoaderError) return error;
  if (isConnectionLost(error)) return sourceError(error, `${client.host}:${client.port}/${client.database}`);
  const { code = '', message, routine } = error as { code?: string; message: string; routine?: string };
  const user = quoteIdentifier(client.user ?? '');
  const table = `${schema}.${name}`;
  switch (code) {
    case '42P01':
    case '3F000':
      return errors.tableUnreadable(
        `${table} does not exist at the source: correct its sourceName, restore it, or disable the table`,
        error,
      );
    case '42501':
      // The message itself is in the server's language.
      if (routine === 'check_enable_rls')
        return errors.tableUnreadable(
          `${table}: row security would hide rows from ${user} – run as an administrator: ALTER ROLE ${user} BYPASSRLS;`,
          error,
        );
      return errors.tableUnreadable(
        `${table}: ${message} – run as its owner: ${grants({ schema, name }, user)}`,
        error,
      );
    case '42704':
      if (message.includes(SALT_SETTING))
        return errors.badConfiguration(
          `${name}: a masked column needs a salt: store {"connectionString": "…", "salt": "…"} as the job's secret`,
        );
      break;
    case '55P03':
      return errors.tableUnreadable(
        `${table} is locked by somebody else, an ALTER TABLE perhaps: the next run tries again`,
        error,
      );
    case '40001':
    case '40P01':
      return errors.sourceUnavailable(
        `${table}: the source gave up reading it in favour of others – on a standby set hot_standby_feedback = on, or raise max_standby_streaming_delay`,
        error,
      );
    case '57014':
      return errors.tableUnreadable(
        `${table}: the source took too long to find what is new – is there an index on the table's updatedKey?`,
        error,
      );
    // Of this table's own sorts, as of an updatedKey without an index: the other tables go on.
    case '53400':
      return errors.tableUnreadable(
        `${table}: ${message} – index the table's updatedKey and primaryKey, or raise the source's limit, temp_file_limit perhaps`,
        error,
      );
    // Of json, which is kept as it was written, whatever jsonb says of it; on its own it is a policy's business (`concerns`).
    case '22P02':
    case '22P05':
    case '22003':
      return errors.tableUnreadable(
        `${table}: ${message} (SQLSTATE ${code}) – a json value, perhaps in an array or a composite, has what jsonb refuses, such as ` +
          '\\u0000, half a surrogate pair or 1e200000: correct it at the source, or exclude its column by treat',
        error,
      );
  }
  // Memory, disk or connections of the moment.
  if (/^53/.test(code)) return errors.sourceUnavailable(`${table}: ${message} (SQLSTATE ${code})`, error);
  return SQLSTATE.test(code)
    ? errors.tableUnreadable(
        `${table}: ${message} (SQLSTATE ${code}) – correct it at the source, or disable the table`,
        error,
      )
    : (error as Error);
}

const grants = ({ schema, name }: TableName, user: string): string =>
  `GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} TO ${user}; GRANT SELECT ON ${qualified(schema, name)} TO ${user};`;
