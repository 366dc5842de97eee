import type pg from 'pg';
import * as z from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { Store } from '../shared/aws/store.ts';
import { adopt } from '../shared/core/agree.ts';
import { choose } from '../shared/core/guess.ts';
import { tooLarge } from '../shared/core/item-size.ts';
import { missingGrants } from '../shared/core/missing-grants.ts';
import { checksAnew, newTables } from '../shared/core/new-table.ts';
import { isCopied, type SourceCatalog, type SourceTable } from '../shared/model/catalog.ts';
import type { Job } from '../shared/model/job.ts';
import { readCatalog } from '../shared/source/catalog.ts';
import { type Keyed, readClocks } from '../shared/source/clocks.ts';
import { brokenConnection } from '../shared/source/connect.ts';
import { readFence } from '../shared/source/fence.ts';
import { profile } from '../shared/source/profile.ts';
import { checkSchema, noTables, SET_SCHEMA } from '../shared/source/schema.ts';
import { type Edge, handle } from './edge.ts';

export const InspectEvent = z.object({ jobId: z.string() });

export interface InspectPorts {
  store: Store;
  connect(secretArn: string): Promise<pg.Client>;
}

export interface Inspected {
  tables: number;
  added: number;
  /** What a person should check about the source as a whole; what concerns one table stands on its item. */
  checks: string[];
  /** Statements for an administrator of the source, ready to paste: the first of them. */
  grants: string[];
}

/**
 * Reads the source's schema and puts an item in the config table for each table that is new, with its guessed keys and
 * copy mode. An item that is there keeps whatever a person decided; what changed of its columns is taken over, and what is to
 * be checked is said anew.
 *
 * @throws LoaderError SourceUnavailable, SourceRefused, BadConfiguration
 */
export async function inspect(
  event: z.infer<typeof InspectEvent>,
  { store, connect }: InspectPorts,
  { now }: Pick<Edge, 'now'>,
): Promise<Inspected> {
  const { job, tables, broken, states } = await store.readJob(event.jobId);
  const client = await connect(job.secretArn);
  const known = new Map(tables.map((table) => [table.sourceName, table]));
  const isNew = ({ name, columns }: SourceTable) => !known.has(name) && !broken.has(name) && columns.length > 0;
  const { blind, catalog, fresh, profiled, clocks } = await (async () => {
    try {
      const { blind } = await readFence(client);
      const catalog = await readCatalog(client, { schema: job.sourceSchema, exclude: job.exclude });
      if (catalog.relations.length === 0) await checkSchema(client, job.sourceSchema, SET_SCHEMA);
      const fresh = catalog.tables.filter((found) => isWanted(job, found) && isNew(found));
      const keyed = catalog.tables.map((found): Keyed => [found, known.get(found.name) ?? asGuessed(found)]);
      const profiled = await profile(client, fresh, now);
      return { blind, catalog, fresh, profiled, clocks: await readClocks(client, keyed, now) };
    } catch (error) {
      throw brokenConnection(error, client);
    } finally {
      await client.end();
    }
  })();
  const wanted = catalog.tables.filter((found) => isWanted(job, found));
  const empty = wanted.length === 0 ? [noTables(job.sourceSchema)] : [];
  const checks = [...(blind ? [blind] : []), ...leftOut(job, catalog), ...empty];
  let added = 0;
  const names = tables.map((table) => table.destinationName);
  for (const table of newTables(job, fresh, names, { user: catalog.user, clocks, profile: profiled })) {
    const large = tooLarge(table);
    if (large) checks.push(`${table.sourceName}: ${large}`);
    else if (await store.addTable(event.jobId, table)) added += 1;
  }
  for (const found of catalog.tables) {
    const table = known.get(found.name);
    if (!table) continue;
    const state = states.get(found.name)?.value ?? { sourceName: found.name };
    const { update, told } = adopt(table, found, state, now());
    const anew = checksAnew({ ...table, ...update }, found, { user: catalog.user, clocks });
    if (update || anew)
      await store.updateTable(event.jobId, found.name, { ...update, ...(anew ? { checks: anew } : {}) });
    checks.push(...told.map((one) => `${found.name}: ${one}`));
  }
  const read = wanted.filter(({ name }) => !known.get(name)?.disabled);
  const grants = missingGrants(job.sourceSchema, catalog.user, read).slice(0, MOST_GRANTS);
  return { tables: wanted.length, added, checks, grants };
}

/** A state machine carries 256 KB at most; setup tells the next once these are run. */
const MOST_GRANTS = 500;

const asGuessed = (found: SourceTable): Keyed[1] => ({ updatedKey: choose(found).updatedKey, timezone: 'UTC' });

/** Foreign tables and materialized views on request only: they can't be locked, or hold nothing of their own. */
const isWanted = (job: Job, found: SourceTable): boolean => isCopied(found) || job.include.includes(found.name);

/** What is not copied, and why. */
function leftOut(job: Job, { tables }: SourceCatalog): string[] {
  return tables.flatMap((found) => {
    const { name, kind, columns } = found;
    if (!isWanted(job, found))
      return [
        `${name} is a ${kind}, which is not copied: copy the tables that it is made from, or name it in the job's include`,
      ];
    return columns.length === 0 ? [`${name} has no columns, so there is nothing to copy`] : [];
  });
}

export const handler = handle(InspectEvent, (event, edge) => {
  return inspect(event, { store: new Store(environmentOf('inspect').TABLE_NAME), connect: connectBySecret }, edge);
});
