import type pg from 'pg';
import { z } from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { Store } from '../shared/aws/store.ts';
import { adopt } from '../shared/core/agree.ts';
import { guess } from '../shared/core/guess.ts';
import { foldColumnNames, foldNames } from '../shared/core/names.ts';
import { isCopied, type SourceCatalog, type SourceTable } from '../shared/model/catalog.ts';
import type { Column } from '../shared/model/column.ts';
import type { Table } from '../shared/model/table.ts';
import { readCatalog } from '../shared/source/catalog.ts';
import { brokenConnection } from '../shared/source/connect.ts';
import { readFence } from '../shared/source/fence.ts';
import { mapType } from '../shared/sql/types.ts';
import { type Edge, handle } from './edge.ts';

export const InspectEvent = z.object({ jobId: z.string() });

export interface InspectPorts {
  store: Store;
  connect(secretArn: string): Promise<pg.Client>;
}

export interface Inspected {
  tables: number;
  added: number;
  /** What a person should check about the source as a whole. */
  checks: string[];
}

/**
 * Reads the source's schema and puts an item in the config table for each table that is new, with its guessed keys and
 * copy mode. An item that is there keeps whatever a person decided; what changed of its columns is taken over.
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
  const { blind, catalog } = await (async () => {
    try {
      const fence = await readFence(client);
      return {
        blind: fence.blind,
        catalog: await readCatalog(client, { schema: job.sourceSchema, exclude: job.exclude }),
      };
    } catch (error) {
      throw brokenConnection(error, client);
    } finally {
      await client.end();
    }
  })();
  const known = new Map(tables.map((table) => [table.sourceName, table]));
  const checks = [...(blind ? [blind] : []), ...leftOut(catalog)];
  let added = 0;
  for (const table of newTables(catalog, tables, [...broken.keys()]))
    if (await store.addTable(event.jobId, table)) added += 1;
  for (const found of catalog.tables) {
    const table = known.get(found.name);
    if (!table) continue;
    const state = states.get(found.name)?.value ?? { sourceName: found.name };
    const { update, told } = adopt(table, found, state, now());
    if (update) await store.updateTable(event.jobId, found.name, update);
    checks.push(...told.map((one) => `${found.name}: ${one}`));
  }
  return { tables: catalog.tables.filter(isCopied).length, added, checks };
}

function leftOut({ tables }: SourceCatalog): string[] {
  const others = tables.filter((table) => !isCopied(table));
  return others.map(
    ({ name, kind }) => `${name} is a ${kind}, which is not copied: copy the tables that it is made from`,
  );
}

/** The columns of a table as the warehouse will have them. */
export function columnsOf(found: SourceTable): Column[] {
  const names = foldColumnNames(found.columns.map((column) => column.name));
  return found.columns.map((column, i) => ({
    source: column.name,
    name: names[i]?.name ?? column.name,
    sourceType: column.type,
    type: mapType(column.type).type,
    ...(column.attnum === undefined ? {} : { attnum: column.attnum }),
  }));
}

function newTables(catalog: SourceCatalog, tables: Table[], broken: string[]): Table[] {
  const known = new Set([...tables.map((table) => table.sourceName), ...broken]);
  const fresh = catalog.tables.filter((found) => isCopied(found) && !known.has(found.name) && found.columns.length > 0);
  const names = foldNames(
    fresh.map((found) => found.name),
    tables.map((table) => table.destinationName),
  );
  return fresh.map((found, i) => {
    const { primaryKey, updatedKey, copyMode, why, checks } = guess(found, catalog.user);
    const columns = columnsOf(found);
    return {
      sourceName: found.name,
      destinationName: names[i]?.name ?? found.name,
      primaryKey,
      updatedKey,
      copyMode,
      disabled: false,
      timezone: 'UTC',
      columns,
      dropped: [],
      schemaHistory: [],
      created: false,
      why,
      checks,
      notes: notesOn(columns),
      revision: 0,
    };
  });
}

/** What a person should know of the columns' types, columns of one note together. */
function notesOn(columns: Column[]): string[] {
  const byNote = Map.groupBy(columns, ({ sourceType }) => mapType(sourceType).note ?? '');
  byNote.delete('');
  return [...byNote].map(([note, group]) => `${group.map(({ source }) => source).join(', ')}: ${note}`);
}

export const handler = handle(InspectEvent, (event, edge) => {
  return inspect(event, { store: new Store(environmentOf('inspect').TABLE_NAME), connect: connectBySecret }, edge);
});
