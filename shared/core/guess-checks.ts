import type { SourceTable } from '../model/catalog.ts';
import type { CopyMode, Table } from '../model/table.ts';
import { qualified, quoteIdentifier } from '../sql/quote.ts';
import { stampAll } from './unstamped.ts';

interface Chosen {
  primaryKey: string[];
  updatedKey: string | null;
  copyMode: CopyMode;
  timezone?: string;
  deletes?: Table['deletes'];
}

/** What is known of a source besides its catalog. */
export interface Known {
  /** Whom GRANT statements name: the user that the source is read as. */
  user: string;
  /** How far the newest value of an updated key without a time zone lies ahead of the source's clock, in seconds: see `Clocks`. */
  clocks: ReadonlyMap<string, number | null>;
}

/** Names that other frameworks give to what Rails calls updated_at. */
const LIKE_UPDATED_AT =
  /^(updated|modified|changed|last_?(updated|modified|changed))(_?(at|on|time|date|timestamp))?$/i;
/** From here on copying a whole table at every run is worth a second thought. */
const MANY_ROWS = 1_000_000;
/** bpchar is left out: blanks at its end count in neither engine. */
const TEXTS = ['text', 'varchar', 'citext', 'name'];

/** The same as a job's scanBack by default: so far clocks of the application may differ. */
const CLOCKS_DIFFER_SECONDS = 300;

const columnOf = (table: SourceTable, name: string | null) => table.columns.find((column) => column.name === name);

const access = (table: SourceTable, user: string): string[] => {
  const name = qualified(table.schema, table.name);
  const grantee = quoteIdentifier(user);
  const checks: string[] = [];
  if (!table.readable) {
    const usage = table.schemaUsable ? '' : `GRANT USAGE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${grantee}; `;
    checks.push(`may not be read: ${usage}GRANT SELECT ON ${name} TO ${grantee};`);
  }
  if (table.rowSecurity) {
    checks.push(
      `row security would hide rows from ${user}, so it is not read: run as an administrator: ALTER ROLE ${grantee} BYPASSRLS;`,
    );
  }
  return checks;
};

/** Whether what the clock shows agrees with the zone that a column is read in: rows that seem older than they are get lost. */
const zoneChecks = (column: string, timezone: string, ahead: number | null | undefined): string[] => {
  if (typeof ahead === 'number' && Math.abs(ahead) <= CLOCKS_DIFFER_SECONDS) return [];
  const read = `${column} has no time zone and is read as ${timezone}`;
  const set = "set the table's timezone to the zone of the clock that writes it";
  if (typeof ahead !== 'number') return [`${read}: check that it is written so; if not, ${set}`];
  return ahead > 0
    ? [`${read}, and yet its newest value lies ${inWords(ahead)} ahead of the source's clock: ${set}`]
    : [`${read}, by which its newest value is ${inWords(-ahead)} old: if a row was changed since, ${set}`];
};

const inWords = (seconds: number): string => {
  const [amount, unit] = seconds < 48 * 3600 ? [seconds / 3600, 'hour'] : [seconds / 86_400, 'day'];
  const rounded = Math.round(amount * 10) / 10;
  return `${rounded} ${unit}${rounded === 1 ? '' : 's'}`;
};

const updatedKeyChecks = (
  table: SourceTable,
  { primaryKey, updatedKey, timezone = 'UTC', deletes }: Chosen,
  clocks: Known['clocks'],
): string[] => {
  const column = columnOf(table, updatedKey);
  if (column === undefined) return [];
  const checks: string[] = [];
  const name = qualified(table.schema, table.name);
  if (!table.indexedColumns.includes(column.name)) {
    // CREATE INDEX CONCURRENTLY works on no partitioned table.
    const how = table.kind === 'partitioned' ? 'CREATE INDEX' : 'CREATE INDEX CONCURRENTLY';
    const keys = [column.name, ...primaryKey].map(quoteIdentifier).join(', ');
    checks.push(`no index leads on ${column.name}, so each run reads the whole table: ${how} ON ${name} (${keys});`);
  }
  if (column.nullable) {
    checks.push(
      `${column.name} may be NULL, and every run looks for such rows among all that are: ${stampAll(table, column.name)}`,
    );
  }
  if (column.type.name === 'timestamp') checks.push(...zoneChecks(column.name, timezone, clocks.get(table.name)));
  if (table.stats !== null && table.stats.deleted > 0 && deletes !== 'remove') {
    checks.push(
      `${table.stats.deleted} rows were deleted so far, which INSERT_AND_UPDATE does not copy by itself: let deletes be remove, mark rows as deleted instead, or choose FULL_DATA_SYNC`,
    );
  }
  return checks;
};

const wholeTableChecks = (table: SourceTable, { primaryKey }: Chosen): string[] => {
  const checks: string[] = [];
  const updatedAt = columnOf(table, 'updated_at');
  if (updatedAt && !['timestamp', 'timestamptz'].includes(updatedAt.type.name)) {
    checks.push(
      `updated_at is ${updatedAt.type.declared}: only timestamp and timestamptz can tell what is new; change its type`,
    );
  }
  const alike = table.columns.find(
    ({ name, type }) => name !== 'updated_at' && LIKE_UPDATED_AT.test(name) && type.name.startsWith('timestamp'),
  );
  if (alike && primaryKey.length > 0) {
    checks.push(`if every change sets ${alike.name}, set updatedKey to it and choose INSERT_AND_UPDATE`);
  }
  const [column, ...others] = primaryKey;
  const integer = others.length === 0 && /^int[248]$/.test(columnOf(table, column ?? null)?.type.name ?? '');
  const fed = table.sequences.find((sequence) => sequence.column === column);
  if (integer && fed === undefined) {
    checks.push(`${column} is fed by no sequence: if it only ever rises and rows never change, choose INSERT_ONLY`);
  }
  if (integer && fed && table.stats === null) {
    checks.push('no statistics (track_counts is off, or a standby): if rows never change, choose INSERT_ONLY');
  }
  if (integer && fed && table.stats?.updated === 0 && table.stats.deleted === 0 && table.estimatedRows < 0) {
    checks.push('if its rows never change, choose INSERT_ONLY: statistics do not know the table yet');
  }
  if (table.estimatedRows >= MANY_ROWS) {
    checks.push(
      `about ${table.estimatedRows} rows are copied at every run: add an updated_at to the table, or run it rarely`,
    );
  }
  return checks;
};

const insertOnlyChecks = (table: SourceTable, { primaryKey }: Chosen): string[] => {
  const checks = ['if rows are ever updated, deleted or truncated, choose FULL_DATA_SYNC'];
  const fed = table.sequences.find(({ column }) => column === primaryKey[0]);
  if (fed && fed.cache > 1) {
    checks.push(
      `its sequence hands out blocks of ${fed.cache}, so rows can come late: gaps are looked at again for gapDays days`,
    );
  }
  return checks;
};

const keyChecks = (table: SourceTable, { primaryKey, copyMode }: Chosen): string[] => {
  if (copyMode === 'FULL_DATA_SYNC') return [];
  const texts = primaryKey.filter((name) => TEXTS.includes(columnOf(table, name)?.type.name ?? ''));
  return texts.map((name) => {
    const where = `SELECT * FROM ${qualified(table.schema, table.name)} WHERE ${quoteIdentifier(name)} LIKE '% ';`;
    return `Redshift ignores blanks at the end of ${name}: this must find nothing: ${where}`;
  });
};

/** What a person should check about a table that is to be copied in the chosen way, each with what to do. */
export const checksFor = (table: SourceTable, chosen: Chosen, { user, clocks }: Known): string[] => [
  ...access(table, user),
  ...updatedKeyChecks(table, chosen, clocks),
  ...(chosen.copyMode === 'FULL_DATA_SYNC' ? wholeTableChecks(table, chosen) : []),
  ...(chosen.copyMode === 'INSERT_ONLY' ? insertOnlyChecks(table, chosen) : []),
  ...keyChecks(table, chosen),
];
