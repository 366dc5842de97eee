import type { Column } from '../model/column.ts';
import { errors } from '../model/errors.ts';
import type { Batch, Pass } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { qualified } from '../sql/quote.ts';
import {
  beyondCondition,
  type Counted,
  copyInto,
  createTable,
  createTempStage,
  cursorCondition,
  deduplicate,
  deleteAndInsert,
  deleteRows,
  dropTable,
  guardCounts,
  guardShare,
  insertAll,
  insertMissing,
  keyColumns,
  MAX_STATEMENT_BYTES,
  merge,
} from '../sql/redshift.ts';
import { replaceColumns } from '../sql/warehouse-columns.ts';

/** "The maximum number of columns you can define in a single table is 1,600" (Developer Guide, CREATE TABLE). */
const MAX_COLUMNS = 1_600;

/** One table's part of a load. */
export interface Cargo {
  table: Table;
  pass: Pass;
  batch: Batch;
  /** What COPY reads: one object, or the manifest of several; null where the batch has no object at all. */
  copyUrl: string | null;
  /** The permanent stage of a pass that replaces by several batches (`stageTableName`). */
  stageName: string;
  /** Whether an earlier pass may have left that stage. */
  abandoned: boolean;
  /** Columns whose type in the warehouse is another than agreed: replaced in the transaction that replaces all rows. */
  replace: Column[];
  /** The least share of the warehouse's rows that may take their place. */
  minShare: number;
}

export interface LoadContext {
  schema: string;
  copyRoleArn: string;
}

/** Whether a pass that replaces is staged over several loads, in a permanent table, before one transaction swaps the rows. */
export const isStaged = ({ pass, batch }: { pass: Pass; batch: Batch }): boolean =>
  pass.replaces !== null && (pass.batches > 0 || !batch.last);

/**
 * Whether COPY may go straight into the target: on a table's very first pass, where whatever the warehouse holds beyond
 * the cursor came from a batch that is now done again, and is replaced by it in the same transaction. A cursor can be
 * compared in the warehouse only if it is one integer: text sorts differently there. Rows whose key may repeat have to be
 * deduplicated in a stage.
 */
const appends = (cargo: Cargo): boolean => {
  const { table, pass } = cargo;
  return isExact(table, pass) && pass.fresh && !isStaged(cargo) && (pass.batches === 0 || hasIntegerKey(table));
};

/** Whether it may in every batch of a pass: then a batch costs the warehouse no look at what is there. */
export const appendsAll = (table: Table, pass: Pass): boolean =>
  isExact(table, pass) && pass.fresh && pass.replaces === null && hasIntegerKey(table);

/** Whether every row of the pass is to be a row of the warehouse; a full sync compares no keys, so that any may repeat. */
const isExact = (table: Table, pass: Pass): boolean => pass.distinct || table.copyMode === 'FULL_DATA_SYNC';

const hasIntegerKey = (table: Table): boolean => {
  const [key, ...more] = keyColumns(table);
  return key !== undefined && more.length === 0 && /^(SMALLINT|INTEGER|BIGINT)$/.test(key.type);
};

interface Part {
  fill: string[];
  expected: Counted;
  apply: string[];
}

/** The statements that bring one table's batch to the warehouse: what stages it, and what then applies it. */
function parts(cargo: Cargo, index: number, context: LoadContext): Part {
  const { table, pass, batch } = cargo;
  const { schema } = context;
  const target = qualified(schema, table.destinationName);
  const extracted = batch.objects.reduce((rows, object) => rows + object.rows, 0);
  const staged = isStaged(cargo);
  // A stage of its own making has the agreed types, so that the target can wait until its rows are replaced.
  const retype = pass.replaces === 'all' && batch.last ? replaceColumns(schema, table, cargo.replace) : [];
  const abandoned = !staged && cargo.abandoned ? [dropTable(qualified(schema, cargo.stageName))] : [];
  if (appends(cargo)) {
    const beyond = cursorCondition(table, pass.cursor);
    return {
      fill: [...abandoned, ...retype, deleteRows(schema, table, beyond), ...copyParts(cargo, target, context)],
      expected: { from: beyond ? `${target} WHERE ${beyond}` : target, rows: extracted },
      apply: [],
    };
  }
  const stage = staged ? qualified(schema, cargo.stageName) : `loader_stage_${index}`;
  const create = staged
    ? pass.batches === 0
      ? [dropTable(stage), createTable(schema, { ...table, destinationName: cargo.stageName })]
      : []
    : [createTempStage(stage, target)];
  return {
    fill: [...abandoned, ...(staged ? [] : retype), ...create, ...copyParts(cargo, stage, context)],
    expected: { from: stage, rows: staged ? pass.staged + extracted : extracted },
    apply: [...(staged ? retype : []), ...apply(cargo, stage, index, schema, staged)],
  };
}

const copyParts = ({ table, batch, copyUrl }: Cargo, into: string, { copyRoleArn }: LoadContext): string[] =>
  copyUrl === null
    ? []
    : [
        copyInto(into, table.columns, {
          url: copyUrl,
          manifest: batch.objects.length > 1,
          roleArn: copyRoleArn,
          nullMarker: batch.nullMarker,
        }),
      ];

/** A staged pass is applied with its last batch, all at once: what it replaces goes in that very transaction. */
function apply(cargo: Cargo, stage: string, index: number, schema: string, staged: boolean): string[] {
  const { table, pass, batch } = cargo;
  if (staged && !batch.last) return [];
  const newest = `loader_newest_${index}`;
  const rows = deduplicates(table, pass) ? newest : stage;
  return [
    ...(rows === newest ? [deduplicate(stage, newest, table)] : []),
    ...(isGuarded(cargo) ? [guardShare(stage, qualified(schema, table.destinationName), cargo.minShare)] : []),
    ...(pass.replaces === null ? [] : [deleteRows(schema, table, replacedCondition(table, pass))]),
    ...bring(table, pass).sql(schema, table, rows),
    ...(staged ? [dropTable(stage)] : []),
  ];
}

/**
 * Whether a source that suddenly has few rows is refused: the rows are counted in the transaction that would delete them, so
 * that nothing comes between. A pass that is `fresh` replaces nothing, or was asked for by a person's reset: then the source is right.
 */
const isGuarded = ({ pass, minShare }: Cargo): boolean => pass.replaces === 'all' && !pass.fresh && minShare > 0;

/** `insertMissing` takes one row a key by itself. */
const deduplicates = (table: Table, pass: Pass): boolean =>
  !isExact(table, pass) && (pass.replaces === 'all' || bringsVersions(table, pass));

/**
 * Whether rows that the warehouse has may come in another version. In INSERT_ONLY that is the pass which starts over, after the mode
 * or the keys were changed: it meets all rows, and what had changed before the table counted as only growing is brought for good.
 */
const bringsVersions = ({ copyMode }: Table, { from, fresh }: Pass): boolean =>
  copyMode === 'INSERT_AND_UPDATE' || (copyMode === 'INSERT_ONLY' && from === null && !fresh);

const replacedCondition = (table: Table, pass: Pass): string | null =>
  pass.replaces === null || pass.replaces === 'all' ? null : beyondCondition(table, pass.replaces.beyond);

/** How a pass's rows reach their target, and how often that statement lists all columns. */
const BRINGS = {
  insert: { sql: (...of: Bringing) => [insertAll(...of)], listings: 2, statements: 1 },
  insertMissing: { sql: (...of: Bringing) => [insertMissing(...of)], listings: 2, statements: 1 },
  merge: { sql: (...of: Bringing) => [merge(...of)], listings: 6, statements: 1 },
  deleteAndInsert: { sql: deleteAndInsert, listings: 2, statements: 2 },
};
type Bringing = [schema: string, table: Table, stage: string];

function bring(table: Table, pass: Pass): (typeof BRINGS)[keyof typeof BRINGS] {
  if (pass.replaces === 'all') return BRINGS.insert;
  if (!bringsVersions(table, pass)) return BRINGS.insertMissing;
  return BRINGS.merge.listings * bytesOfNames(table) < MAX_STATEMENT_BYTES ? BRINGS.merge : BRINGS.deleteAndInsert;
}

/** Of all columns once, about: quotes, comma and blank, and in some of the listings the stage's name before each. */
const bytesOfNames = ({ columns, dropped }: Table): number =>
  [...columns, ...dropped].reduce((bytes, column) => bytes + Buffer.byteLength(column.name) + 10, 0);

/**
 * Refuses to make a table of so many columns with so long names that a statement could not name them.
 * @throws LoaderError BadConfiguration
 */
export function checkWidth(table: Table): void {
  const { length } = table.columns;
  const names = bytesOfNames({ ...table, dropped: [] });
  const bytes = Math.max(Buffer.byteLength(createTable('public', table)), BRINGS.insert.listings * names);
  if (length > MAX_COLUMNS || bytes > MAX_STATEMENT_BYTES)
    throw errors.badConfiguration(
      `${table.sourceName}: has ${length} columns with names of ${names} bytes, but Redshift takes ${MAX_COLUMNS} ` +
        `columns, and a statement that names them twice ${MAX_STATEMENT_BYTES} bytes: exclude some by treat, or shorten their names`,
    );
}

/**
 * Refuses to compare a table of so many columns with so long names that one statement could not name what it compares.
 * @throws LoaderError BadConfiguration
 */
export function checkLength({ sourceName, columns }: Table, sql: string): void {
  const bytes = Buffer.byteLength(sql);
  if (bytes > MAX_STATEMENT_BYTES)
    throw errors.badConfiguration(
      `${sourceName}: to compare its ${columns.length} columns takes a statement of ${bytes} bytes, and Redshift takes ` +
        `${MAX_STATEMENT_BYTES}: exclude some by treat, shorten their names, or leave the table uncompared – it is loaded all the same`,
    );
}

/** One load: one transaction. All that was copied is counted before a stage's rows touch their target. */
export function loadStatements(cargos: Cargo[], context: LoadContext): string[] {
  const all = cargos.map((cargo, index) => parts(cargo, index, context));
  return [
    ...all.flatMap((part) => part.fill),
    guardCounts(all.map((part) => part.expected)),
    ...all.flatMap((part) => part.apply),
  ];
}

/**
 * What a table adds to a load, before there is one: its statements and about how many bytes of SQL.
 * @param abandoned whether a stage is to be dropped that an earlier pass left
 */
export function loadSize(table: Table, pass: Pass, abandoned = false): { statements: number; sqlBytes: number } {
  const brings = bring(table, pass);
  // COPY lists all columns once, deduplicating again.
  const twice = deduplicates(table, pass) ? 1 : 0;
  const statements = 2 + twice + (pass.replaces === null ? 0 : 2) + brings.statements + (abandoned ? 1 : 0);
  return { statements, sqlBytes: (1 + twice + brings.listings) * bytesOfNames(table) + 1_000 };
}
