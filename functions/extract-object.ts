import type pg from 'pg';
import { changedKey, type Stage } from '../shared/aws/stage.ts';
import { treatedColumns } from '../shared/core/treatment.ts';
import type { Job } from '../shared/model/job.ts';
import type { StagedObject } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import { copyCompressed } from '../shared/source/read.ts';
import type { Reading } from '../shared/source/reading.ts';
import { listChanged, readCounts, refuse, startCounting, sumByColumn } from '../shared/source/values.ts';
import { copyOut, type Range, rowsOf } from '../shared/sql/postgres.ts';
import { countersOf } from '../shared/sql/values.ts';
import type { Edge } from './edge.ts';

/** Time kept back for the ends of two uploads, and the writes after them. */
const RESERVE_MS = 60_000;

/** What a call of extract has left for reading rows. */
export const timeToRead = (edge: Edge): number => edge.remaining() - RESERVE_MS;

/** Lets the source end what would take longer: ended by it a call leaves nothing behind, ended by Lambda it would. */
export const limitReading = (client: pg.Client, edge: Edge): Promise<unknown> =>
  client.query(`SET LOCAL statement_timeout = ${Math.max(1_000, timeToRead(edge))}`);

/** One object to be: which rows of which table, and where it goes. */
export interface ToExtract {
  job: Job;
  table: Table;
  reading: Pick<Reading, 'source' | 'scope'>;
  ranges: Range[];
  nullMarker: string;
  key: string;
}

/** An object whose rows have all been read. It is there once `stored` resolves, which has to be waited for. */
export interface Copied {
  stored: Promise<StagedObject>;
}

/** Streams rows from Postgres to one S3 object: as `readObject`, to its end. */
export const extractObject = async (client: pg.Client, stage: Stage, what: ToExtract): Promise<StagedObject> =>
  (await readObject(client, stage, what)).stored;

/**
 * Streams rows from Postgres towards one S3 object, in the transaction that is open on the connection. Values that its policies
 * change are counted, and their rows listed in an object beside it; where one is refused, nothing is left.
 * @returns when the connection is free again, which is before the end of the upload
 * @throws LoaderError ValueRefused
 */
export async function readObject(
  client: pg.Client,
  stage: Stage,
  { job, table, reading, ranges, nullMarker, key }: ToExtract,
): Promise<Copied> {
  const columns = treatedColumns(job, table);
  const rowSets = ranges.map((range) => rowsOf(reading.source, range, reading.scope));
  const counters = countersOf(columns);
  await startCounting(client, counters);
  const sql = copyOut(columns, rowSets, nullMarker);
  const { result: rows, stored } = await stage.begin(key, (sink) => copyCompressed(client, sql, sink));
  try {
    const counts = await readCounts(client, counters);
    if (counts.length === 0) return { stored: stored.then((bytes) => ({ key, rows, bytes })) };
    refuse(table, reading.source, counts);
    await stage.put(changedKey(key), await listChanged(client, table, counts, rowSets));
    return { stored: stored.then((bytes) => ({ key, rows, bytes, changed: sumByColumn(counts) })) };
  } catch (error) {
    // What ends after the object was removed would bring it back.
    await Promise.allSettled([stored]);
    await stage.remove([key]);
    throw error;
  }
}
