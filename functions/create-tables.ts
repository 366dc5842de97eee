import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import * as z from 'zod';
import { Edits } from '../shared/aws/edits.ts';
import { environmentOf } from '../shared/aws/environment.ts';
import { PROOF_KEY, Stage } from '../shared/aws/stage.ts';
import { Store } from '../shared/aws/store.ts';
import { type Opened, openIn, type Warehouse } from '../shared/aws/warehouse.ts';
import { shapeOf } from '../shared/core/agree.ts';
import { checkWidth } from '../shared/core/load-statements.ts';
import { hasProgressed, withoutProgress } from '../shared/core/outcome.ts';
import { MAX_STATEMENTS } from '../shared/core/pack.ts';
import { checkWarehouseKeys } from '../shared/core/warehouse-keys.ts';
import type { Column } from '../shared/model/column.ts';
import { type Destination, isSamePlace } from '../shared/model/destination.ts';
import { errors } from '../shared/model/errors.ts';
import type { Job } from '../shared/model/job.ts';
import type { Table } from '../shared/model/table.ts';
import { anyRow, copyInto, createTable, guardCounts } from '../shared/sql/redshift.ts';
import type { WarehouseColumn } from '../shared/sql/warehouse-columns.ts';
import { alterTable, readColumns } from './alter-table.ts';
import { handle } from './edge.ts';

export const CreateTablesEvent = z.object({ jobId: z.string(), runId: z.string() });
export type CreateTablesEvent = z.infer<typeof CreateTablesEvent>;

export interface CreateTablesPorts {
  store: Store;
  edits: Pick<Edits, 'listJobs'>;
  stage: Stage;
  open(destinationName: string): Opened;
  copyRoleArn: string;
}

export interface Created {
  created: number;
  /** Tables that the warehouse would not take, each with why and what to do: runs report them until it does. */
  refused: string[];
}

/**
 * Creates in the warehouse what the config table has and it lacks: tables, and columns of known tables. First proves
 * that a file can go from S3 into Redshift at all, since that is where a new installation's rights are wrong.
 *
 * @throws LoaderError WarehouseRefused with the warehouse's own words and what to grant
 */
export async function createTables(
  event: CreateTablesEvent,
  { store, edits, stage, open, copyRoleArn }: CreateTablesPorts,
): Promise<Created> {
  const { job, tables } = await store.readJob(event.jobId);
  const { destination, warehouse } = open(job.destination);
  const execute = async (sqls: string[], name: string, advice: string): Promise<void> => {
    const token = randomBytes(16).toString('hex');
    let statement = await warehouse.submit(sqls, `setup/${event.runId}/${name}/`, token);
    while (statement.status === 'running') statement = await warehouse.follow(statement.id);
    if (statement.status !== 'finished') throw errors.warehouseRefused(`${statement.error} – ${advice}`);
  };
  const existing = Map.groupBy(await readColumns(warehouse, destination.schema), ({ table }) => table);
  // An item without columns was written by hand, for a table that setup never met: plan reports it.
  // Later than what the warehouse has: what is loaded from now on is loaded into a table that is there.
  const states = await store.readStates(event.jobId);
  const todo = tables.filter((table) => table.columns.length > 0 && !isThere(table, existing));
  if (todo.length === 0) return { created: 0, refused: [] };

  await proveCopy(stage, copyRoleArn, execute);
  const grant = `see the deployment's outputs for the GRANTs that schema ${destination.schema} needs`;
  const create = async (some: Table[]): Promise<void> => {
    for (const table of some) {
      checkWarehouseKeys(table);
      checkWidth(table);
    }
    const sqls = some.map((table) => createTable(destination.schema, table));
    for (let start = 0; start < sqls.length; start += MAX_STATEMENTS)
      await execute(sqls.slice(start, start + MAX_STATEMENTS), 'ddl', `${namesOf(some)}: ${grant}`);
    for (const table of some) {
      // A table that is new in the warehouse holds nothing, whatever a watermark says of one that was there before. Another setup
      // may have made it first, and a run have loaded it.
      const state = states.get(table.sourceName);
      if (state)
        await store.changeState(event.jobId, state, (now) =>
          hasProgressed(state.value, now) ? null : withoutProgress(now),
        );
      await store.updateTable(event.jobId, table.sourceName, { created: true, shape: shapeOf(table), dropped: [] });
    }
  };
  const alter = async (table: Table): Promise<void> => {
    const columns = existing.get(table.destinationName) ?? [];
    const what = { schema: destination.schema, table, name: `setup/${event.runId}/alter/`, existing: columns };
    const altered = await alterTable(warehouse, what, () => true);
    if (altered.status === 'failed') throw errors.warehouseRefused(`${table.sourceName}: ${altered.error} – ${grant}`);
    // What a re-load has to replace stays to be done.
    const done = altered.status === 'done' && altered.replace.length === 0;
    const dropped = table.dropped.filter(({ name }) => columns.some((column) => column.name === name));
    const change = { created: true, dropped, ...(done ? { shape: shapeOf(table) } : {}) };
    await store.updateTable(event.jobId, table.sourceName, change);
  };
  const refused: string[] = [];
  const ours: Table[] = [];
  const others = todo.some(({ created }) => !created)
    ? await madeByOthers(job, destination, { store, edits, open })
    : new Map<string, string>();
  for (const table of todo) {
    const other = table.created ? undefined : others.get(table.destinationName);
    if (other !== undefined) {
      refused.push(describeShared(destination.schema, table, other));
      continue;
    }
    // What was loaded before is ours; what merely bears the name and holds rows may be somebody's only copy.
    const known = states.get(table.sourceName)?.value.run !== undefined || !existing.has(table.destinationName);
    if (known || !(await hasRows(warehouse, destination.schema, table))) ours.push(table);
    else refused.push(occupied(destination.schema, table));
  }
  const fresh = ours.filter((table) => !existing.has(table.destinationName));
  const failures = fresh.length > 0 ? await eachOrSingly(fresh, create) : [];
  for (const table of ours.filter((one) => !fresh.includes(one)))
    await alter(table).catch((error: Error) => failures.push(error));
  refused.push(...failures.map((error) => error.message));
  return { created: todo.length - refused.length, refused };
}

/** Whether nothing is to be done: somebody may have dropped a table, or a column, that was there before. */
function isThere(table: Table, existing: Map<string, WarehouseColumn[]>): boolean {
  const names = new Set(existing.get(table.destinationName)?.map(({ name }) => name));
  const agreed = table.created && table.shape === shapeOf(table) && table.dropped.length === 0;
  return agreed && table.columns.every(({ name }) => names.has(name));
}

async function hasRows(warehouse: Warehouse, schema: string, table: Table): Promise<boolean> {
  for await (const _row of warehouse.query(anyRow(schema, table))) return true;
  return false;
}

/** Which tables of the destination other jobs have made, by name, and whose they are: a first load would take their rows away. */
async function madeByOthers(
  { jobId, destination: own }: Job,
  destination: Destination,
  { store, edits, open }: Pick<CreateTablesPorts, 'store' | 'edits' | 'open'>,
): Promise<Map<string, string>> {
  const made = new Map<string, string>();
  for (const other of await edits.listJobs()) {
    if (other === jobId) continue;
    const { job, tables } = await store.readJob(other).catch(unreadable);
    if (!job || !(job.destination === own || isSamePlace(placeOf(job.destination, open), destination))) continue;
    for (const { created, destinationName } of tables) if (created) made.set(destinationName, other);
  }
  return made;
}

/** Which tables a job has made that can't be read is not known; until it is put right it loads none, and holds up nobody. */
function unreadable(error: Error): { job: null; tables: Table[] } {
  if (error.name !== 'BadConfiguration') throw error;
  return { job: null, tables: [] };
}

/** Nowhere where the deployment no longer has the destination. */
function placeOf(name: string, open: CreateTablesPorts['open']): Destination | undefined {
  try {
    return open(name).destination;
  } catch (error) {
    if ((error as Error).name !== 'BadConfiguration') throw error;
    return undefined;
  }
}

const describeShared = (schema: string, { sourceName, destinationName }: Table, other: string): string =>
  `${sourceName}: the warehouse's table ${schema}.${destinationName} is the one that job ${other} loads: ` +
  'give this table another destinationName (tables edit … --destination-name), then run setup again';

const occupied = (schema: string, { sourceName, destinationName }: Table): string =>
  `${sourceName}: the warehouse already has a table ${schema}.${destinationName} with rows that no run of this job loaded: ` +
  'drop or rename it, or give the table another destinationName (tables edit … --destination-name), then run setup again';

const namesOf = (tables: Table[]): string => tables.map((table) => table.sourceName).join(', ');

/** All at one go; where that fails each table on its own, so that one that is refused doesn't hold up its neighbours. */
async function eachOrSingly(tables: Table[], create: (some: Table[]) => Promise<void>): Promise<Error[]> {
  const failures: Error[] = [];
  const attempt = (some: Table[]) => create(some).catch((error: Error) => void failures.push(error));
  await attempt(tables);
  if (failures.length === 0 || tables.length === 1) return failures;
  failures.length = 0;
  for (const table of tables) await attempt([table]);
  return failures;
}

/** One row goes the way that all rows will go. Its object stays, the same for all jobs: no setup takes it from another's COPY. */
async function proveCopy(
  stage: Stage,
  roleArn: string,
  execute: (sqls: string[], name: string, advice: string) => Promise<void>,
): Promise<void> {
  await stage.put(PROOF_KEY, zstdCompressSync(Buffer.from('1\n')));
  const column: Pick<Column, 'name'> = { name: 'n' };
  const copy = copyInto('proof', [column], { url: stage.url(PROOF_KEY), manifest: false, roleArn, nullMarker: '~' });
  const sqls = ['CREATE TEMP TABLE proof (n INTEGER)', copy, guardCounts([{ from: 'proof', rows: 1 }])];
  const advice = `Redshift could not COPY from ${stage.url(PROOF_KEY)}: attach ${roleArn} to the warehouse (the deployment's outputs have the command)`;
  await execute(sqls, 'proof', advice);
}

export const handler = handle(CreateTablesEvent, (event) => {
  const { TABLE_NAME, BUCKET_NAME, DESTINATIONS, COPY_ROLE_ARN } = environmentOf('create-tables');
  return createTables(event, {
    store: new Store(TABLE_NAME),
    edits: new Edits(TABLE_NAME),
    stage: new Stage(BUCKET_NAME),
    open: openIn(DESTINATIONS),
    copyRoleArn: COPY_ROLE_ARN,
  });
});
