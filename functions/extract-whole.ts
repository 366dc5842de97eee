import type pg from 'pg';
import { chunkKey, newWriter, type Stage } from '../shared/aws/stage.ts';
import { limitsOf } from '../shared/core/limits.ts';
import { tooSlow } from '../shared/core/too-slow.ts';
import type { SourceTable } from '../shared/model/catalog.ts';
import type { Job } from '../shared/model/job.ts';
import type { Batch, StagedObject } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import { refuseBlankKeys } from '../shared/source/blank-keys.ts';
import { chunkBounds } from '../shared/source/bounds.ts';
import { isCancelled } from '../shared/source/connect.ts';
import type { Reading } from '../shared/source/reading.ts';
import type { Key, Range } from '../shared/sql/postgres.ts';
import type { Edge } from './edge.ts';
import type { ExtractEvent } from './extract.ts';
import { type Copied, limitReading, readObject, timeToRead } from './extract-object.ts';
import { storeEach } from './store-each.ts';

/** Objects of one call that cuts a table itself: they are listed in a payload of 256 KiB, some 200 bytes each. */
const MAX_OBJECTS = 400;

interface Whole {
  event: ExtractEvent;
  job: Job;
  table: Table;
  found: SourceTable;
  reading: Pick<Reading, 'source' | 'scope'>;
  batch: Batch;
  halved: number | undefined;
}

/**
 * What comes after a key, chunk after chunk in one snapshot, then what no walk by the key meets, as far as this call's time goes:
 * where the batch ends, and so whether the pass has another, is known only now. It is told with the objects: by the state, a twin
 * of this call might tell where its own ended.
 */
export async function extractWhole(
  client: pg.Client,
  { event, job, table, found, reading, batch, halved }: Whole,
  stage: Stage,
  edge: Edge,
): Promise<StagedObject[]> {
  const { index, ranges } = event.extract;
  const by = { call: index, writer: newWriter() };
  const { chunkSize } = limitsOf(job, table, halved);
  const after = ranges[0]?.kind === 'keys' ? ranges[0].after : null;
  let cursor: Key | null = after;
  const unmet = ranges.filter(({ kind }) => kind !== 'keys');
  let walked = false;
  let n = 0;
  const copy = async (range: Range): Promise<Copied> => {
    const key = chunkKey(event, batch, by, n++);
    await refuseBlankKeys(client, table, found, { ...reading, ranges: [range] });
    return readObject(client, stage, { job, table, reading, ranges: [range], nullMarker: batch.nullMarker, key });
  };
  /** The next chunk of the walk. */
  const copyChunk = async function* (): AsyncGenerator<Copied> {
    const limits = { rowLimit: chunkSize, chunkSize };
    const { upTo, last } = await chunkBounds(client, reading.source, cursor, reading.scope, limits);
    walked = last;
    // What has no rows any more has an object all the same: by taking its objects away a load is kept from being submitted late.
    const ends = last && n === 0 && upTo.length === 0 ? [null] : upTo;
    for (const end of ends) {
      yield await copy({ kind: 'keys', after: cursor, upTo: end });
      cursor = end ?? cursor;
    }
  };
  const isOver = () => walked && unmet.length === 0;
  /** Whether this call has brought the walk on; one that has not must end it, or fail, for the next would do the same. */
  const hasWalked = () => cursor !== after;
  const copyEach = async function* (): AsyncGenerator<Copied> {
    let slowest = 0;
    while (!isOver() && n < MAX_OBJECTS && (timeToRead(edge) > 2 * slowest || !hasWalked())) {
      const began = edge.now().getTime();
      await limitReading(client, edge);
      const [range] = walked ? unmet : [];
      try {
        if (range) yield await copy(range);
        else yield* copyChunk();
      } catch (error) {
        // The next call has all its time for what no walk meets.
        if (range && isCancelled(error) && hasWalked()) return;
        throw error;
      }
      if (range) unmet.shift();
      slowest = Math.max(slowest, edge.now().getTime() - began);
    }
  };
  const objects = await storeEach(copyEach());
  const final = objects.pop();
  if (!final) throw tooSlow(event.table, true);
  return [...objects, { ...final, reached: { cursor, last: isOver() } }];
}
