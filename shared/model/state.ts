import type { ChangedColumns } from './policies.ts';
import type { CopyMode } from './table.ts';

/** Which transactions the source's snapshot saw, and in which incarnation of the database (RULES 6). */
export interface Snapshot {
  /** Transaction ids with their epoch, as decimal text: they exceed 2^53 in theory. */
  xmin: string;
  xmax: string;
  /** Ids between xmin and xmax that were still running; always empty on a standby. */
  xip: string[];
  /** pg_control_system().system_identifier and the timeline: other after a restore or a failover. */
  system: string;
  timeline: number;
  standby: boolean;
  /** A place in the write-ahead log before which lies all that the snapshot saw; absent where the server does not tell. */
  lsn?: string;
}

/** A range of ids, both ends included, in which rows may still appear below the highest id (RULES 8). */
export interface Gap {
  from: string;
  to: string;
  /** When it was first seen: ISO, UTC. */
  seen: string;
}

/** How far a table is known complete. Moves when a pass completes; back only by a reset. */
export interface Watermark {
  mode: CopyMode;
  /** pg_class.oid of the table at the source. */
  oid: number;
  /** The table's updatedKey ('' where it has none) and primary key: by other columns it would mean other rows. */
  keys: string[];
  /** By which zone an updatedKey without one was read, for INSERT_AND_UPDATE: by another the fence would mean another moment. */
  zone?: string;
  /** The highest key seen, for INSERT_ONLY. */
  key: string | null;
  /** The source's clock before the pass's first snapshot: ISO, UTC. */
  taken: string;
  /** Our own clock then, ISO: by how much the source's was set back since. Absent in those of before it was looked at. */
  ownClock?: string;
  /** No row with an updatedKey below it can still be committed: ISO with microseconds, UTC. */
  fence: string;
  /** null after a rewind: of no row it can be said that it is loaded. */
  snapshot: Snapshot | null;
  /** The one that its pass's last batch was cut by, where it took several: a server that lacks what it saw answers for no less. */
  newest?: Snapshot;
  /** The tables below it that held its rows, by oid, ascending; absent where there was none. */
  parts?: number[];
  gaps?: Gap[];
  /** Rows that the last full sync brought, and how their values were treated (`treatmentDigest`): what is still so needs no load. */
  rows?: number;
  treatment?: string;
}

/** In which order a pass reads: the whole table by its key, what is new by the updated key, or at one go. */
export type Walk = 'key' | 'updated' | 'whole';

/** What a pass's rows take the place of: all that the warehouse's table holds, or what lies beyond an id or a moment of the updated key. */
export type Replaces = 'all' | { beyond: string };

/** A pass that is under way: one walk over what is new, batch by batch, by a cursor. */
export interface Pass {
  walk: Walk;
  /** Whether it is the table's first, or all that came before counts no more since a person said so. */
  fresh: boolean;
  /** Whether no key can come twice in it: the source keeps the key unique, and ranges are disjoint or share a snapshot. */
  distinct: boolean;
  /** What goes in the transaction that brings the pass's last rows: readers never see the gap; null where rows only come. */
  replaces: Replaces | null;
  /** What becomes the watermark when the pass completes: taken before the pass's first snapshot. */
  next: Watermark;
  /** Lower end of the walk over updatedKey (ISO) or over the key; null from the beginning. */
  from: string | null;
  /** Last key of the last committed batch: `[...primaryKey]` or `[updatedKey, ...primaryKey]`. */
  cursor: (string | null)[] | null;
  /** Batches committed so far. */
  batches: number;
  /** Rows staged so far by a pass that replaces and takes several batches. */
  staged: number;
}

/** One S3 object of a batch. */
export interface StagedObject {
  key: string;
  rows: number;
  bytes: number;
  /** Values that policies changed in it, by the column's place; which rows' stands in an object of its own. */
  changed?: ChangedColumns;
  /** Where the batch ends, with the last object of a call of extract that found that out by itself: gone once the batch has it. */
  reached?: { cursor: (string | null)[] | null; last: boolean };
}

/** What has been extracted and waits for its load. */
export interface Batch {
  /** The agreed columns that its CSV has, as `shapeOf` tells them apart. */
  shape: string;
  /** The text that stands for NULL in its CSV: random, so that no value can be taken for it. Names its objects, too. */
  nullMarker: string;
  objects: StagedObject[];
  /** Where the pass stands once this batch is committed. */
  cursor: (string | null)[] | null;
  /** Whether the pass is complete once this batch is committed. */
  last: boolean;
}

/** Who works on a table: no two loads of one table may ever overlap (RULES 14). */
export interface Lease {
  /** The execution's lease name, the same for an execution and its successors. */
  owner: string;
  /** Epoch seconds; the backstop for an owner that died without anybody noticing. */
  until: number;
  /** Names the statements that the owner submits: whoever takes over looks for them first. */
  load?: string;
}

/** What one run did to a table. */
export interface TableRun {
  runId: string;
  rows: number;
  bytes: number;
  startedAt: string;
  finishedAt?: string;
  error?: string;
  /** Values that policies changed, by the column's name. */
  changed?: ChangedColumns;
  /** What changed at the source and was taken over. */
  schemaChanges?: string[];
  /** Whether a full sync was spared, since the source proved to have what was loaded before. */
  unchanged?: true;
  /** How many snapshots the rows of a full sync, or a rewind that replaces, come from, where that is not one: it did not fit one function's time. */
  snapshots?: number;
  /** Ranges of missing ids that are no longer watched, since there are too many. */
  gapsGivenUp?: number;
}

/** What the loader knows of one table; written by functions only. */
export interface TableState {
  sourceName: string;
  watermark?: Watermark;
  /** How far it was complete before the resets that wait for the next pass: up to there another one may lead. */
  resetFrom?: Watermark;
  pass?: Pass;
  batch?: Batch;
  /** The batch that comes next: extracted while the warehouse still loads `batch`. */
  ahead?: Batch;
  lease?: Lease;
  /** Whether the warehouse may hold the stage of a pass of several batches: the load that ends a pass drops it. */
  staged?: true;
  /** A load of a dead owner whose statements must be settled before the next one is submitted. */
  orphan?: string;
  run?: TableRun;
  /** How often chunks and batches were halved, because the source did not hand them over in time; gone when the pass completes. */
  halved?: number;
  /** What a reset asked the next pass to replace; gone when that pass completes. */
  replaces?: 'all' | 'beyond';
  /** Whether not a person but the loader asked for that: a source that suddenly has few rows is refused as ever. */
  guarded?: true;
  /** When the last pass completed: ISO, UTC. */
  completedAt?: string;
  /** Since when rows are known to wait: ISO, UTC; gone when a pass completes. */
  behindSince?: string;
  /** Why the table stands still, and what to do; gone with the next success. */
  lastError?: string;
}
