import type pg from 'pg';
import type { SourceTable } from '../model/catalog.ts';
import { errors } from '../model/errors.ts';
import type { Table } from '../model/table.ts';
import { keyEndingInBlank, type Range, type Scope, type Source } from '../sql/postgres.ts';
import { qualified, quoteIdentifier } from '../sql/quote.ts';

/** bpchar is left out: blanks at its end count in neither engine. */
const TEXTS = new Set(['text', 'varchar', 'citext', 'name']);

/**
 * Stops a table whose rows to be moved have a key that ends in a blank: Redshift ignores it when it compares, so `a` and
 * `a ` would become one row (RULES 12). A full sync compares no keys.
 * @throws LoaderError KeyEndsInBlank: says how to find them; never a key's value, which may be private
 */
export async function refuseBlankKeys(
  client: pg.Client,
  table: Table,
  found: SourceTable,
  read: { source: Source; ranges: Range[]; scope: Scope },
): Promise<void> {
  if (table.copyMode === 'FULL_DATA_SYNC') return;
  const texts = found.columns.filter(
    ({ name, type }) => table.primaryKey.includes(name) && (TEXTS.has(type.name) || type.kind === 'enum'),
  );
  for (const key of texts) {
    const { rowCount } = await client.query(keyEndingInBlank(read.source, key, read.ranges, read.scope));
    if (!rowCount) continue;
    const [column, name] = [quoteIdentifier(key.name), qualified(found.schema, found.name)];
    throw errors.keyEndsInBlank(
      `${table.sourceName}: a value of the key column ${column} ends in a blank, which Redshift ignores when it compares ` +
        `keys: find it by SELECT * FROM ${name} WHERE ${column}::text LIKE '% '; and trim it, or choose FULL_DATA_SYNC`,
    );
  }
}
