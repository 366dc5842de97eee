import type pg from 'pg';
import { deltaKey, newNullMarker, type Stage } from '../shared/aws/stage.ts';
import { type JobData, type Revised, type Store, stateIn } from '../shared/aws/store.ts';
import { type Agreed, agree, shapeOf } from '../shared/core/agree.ts';
import { describeRestored } from '../shared/core/already-loaded.ts';
import { checkTable, hasUniqueKey } from '../shared/core/check-table.ts';
import { type FenceReading, remember, setBackSince } from '../shared/core/fence.ts';
import { describeClosed } from '../shared/core/gaps.ts';
import { limitsOf } from '../shared/core/limits.ts';
import { beginPass, type Observation, resumable, usableWatermark, walksAll } from '../shared/core/pass.ts';
import { describeNewTables, tablesToAdd, whyGone } from '../shared/core/relations.ts';
import { waitsForReset } from '../shared/core/reset.ts';
import { treatmentDigest } from '../shared/core/treatment.ts';
import { whatWouldProve } from '../shared/core/unchanged.ts';
import { describeUnstamped } from '../shared/core/unstamped.ts';
import type { SourceTable } from '../shared/model/catalog.ts';
import type { Pass, TableState } from '../shared/model/state.ts';
import type { Table } from '../shared/model/table.ts';
import { accountFor } from '../shared/source/account.ts';
import { refuseBlankKeys } from '../shared/source/blank-keys.ts';
import { brokenConnection } from '../shared/source/connect.ts';
import { readFence } from '../shared/source/fence.ts';
import { openGaps, type Reading, readingOf } from '../shared/source/reading.ts';
import { type OpenSnapshot, openSnapshot, seenFor, tableIn } from '../shared/source/session.ts';
import { tableError, withinTime } from '../shared/source/snapshot.ts';
import { highestId } from '../shared/sql/postgres.ts';
import type { Edge } from './edge.ts';
import { extractObject } from './extract-object.ts';
import { Questions } from './questions.ts';

/** A table with more new rows, or more than one chunk of them, gets an execution of its own. */
const SMALL_ROWS = 10_000;
/** After this no further table is extracted here, so that a tick stays short. */
const BUDGET_MS = 60_000;

/** The run that looks. */
export interface LookingRun {
  jobId: string;
  runId: string;
}

export interface LookPorts {
  store: Store;
  stage: Stage;
  connect(secretArn: string): Promise<pg.Client>;
}

/** What is known before any table is looked at. */
type Observed = Pick<Observation, 'reading' | 'snapshot' | 'remembered'>;

/** What there may be to do of a table. */
interface Work extends Agreed {
  found: SourceTable;
  /** Its state as it was read. */
  seen: Revised<TableState>;
  pass: Pass;
  reading: Reading;
  treatment: string;
  /** Seconds by which the source's clock was set back since its last pass. */
  setBack: number;
  /** When the source was looked at, by its own clock. */
  clock: string;
}

/** A small delta that lies in the stage: the state that will lease it, if nobody else has taken the table since. */
export interface Extracted {
  table: Table;
  /** What of its item is to be written with the lease; null where nothing changed. */
  update: Partial<Table> | null;
  state: TableState;
  revision: number;
}

/** One look at the tables of a job: what is new, by one connection and one snapshot. */
export class Look {
  /** Small deltas, already staged, by table. */
  readonly extracted = new Map<string, Extracted>();
  /** Tables with nothing new: the warehouse has what the source has. */
  readonly settled = new Set<string>();
  /** Those of them whose full sync is spared. */
  readonly unchanged = new Set<string>();
  /** Tables that get an execution of their own. */
  readonly large: string[] = [];
  /** Tables that can't be loaded, and why. */
  readonly failures: Map<string, Error>;
  /** What keeps watermarks back, and what to do about it. */
  readonly warnings: string[] = [];
  /** Seconds by which the source's clock was set back since the last pass of a table that goes by it. */
  #setBack = 0;
  /** Whether the source has new tables that the job wants to be set up. */
  addsTables = false;
  readonly #run: LookingRun;
  readonly #ports: LookPorts;
  readonly #edge: Edge;
  readonly #data: JobData;

  constructor(run: LookingRun, ports: LookPorts, edge: Edge, data: JobData) {
    this.#run = run;
    this.#ports = ports;
    this.#edge = edge;
    this.#data = data;
    this.failures = new Map(data.broken);
  }

  /** @throws LoaderError SourceUnavailable, SourceRefused: nothing can be read at all, and nothing is left in the stage */
  async at(tables: Table[]): Promise<void> {
    const { job, remembered, states, compared } = this.#data;
    const client = await this.#ports.connect(job.secretArn);
    try {
      const reading = await readFence(client);
      const open = await openSnapshot(
        client,
        job,
        tables.map((table) => table.sourceName),
        [...states].flatMap(([name, { value }]) => seenFor(value, compared.get(name))),
      );
      for (const [name, error] of open.failures)
        this.failures.set(name, whyGone(name, error, open.relations, states.get(name)?.value));
      this.#meetNewTables(open);
      this.warnings.push(...warningsOf(reading));
      if (reading.blind) {
        const kept = remember(remembered, reading, open.snapshot.xmin);
        await this.#ports.store.putRemembered(job.jobId, kept);
      }
      const deadline = this.#edge.now().getTime() + BUDGET_MS;
      for (const table of tables) {
        const name = table.sourceName;
        if (open.failures.has(name)) continue;
        try {
          await this.#lookAt(client, table, open, { reading, snapshot: open.snapshot, remembered }, deadline);
        } catch (cause) {
          const error = tableError(cause, { schema: job.sourceSchema, name }, client);
          // The connection is gone, for the tables that follow, too: the whole look is taken again.
          if (error.name === 'SourceUnavailable') throw error;
          this.failures.set(name, error);
        }
      }
      if (this.#setBack > 0)
        this.warnings.push(
          `the source's clock was set back by about ${this.#setBack} s since an earlier run: what it may have stamped since is read again`,
        );
    } catch (error) {
      const staged = [...this.extracted.values()].flatMap(({ state }) => state.batch?.objects ?? []);
      await this.#ports.stage.remove(staged.map((object) => object.key));
      throw brokenConnection(error, client);
    } finally {
      await client.end();
    }
  }

  #meetNewTables({ relations }: OpenSnapshot): void {
    const { job, tables, broken } = this.#data;
    const known = new Set([...tables.map((table) => table.sourceName), ...broken.keys()]);
    const names = tablesToAdd(relations, known, job.exclude);
    if (names.length === 0) return;
    this.addsTables = job.autoAddTables;
    this.warnings.push(describeNewTables(names, job.autoAddTables));
  }

  async #lookAt(
    client: pg.Client,
    known: Table,
    open: OpenSnapshot,
    observed: Observed,
    deadline: number,
  ): Promise<void> {
    const name = known.sourceName;
    const work = this.#workOn(known, open, observed);
    // A pass that goes on knows what it has to read.
    if (work === null) return void this.large.push(name);
    const left = deadline - this.#edge.now().getTime();
    const questions = new Questions(client, work, left);
    await this.#tellClosed(work, left > 0 ? questions : null);
    switch (left > 0 && !needsLeisure(work) ? await this.#whatIsNew(work, questions) : 'much') {
      case 'unchanged':
        this.unchanged.add(name);
        return this.#nothingNew(work);
      case 'nothing':
        // By the clock as it is now rows that come next may be stamped below what is stored; and a reset has been done.
        return this.#nothingNew(work, work.setBack > 0 || waitsForReset(work.state));
      case 'little':
        if (this.#edge.now().getTime() > deadline || !(await this.#extract(client, work))) this.large.push(name);
        return;
      case 'much':
        this.large.push(name);
    }
  }

  /** What there is to be done of a table, as far as it can be told without a question to the source; null where a pass goes on. */
  #workOn(known: Table, open: OpenSnapshot, observed: Observed): Work | null {
    const { job, states } = this.#data;
    const found = tableIn(open, known.sourceName);
    const seen = stateIn(states, known.sourceName);
    const agreed = agree(job, known, found, seen.value, this.#edge.now());
    const { table, state } = agreed;
    checkTable(table, found);
    const { oid, parts = [] } = found;
    const treatment = treatmentDigest(job, table);
    if (resumable(table, state, oid, treatment)) return null;
    const unique = hasUniqueKey(table, found);
    const pass = beginPass(table, state, { ...observed, oid, parts, unique, oneSnapshot: true, treatment });
    const reading = readingOf(job, table, found, state, pass, open.snapshot);
    const watermark = usableWatermark(table, state, oid);
    const setBack = watermark && table.copyMode === 'INSERT_AND_UPDATE' ? setBackSince(observed.reading, watermark) : 0;
    this.#setBack = Math.max(this.#setBack, setBack);
    const restored = describeRestored(table, watermark, open.snapshot);
    if (restored) this.warnings.push(restored);
    return { ...agreed, found, seen, pass, reading, treatment, setBack, clock: observed.reading.clock };
  }

  /** Says which ids are no longer waited for. */
  async #tellClosed({ table, reading }: Work, questions: Questions | null): Promise<void> {
    if (reading.expired.length === 0) return;
    // What can't be listed in time is looked for once more all the same, where rows are read.
    const missing = (await questions?.missing()) ?? reading.expired;
    if (missing.length > 0) this.warnings.push(describeClosed(table.sourceName, missing, this.#data.job.gapDays));
  }

  async #whatIsNew(work: Work, questions: Questions): Promise<'unchanged' | 'nothing' | 'little' | 'much'> {
    const { table, state, found, pass, reading, treatment } = work;
    const compared = this.#data.compared.get(table.sourceName);
    const proof = whatWouldProve(work, state, found, pass, { skip: reading.seen, treatment, compared });
    if (proof && (await questions.isUnchanged(proof))) return 'unchanged';
    const small = Math.min(SMALL_ROWS, limitsOf(this.#data.job, table).chunkSize);
    const rows = await questions.count(reading.ranges, small);
    if (rows === null) {
      if (questions.patience !== null) this.warnings.push(describeSlow(table, questions.patience));
      return 'much';
    }
    // What is gone has to go in the warehouse, too, unless the last full sync brought none already.
    const emptied = pass.replaces !== null && state.watermark?.rows !== 0;
    if (rows === 0 && !emptied) return 'nothing';
    const without = reading.ranges.filter(({ kind }) => kind === 'unstamped');
    // Where it takes too long to count what is worth a word, nothing is said.
    const unstamped = without.length > 0 ? ((await questions.count(without, small)) ?? 0) : 0;
    if (unstamped > 0) this.warnings.push(describeUnstamped(found, table.updatedKey ?? '', unstamped, small));
    return rows > small ? 'much' : 'little';
  }

  /** What held the table up is over, nothing waits, and gaps have closed: all would else be told until the next new row. */
  async #nothingNew({ seen, reading, pass: { next: reached } }: Work, moves = false): Promise<void> {
    const { value, revision } = seen;
    const next = moves
      ? { ...reached, ...(value.watermark?.gaps ? { gaps: value.watermark.gaps } : {}) }
      : value.watermark;
    this.settled.add(value.sourceName);
    const { lastError, behindSince, resetFrom: _done, ...rest } = value;
    // This run's own, of a plan that died when it had taken the table; what was new then is gone from the source.
    const mine = rest.lease?.owner === this.#run.runId;
    const { lease: _lease, pass: _pass, batch: _batch, ...free } = rest;
    const well: TableState = mine ? free : rest;
    const closes = reading.expired.length > 0;
    if (next) well.watermark = closes ? { ...next, gaps: openGaps(reading) } : next;
    if (mine || lastError !== undefined || behindSince !== undefined || closes || next !== value.watermark)
      await this.#ports.store.saveState(this.#run.jobId, well, revision);
  }

  /**
   * Extracts a small delta by the connection and snapshot that found it.
   *
   * @returns false where that takes too long to be taken along: its own execution has more time, and may take it in parts
   */
  async #extract(client: pg.Client, work: Work): Promise<boolean> {
    const staged = await withinTime(client, BUDGET_MS, async () => {
      await this.#stageDelta(client, work);
      return true;
    });
    return staged ?? false;
  }

  async #stageDelta(client: pg.Client, work: Work): Promise<void> {
    const { table, update, changes, found, pass, reading, seen } = work;
    const name = table.sourceName;
    const { jobId, runId } = this.#run;
    const nullMarker = newNullMarker();
    const key = deltaKey(jobId, runId, name, nullMarker);
    await refuseBlankKeys(client, table, found, reading);
    const highest = await this.#highest(client, work);
    const { next, gapsGivenUp } = await accountFor(client, table, pass, reading, highest, work.clock);
    const { ranges } = reading;
    const what = { job: this.#data.job, table, reading, ranges, nullMarker, key };
    const object = await extractObject(client, this.#ports.stage, what);
    const state: TableState = {
      ...work.state,
      sourceName: name,
      pass: { ...pass, next },
      batch: { shape: shapeOf(table), nullMarker, objects: [object], cursor: null, last: true },
      run: {
        runId,
        rows: 0,
        bytes: 0,
        startedAt: this.#edge.now().toISOString(),
        ...(changes.length > 0 ? { schemaChanges: changes } : {}),
        ...(gapsGivenUp > 0 ? { gapsGivenUp } : {}),
      },
      behindSince: work.state.behindSince ?? this.#edge.now().toISOString(),
    };
    this.extracted.set(name, { table, update, state, revision: seen.revision });
  }

  /** The last id that the pass comes to: never below where the one before came to, though the source may have deleted those rows. */
  async #highest(client: pg.Client, { table, pass, reading }: Work): Promise<string | null> {
    if (table.copyMode !== 'INSERT_ONLY') return null;
    const { max } = (await client.query(highestId(reading.source))).rows[0] as { max: string | null };
    return max !== null && (pass.from === null || BigInt(max) > BigInt(pass.from)) ? max : pass.from;
  }
}

/** A walk over all of an index takes too long beside others; columns to be replaced take statements that leave no room for other tables. */
const needsLeisure = ({ table, pass }: Work): boolean =>
  walksAll(pass) || (pass.replaces === 'all' && table.shape !== shapeOf(table));

const describeSlow = ({ sourceName, copyMode, updatedKey }: Table, seconds: number): string =>
  `${sourceName}: after ${seconds} s it was not known what is new there, and its own execution asks` +
  (copyMode === 'INSERT_AND_UPDATE' ? ` – is there an index on ${JSON.stringify(updatedKey)}?` : '');

const warningsOf = ({ blind, prepared, ahead }: FenceReading): string[] => [
  ...(blind ? [blind] : []),
  ...(prepared > 0
    ? [
        `prepared transactions hold watermarks back: ${prepared} – COMMIT PREPARED or ROLLBACK PREPARED what pg_prepared_xacts shows`,
      ]
    : []),
  ...(ahead > 0
    ? [
        `transactions that began before the source's clock was set back hold watermarks back: ${ahead} – they do until they end, or the clock has come to where they began`,
      ]
    : []),
];
