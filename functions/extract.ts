import type pg from 'pg';
import * as z from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { chunkKey, newWriter, Stage } from '../shared/aws/stage.ts';
import { Store } from '../shared/aws/store.ts';
import { agreedAnew, refuseChanged, shapeOf } from '../shared/core/agree.ts';
import { batchAt } from '../shared/core/batch.ts';
import { checkTable } from '../shared/core/check-table.ts';
import { renewLease } from '../shared/core/lease.ts';
import { cutsItself, treats } from '../shared/core/pass.ts';
import { tooSlow } from '../shared/core/too-slow.ts';
import { treatmentDigest } from '../shared/core/treatment.ts';
import { errors } from '../shared/model/errors.ts';
import type { StagedObject } from '../shared/model/state.ts';
import { refuseBlankKeys } from '../shared/source/blank-keys.ts';
import { isCancelled } from '../shared/source/connect.ts';
import { readingOf } from '../shared/source/reading.ts';
import { openSnapshot, seenFor, tableIn } from '../shared/source/session.ts';
import { tableError } from '../shared/source/snapshot.ts';
import type { Range } from '../shared/sql/postgres.ts';
import { type Edge, handle } from './edge.ts';
import { type Copied, limitReading, readObject } from './extract-object.ts';
import { extractWhole } from './extract-whole.ts';
import { storeEach } from './store-each.ts';

const Key = z.array(z.string().nullable()).nullable();
const RangeSchema: z.ZodType<Range> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('all') }),
  z.object({ kind: z.literal('keys'), after: Key, upTo: Key }),
  z.object({ kind: z.literal('gaps') }),
  z.object({ kind: z.literal('attached'), upTo: z.array(z.string().nullable()) }),
  z.object({ kind: z.literal('unstamped') }),
]);

export const ExtractEvent = z.object({
  jobId: z.string(),
  runId: z.string(),
  table: z.string(),
  owner: z.string(),
  extract: z.object({
    /** How many batches of the pass come before this one. */
    batches: z.int(),
    index: z.int(),
    ranges: z.array(RangeSchema).min(1),
  }),
});
export type ExtractEvent = z.infer<typeof ExtractEvent>;

export interface ExtractPorts {
  store: Store;
  stage: Stage;
  connect(secretArn: string): Promise<pg.Client>;
}

/**
 * Streams chunks from Postgres to S3, each to its own object; several ranges of one call share one snapshot.
 * Each call writes keys of its own, so that one that is delivered twice spoils nothing: those that nobody was told of are swept.
 *
 * @returns one object a range
 * @throws LoaderError SourceUnavailable, TableUnreadable, KeyEndsInBlank, ValueRefused, ExtractTooSlow, LeaseLost
 */
export async function extract(
  event: ExtractEvent,
  { store, stage, connect }: ExtractPorts,
  edge: Edge,
): Promise<StagedObject[]> {
  const { job, tables, broken, states } = await store.readJob(event.jobId, [event.table]);
  const table = tables.find((one) => one.sourceName === event.table);
  if (broken.has(event.table)) throw broken.get(event.table);
  const seen = states.get(event.table);
  const state = seen?.value;
  const batch = state && batchAt(state, event.extract.batches);
  if (!table || !seen || state?.lease?.owner !== event.owner || !state.pass || !batch)
    throw errors.leaseLost(`${event.table} is somebody else's now: the next run goes on with it`);
  const { pass } = state;
  if (batch.shape !== shapeOf(table) || !treats(pass, treatmentDigest(job, table)))
    throw errors.columnsDiffer(agreedAnew(table));
  // The chunks of one batch may take longer than a lease lasts.
  await store.changeState(event.jobId, seen, (one) => renewLease(one, event.owner, edge.now()));

  /** The execution may have been stopped meanwhile, and what it staged swept. */
  const stillWaitedFor = async (objects: StagedObject[]): Promise<StagedObject[]> => {
    const { value } = await store.readState(event.jobId, event.table);
    if (batchAt(value, event.extract.batches)?.nullMarker === batch.nullMarker) return objects;
    await stage.remove(objects.map(({ key }) => key));
    throw errors.leaseLost(`${event.table} was given back meanwhile: the next run goes on with it`);
  };
  const client = await connect(job.secretArn);
  try {
    const open = await openSnapshot(client, job, [event.table], seenFor(state));
    const found = tableIn(open, event.table);
    refuseChanged(table, found, state);
    checkTable(table, found);
    const { source, scope } = readingOf(job, table, found, state, pass, open.snapshot);
    const { ranges } = event.extract;
    if (cutsItself(table, pass) && source.keys.length > 0 && ranges[0]?.kind === 'keys') {
      const what = { event, table, found, reading: { source, scope }, batch, job, halved: state.halved };
      return await stillWaitedFor(await extractWhole(client, what, stage, edge));
    }
    await refuseBlankKeys(client, table, found, { source, ranges, scope });
    const copyEach = async function* (): AsyncGenerator<Copied> {
      const writer = newWriter();
      for (const [i, range] of ranges.entries()) {
        await limitReading(client, edge);
        const key = chunkKey(event, batch, { call: event.extract.index, writer }, i);
        const { nullMarker } = batch;
        const reading = { source, scope };
        yield await readObject(client, stage, { job, table, reading, ranges: [range], nullMarker, key });
      }
    };
    return await stillWaitedFor(await storeEach(copyEach()));
  } catch (error) {
    const walked = event.extract.ranges.every(({ kind }) => kind !== 'all');
    if (isCancelled(error)) throw tooSlow(event.table, walked, error);
    throw tableError(error, { schema: job.sourceSchema, name: event.table }, client);
  } finally {
    await client.end();
  }
}

export const handler = handle(ExtractEvent, (event, edge) => {
  const { TABLE_NAME, BUCKET_NAME } = environmentOf('extract');
  const ports = { store: new Store(TABLE_NAME), stage: new Stage(BUCKET_NAME), connect: connectBySecret };
  return extract(event, ports, edge);
});
