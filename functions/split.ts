import type pg from 'pg';
import * as z from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { Runs } from '../shared/aws/runs.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { newNullMarker } from '../shared/aws/stage.ts';
import { Store, stateIn, tableOf } from '../shared/aws/store.ts';
import { type Agreed, agree, shapeOf } from '../shared/core/agree.ts';
import { checkTable, hasUniqueKey } from '../shared/core/check-table.ts';
import { isFree, leaseFor, takeLease } from '../shared/core/lease.ts';
import { firstRows, limitsOf } from '../shared/core/limits.ts';
import { afterFailure, afterNothing, afterSparing } from '../shared/core/outcome.ts';
import { beginPass, cutsItself, passAhead, resumable } from '../shared/core/pass.ts';
import { tooSlow } from '../shared/core/too-slow.ts';
import { treatmentDigest } from '../shared/core/treatment.ts';
import { whatWouldProve } from '../shared/core/unchanged.ts';
import { describeError, errors } from '../shared/model/errors.ts';
import type { Job } from '../shared/model/job.ts';
import { partOf } from '../shared/model/run.ts';
import type { Batch, Pass, TableState } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import { accountFor } from '../shared/source/account.ts';
import { chunkBounds } from '../shared/source/bounds.ts';
import { brokenConnection } from '../shared/source/connect.ts';
import { readFence } from '../shared/source/fence.ts';
import { keysToWalk, type Reading, readingOf } from '../shared/source/reading.ts';
import { openSnapshot, seenFor, tableIn } from '../shared/source/session.ts';
import { tableError, withinTime } from '../shared/source/snapshot.ts';
import { isUnchanged } from '../shared/source/unchanged.ts';
import type { Key, Range } from '../shared/sql/postgres.ts';
import { type Edge, handle } from './edge.ts';
import type { ExtractEvent } from './extract.ts';
import { limitReading, timeToRead } from './extract-object.ts';

/** Chunks of one batch: their ranges travel through the state machine, whose payload has 256 KiB. */
const MAX_CHUNKS = 100;

export const SplitEvent = z.object({
  jobId: z.string(),
  runId: z.string(),
  startedAt: z.string(),
  table: z.string(),
  owner: z.string(),
  connections: z.int().positive(),
  /** Whether the warehouse is still loading a batch: the one after it is cut then. */
  ahead: z.boolean().default(false),
  /** Whether the batch before was too large for the source: it is cut anew, into chunks of half the size. */
  smaller: z.boolean().default(false),
});
export type SplitEvent = z.infer<typeof SplitEvent>;

export interface SplitPorts {
  store: Store;
  runs: Runs;
  connect(secretArn: string): Promise<pg.Client>;
}

export interface Split {
  /** What remains: `load` a batch, or nothing because the pass is `done` or somebody else is at it (`busy`). */
  next: 'load' | 'done' | 'busy';
  /** One call of extract each; several ranges in one call share one snapshot. */
  extracts: z.input<typeof ExtractEvent>['extract'][];
  /** How many of them may run at once. */
  concurrency: number;
  /** How many batches of the pass come before this one. */
  batches: number;
  /** Whether nothing comes after this batch. */
  last: boolean;
}

const NOTHING = { extracts: [], concurrency: 1, batches: 0, last: true };

/**
 * Cuts the next batch of a large table into chunks, by keys: a range of row addresses would miss or double rows that
 * move. Begins the pass where none is under way, and takes or renews the lease. While the warehouse is loading one batch the
 * next is cut ahead; whether anything is left behind the last is decided by a call that is not.
 *
 * @throws LoaderError SourceUnavailable, TableUnreadable, BadConfiguration, ColumnsDiffer, ExtractTooSlow, LeaseLost
 */
export async function split(event: SplitEvent, ports: SplitPorts, edge: Edge): Promise<Split> {
  const { store } = ports;
  const data = await store.readJob(event.jobId, [event.table]);
  const { job, states, remembered, compared } = data;
  const known = tableOf(data, event.table);
  const seen = stateIn(states, event.table);
  if (!isFree(seen.value, event.owner, edge.now())) return { next: 'busy', ...NOTHING };

  const client = await ports.connect(job.secretArn);
  try {
    const reading = await readFence(client);
    const open = await openSnapshot(client, job, [event.table], seenFor(seen.value, compared.get(event.table)));
    // Ended by Lambda it would leave its question at work there.
    await limitReading(client, edge);
    const found = tableIn(open, event.table, seen.value);
    const agreed = agree(job, known, found, seen.value, edge.now());
    const { table } = agreed;
    checkTable(table, found);
    const walks = keysToWalk(table, found).length > 0;
    // Without a key to walk by there are no chunks to be halved.
    if (event.smaller && !walks) throw tooSlow(event.table, false);
    const state = event.smaller ? { ...agreed.state, halved: halvedOnce(job, table, agreed.state) } : agreed.state;
    const unique = hasUniqueKey(table, found);
    const { oid, parts = [] } = found;
    const treatment = treatmentDigest(job, table);
    const observed = {
      reading,
      snapshot: open.snapshot,
      remembered,
      oid,
      parts,
      unique,
      oneSnapshot: false,
      treatment,
    };
    // Columns that are agreed anew make another file than the batches before: the next call that is not ahead sees to it.
    // Nor can a pass go on that was walking by a key in which the source allows NULL by now.
    const ahead = event.ahead && !agreed.update && walks ? passAhead(table, state, oid) : null;
    if (event.ahead && !ahead) return { next: 'done', ...NOTHING };
    const pass = ahead ?? (walks ? resumable(table, state, oid, treatment) : null) ?? beginPass(table, state, observed);
    const rows = readingOf(job, table, found, state, pass, open.snapshot);
    const limits = limitsOf(job, table, state.halved);
    const proof = whatWouldProve(agreed, state, found, pass, {
      skip: rows.seen,
      treatment,
      compared: compared.get(event.table),
    });
    // A table that takes half of the time to be proved the same takes the rest to be cut.
    const half = Math.max(1, Math.round(timeToRead(edge) / 2));
    if (proof && (await withinTime(client, half, () => isUnchanged(client, found, proof)))) {
      const saved = await store.saveState(event.jobId, afterSparing(state, event.runId, edge.now()), seen.revision);
      return { next: saved === null ? 'busy' : 'done', ...NOTHING };
    }
    if (proof) await limitReading(client, edge);
    const batch = await cut(client, table, pass, rows, limits, event.connections);
    const highest = batch.cursor?.[0] ?? pass.from;
    const { next, gapsGivenUp } = await accountFor(client, table, pass, rows, highest, reading.clock);
    const newest = pass.batches > 0 ? { newest: open.snapshot } : {};
    const accounted = { pass: { ...pass, walk: batch.walk, next: { ...next, ...newest } }, gapsGivenUp };
    return await begin(event, ports, { ...agreed, state, revision: seen.revision }, accounted, batch, edge);
  } catch (error) {
    throw tableError(brokenConnection(error, client), { schema: job.sourceSchema, name: event.table }, client);
  } finally {
    await client.end();
  }
}

/** @throws LoaderError ExtractTooSlow where nothing is left to be halved */
function halvedOnce(job: Job, table: Table, { halved = 0 }: TableState): number {
  if (limitsOf(job, table, halved).rowLimit === 1) throw tooSlow(table.sourceName, true);
  return halved + 1;
}

interface Cut {
  walk: Pass['walk'];
  extracts: Split['extracts'];
  cursor: Key | null;
  last: boolean;
}

/** The ranges of the next batch; what extract cuts itself is read by one call, in the snapshot that it reads by. */
async function cut(
  client: pg.Client,
  table: Table,
  pass: Pass,
  { source, scope, ranges }: Reading,
  limits: { rowLimit: number; chunkSize: number },
  concurrency: number,
): Promise<Cut> {
  if (source.keys.length === 0)
    return {
      walk: 'whole',
      extracts: [{ batches: 0, index: 0, ranges: [{ kind: 'all' }] }],
      cursor: null,
      last: true,
    };
  const after = pass.cursor ?? (pass.walk === 'key' && pass.from !== null ? [pass.from] : null);
  const unmet = ranges.filter(({ kind }) => kind !== 'all' && kind !== 'keys');
  if (cutsItself(table, pass)) {
    // One call for all: a row that has left the walk by now is met by no other snapshot.
    const extracts = [
      { batches: pass.batches, index: 0, ranges: [{ kind: 'keys' as const, after, upTo: null }, ...unmet] },
    ];
    return { walk: pass.walk, extracts, cursor: pass.cursor, last: true };
  }
  // What no walk by the key meets comes with the first batch.
  const others = pass.batches === 0 ? unmet : [];
  const rowLimit = Math.min(limits.rowLimit, limits.chunkSize * MAX_CHUNKS, firstRows(table, pass, limits.chunkSize));
  const { upTo: keys, last } = await chunkBounds(client, source, after, scope, { ...limits, rowLimit });
  const chunks = keys.map((upTo, i): Range => ({ kind: 'keys', after: keys[i - 1] ?? after, upTo }));
  const cursor = keys.at(-1) ?? pass.cursor;
  // A pass that replaces has to take away what was there though it brings no rows. Its load has an object all the same: a load
  // is kept from being submitted late by taking its objects away.
  const rest: Range[] = chunks.length === 0 && pass.replaces !== null ? [{ kind: 'keys', after, upTo: null }] : [];
  const shares = shareOut([...chunks, ...others, ...rest], concurrency);
  const extracts = shares.map((share, index) => ({ batches: pass.batches, index, ranges: share }));
  return { walk: pass.walk, extracts, cursor, last };
}

/** As many calls as may run at once, neighbours together: each call costs a connection and a look at the catalog. */
function shareOut(ranges: Range[], calls: number): Range[][] {
  const share = Math.ceil(ranges.length / calls);
  const starts = ranges.map((_, i) => i).filter((i) => i % share === 0);
  return starts.map((start) => ranges.slice(start, start + share));
}

/** Writes the batch on the table's state, under the lease; a pass with nothing left is complete. */
async function begin(
  event: SplitEvent,
  { store, runs }: SplitPorts,
  { table, state: seen, update, changes, revision }: Agreed & { revision: number },
  { pass, gapsGivenUp }: { pass: Pass; gapsGivenUp: number },
  batch: Cut,
  edge: Edge,
): Promise<Split> {
  const now = edge.now();
  const begun =
    seen.run?.runId === event.runId
      ? seen.run
      : { runId: event.runId, rows: 0, bytes: 0, startedAt: now.toISOString() };
  const schemaChanges = [...(begun.schemaChanges ?? []), ...changes];
  const run = {
    ...begun,
    ...(schemaChanges.length > 0 ? { schemaChanges } : {}),
    ...(gapsGivenUp > 0 ? { gapsGivenUp: (begun.gapsGivenUp ?? 0) + gapsGivenUp } : {}),
  };
  const cutNow: Batch = {
    shape: shapeOf(table),
    nullMarker: newNullMarker(),
    objects: [],
    cursor: batch.cursor,
    last: batch.last,
  };
  const nothing = batch.extracts.length === 0;
  const { last } = batch;
  if (event.ahead && nothing) return { next: 'done', ...NOTHING };
  const load = seen.lease?.owner === event.owner ? seen.lease.load : undefined;
  const leased = takeLease(seen, leaseFor(event.owner, now, load));
  const state: TableState = event.ahead
    ? { ...leased, run, pass: seen.pass && { ...seen.pass, next: pass.next }, ahead: cutNow }
    : {
        ...leased,
        pass,
        batch: cutNow,
        run,
        behindSince: seen.behindSince ?? now.toISOString(),
      };
  const saved = await store.saveState(event.jobId, nothing ? afterNothing(state, now) : state, revision);
  if (saved === null) return { next: 'busy', ...NOTHING };
  if (nothing) return { next: 'done', ...NOTHING };
  // The execution may have been stopped, and what it held been given back, before it held this.
  const taken = seen.lease?.owner !== event.owner;
  if (taken && (await runs.hasEnded(event.jobId, event, partOf(event.table)))) {
    const error = errors.leaseLost(`${event.table} was given back before it was taken: the next run goes on with it`);
    await store.saveState(event.jobId, afterFailure(state, describeError(error), now), saved);
    throw error;
  }
  // What no load brings waits for the next one that there is.
  if (update) await store.updateTable(event.jobId, event.table, update);
  return { next: 'load', extracts: batch.extracts, concurrency: event.connections, batches: pass.batches, last };
}

export const handler = handle(SplitEvent, (event, edge) => {
  const { TABLE_NAME } = environmentOf('split');
  return split(event, { store: new Store(TABLE_NAME), runs: new Runs(TABLE_NAME), connect: connectBySecret }, edge);
});
