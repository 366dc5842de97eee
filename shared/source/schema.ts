import { errors } from '../model/errors.ts';
import type { Queryable } from './catalog.ts';
import { SCHEMAS } from './catalog-queries.ts';

/** Some applications have a schema for each of their customers. */
const MOST_NAMED = 20;

/**
 * @param choose how another is chosen: `name with --schema`
 * @throws LoaderError BadConfiguration that lists the source's schemas: one that doesn't exist shows no tables, as an empty one
 */
export async function checkSchema(client: Queryable, schema: string, choose: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(SCHEMAS, [schema]);
  const names = rows.map(({ name }) => name);
  if (names.includes(schema)) return;
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  const there = names.slice(0, MOST_NAMED).join(', ');
  throw errors.badConfiguration(
    names.length === 0
      ? `the source has no schema ${schema}, nor any other: check the database in the connection string`
      : `the source has no schema ${schema}: ${choose} one of ${there}${more}`,
  );
}

/** How a job's schema is chosen. */
export const SET_SCHEMA = "set the job's sourceSchema to";

/** What a person should check where a job's schema is there, and empty. */
export const noTables = (schema: string): string =>
  `schema ${schema} has no tables to copy: set the job's sourceSchema to another, or see what its exclude leaves out`;
