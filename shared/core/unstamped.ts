import { qualified, quoteIdentifier } from '../sql/quote.ts';

/** What ends rows without an updated key: every run has to look for them among all that have none. */
export function stampAll({ schema, name }: { schema: string; name: string }, updatedKey: string): string {
  const [table, column] = [qualified(schema, name), quoteIdentifier(updatedKey)];
  return `UPDATE ${table} SET ${column} = now() WHERE ${column} IS NULL; ALTER TABLE ${table} ALTER COLUMN ${column} SET NOT NULL;`;
}

/** @param most they were counted no further than one beyond it */
export function describeUnstamped(
  table: { schema: string; name: string },
  updatedKey: string,
  rows: number,
  most: number,
): string {
  const many = rows > most ? `more than ${most}` : String(rows);
  return `${table.name}: new or changed rows without ${updatedKey}: ${many} – they are loaded, but every run has to look for such rows: ${stampAll(table, updatedKey)}`;
}
