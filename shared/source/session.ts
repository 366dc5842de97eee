import type pg from 'pg';
import { whyGone } from '../core/relations.ts';
import type { Relation, SourceTable } from '../model/catalog.ts';
import type { Compared } from '../model/compared.ts';
import { errors } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { Snapshot, TableState } from '../model/state.ts';
import { readCatalog } from './catalog.ts';
import { readSnapshot } from './fence.ts';
import { catchUp, refuseLagging } from './place.ts';
import { BEGIN, lockForReading } from './snapshot.ts';

/** One snapshot over several tables, and those that could not be had. */
export interface OpenSnapshot {
  snapshot: Snapshot;
  tables: Map<string, SourceTable>;
  failures: Map<string, Error>;
  /** All that the schema has. */
  relations: Relation[];
}

/**
 * Locks the tables, then takes the snapshot, then reads what they look like: in this order (RULES 9).
 * @param seen snapshots that this one must not lag behind
 * @throws LoaderError SourceUnavailable
 */
export async function openSnapshot(
  client: pg.Client,
  job: Job,
  names: string[],
  seen: Snapshot[] = [],
): Promise<OpenSnapshot> {
  const failures = new Map<string, Error>();
  await catchUp(client, seen);
  await client.query(BEGIN);
  for (const name of names)
    await lockForReading(client, { schema: job.sourceSchema, name }).catch((error: Error) => {
      // The connection is gone, for the tables that follow, too.
      if (error.name === 'SourceUnavailable') throw error;
      failures.set(name, error);
    });
  const snapshot = await readSnapshot(client);
  refuseLagging(client, snapshot, seen);
  const only = names.filter((name) => !failures.has(name));
  const catalog = await readCatalog(client, { schema: job.sourceSchema, exclude: [], only });
  const tables = new Map(catalog.tables.map((table) => [table.name, table]));
  for (const name of only)
    if (!tables.has(name))
      failures.set(name, errors.tableUnreadable(`${name} is no table: correct its sourceName, or disable it`));
  return { snapshot, tables, failures, relations: catalog.relations };
}

/**
 * What a table's passes were read by so far, and the first look of a comparison, which a pass has to follow; nothing of a watermark
 * that was rewound.
 */
export const seenFor = ({ watermark, pass }: TableState, compared?: Pick<Compared, 'suspects'>): Snapshot[] =>
  [...[watermark, pass?.next].flatMap((one) => [one?.snapshot, one?.newest]), compared?.suspects?.snapshot].filter(
    (one) => one != null,
  );

/**
 * One of the tables.
 * @param state by which a table is known again that has another name now
 * @throws LoaderError TableUnreadable
 */
export function tableIn(open: OpenSnapshot, name: string, state?: TableState): SourceTable {
  const found = open.tables.get(name);
  const failure = open.failures.get(name);
  if (failure) throw whyGone(name, failure, open.relations, state);
  if (!found) throw errors.tableUnreadable(`${name} was not asked for`);
  return found;
}
