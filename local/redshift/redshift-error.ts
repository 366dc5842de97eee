import pg from 'pg';
import { DialectError } from './dialect-error.ts';
import { LoadFailed } from './load-error.ts';

/** The `Error` text of a failed statement, as the Data API reports it. */
export function errorText(error: unknown): string {
  if (error instanceof pg.DatabaseError) return `ERROR: ${ofPostgres(error)}`;
  if (error instanceof DialectError || error instanceof LoadFailed) return `ERROR: ${error.message}`;
  return `ERROR: ${error instanceof Error ? error.message : String(error)}`;
}

/** Of what was cancelled, by whatever means (Management Guide, troubleshooting queries). */
const CANCELLED = "Query cancelled on user's request";

/** What Redshift says where Postgres says something else; the rest passes with Postgres' own words. */
function ofPostgres(error: pg.DatabaseError): string {
  const constraint = error.constraint ?? '';
  switch (error.code) {
    case '57014':
      return CANCELLED;
    case '22001':
      return 'Value too long for character type';
    case '23514':
      if (constraint.startsWith('bytes_')) return `Value too long for character type (column ${constraint.slice(6)})`;
      if (constraint.startsWith('super_'))
        return `Invalid SUPER value in column ${constraint.slice(6)}: beyond its limits`;
      return `Value out of range (column ${constraint.slice(6)})`;
    case '23502':
      return `Cannot insert a NULL value into column ${error.column}`;
    case '21000':
      return error.message.startsWith('MERGE') ? 'Found multiple matches to update the same tuple.' : error.message;
    case '40001':
      return `1023 DETAIL: Serializable isolation violation on table (${error.message})`;
    case '42501':
      return error.message.replace(/^permission denied for (table|view|sequence)/, 'permission denied for relation');
    default:
      return error.message;
  }
}

/** pg_cancel_backend's doing. */
export function isCancelled(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '57014';
}
