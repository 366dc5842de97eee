import type { Batch, Pass } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { qualified } from '../sql/quote.ts';
import {
  type Counted,
  copyInto,
  createStage,
  createTempStage,
  cursorCondition,
  deduplicate,
  deleteRows,
  dropTable,
  guardCounts,
  insertAll,
  insertMissing,
  keyColumns,
  merge,
} from '../sql/redshift.ts';

/** One table's part of a load. */
export interface Cargo {
  table: Table;
  pass: Pass;
  batch: Batch;
  /** What COPY reads: one object, or the manifest of several; null where the batch has no object at all. */
  copyUrl: string | null;
  /** Names the permanent stage of a full sync of several batches: the same for every pass, so that none is left behind. */
  stageName: string;
}

export interface LoadContext {
  schema: string;
  copyRoleArn: string;
}

/** Whether a full sync is staged over several loads, in a permanent table, before one transaction swaps the rows. */
const isStaged = ({ table, pass, batch }: Cargo): boolean =>
  table.copyMode === 'FULL_DATA_SYNC' && (pass.batches > 0 || !batch.last);

/**
 * Whether COPY may go straight into the target: on a table's very first pass, where whatever the warehouse holds beyond
 * the cursor came from a batch that is now done again, and is replaced by it in the same transaction. A cursor can be
 * compared in the warehouse only if it is one integer: text sorts differently there. Rows whose key may repeat have to be
 * deduplicated in a stage.
 */
const appends = (cargo: Cargo): boolean => {
  const { table, pass } = cargo;
  const exact = pass.distinct || table.copyMode === 'FULL_DATA_SYNC';
  return exact && pass.fresh && !isStaged(cargo) && (pass.batches === 0 || hasIntegerKey(table));
};

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
  if (appends(cargo)) {
    const beyond = cursorCondition(table, pass.cursor);
    return {
      fill: [deleteRows(schema, table, beyond), ...copyParts(cargo, target, context)],
      expected: { from: beyond ? `${target} WHERE ${beyond}` : target, rows: extracted },
      apply: [],
    };
  }
  const staged = isStaged(cargo);
  const stage = staged ? qualified(schema, cargo.stageName) : `loader_stage_${index}`;
  const create = staged
    ? pass.batches === 0
      ? [dropTable(stage), createStage(stage, target)]
      : []
    : [createTempStage(stage, target)];
  return {
    fill: [...create, ...copyParts(cargo, stage, context)],
    expected: { from: stage, rows: staged ? pass.staged + extracted : extracted },
    apply: apply(cargo, stage, index, schema, staged),
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

function apply({ table, pass, batch }: Cargo, stage: string, index: number, schema: string, staged: boolean): string[] {
  switch (table.copyMode) {
    case 'INSERT_AND_UPDATE': {
      if (pass.distinct) return [merge(schema, table, stage)];
      const newest = `loader_newest_${index}`;
      return [deduplicate(stage, newest, table), merge(schema, table, newest)];
    }
    case 'INSERT_ONLY':
      return [insertMissing(schema, table, stage)];
    case 'FULL_DATA_SYNC':
      if (!batch.last) return [];
      return [deleteRows(schema, table, null), insertAll(schema, table, stage), ...(staged ? [dropTable(stage)] : [])];
  }
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

/** How often a load's statements list all columns, by mode. */
const LISTINGS = { INSERT_AND_UPDATE: 9, INSERT_ONLY: 5, FULL_DATA_SYNC: 3 };

/** What a table adds to a load, before there is one: its statements and about how many bytes of SQL. */
export function loadSize(table: Table, pass: Pass): { statements: number; sqlBytes: number } {
  // Quotes, comma and blank; in some of the listings the stage's name before each.
  const names = table.columns.reduce((bytes, column) => bytes + Buffer.byteLength(column.name) + 10, 0);
  const applied = { INSERT_AND_UPDATE: pass.distinct ? 1 : 2, INSERT_ONLY: 1, FULL_DATA_SYNC: 2 }[table.copyMode];
  return { statements: 2 + applied, sqlBytes: LISTINGS[table.copyMode] * names + 1_000 };
}
