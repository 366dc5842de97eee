import type { SourceTable } from '../model/catalog.ts';
import { qualified, quoteIdentifier } from '../sql/quote.ts';

/** What an administrator of the source has to run before its tables can be read: nothing, or statements to paste. */
export function missingGrants(
  schema: string,
  user: string,
  tables: Pick<SourceTable, 'name' | 'readable' | 'schemaUsable' | 'rowSecurity'>[],
): string[] {
  const grantee = quoteIdentifier(user);
  const hidden = tables.filter(({ readable }) => !readable);
  const all = hidden.length === tables.length;
  const select = all
    ? [`GRANT SELECT ON ALL TABLES IN SCHEMA ${quoteIdentifier(schema)} TO ${grantee};`]
    : hidden.map(({ name }) => `GRANT SELECT ON ${qualified(schema, name)} TO ${grantee};`);
  const closed = hidden.some(({ schemaUsable }) => !schemaUsable);
  return [
    ...(closed ? [`GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} TO ${grantee};`] : []),
    ...(hidden.length > 0 ? select : []),
    ...(tables.some(({ rowSecurity }) => rowSecurity) ? [`ALTER ROLE ${grantee} BYPASSRLS;`] : []),
  ];
}
