import type { Batch, Pass } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import { qualified } from '../sql/quote.ts';
import {
  copyInto,
  createStage,
  createTempStage,
  deduplicate,
  deleteAll,
  dropTable,
  guardCounts,
  insertAll,
  insertMissing,
  merge,
} from '../sql/redshift.ts';

/** One table's part of a load. */
export interface Cargo {
  table: Table;
  pass: Pass;
  batch: Batch;
  /** What COPY reads: one object, or the manifest of several; null where the batch has no object at all. */
  copyUrl: string | null;
  /** Names the permanent stage of a full sync that takes several batches: unique to table and pass. */
  stageName: string;
}

export interface LoadContext {
  schema: string;
  copyRoleArn: string;
}

/** Whether a full sync is staged over several loads, in a permanent table, before one transaction swaps the rows. */
const isStaged = ({ table, pass, batch }: Cargo): boolean =>
  table.copyMode === 'FULL_DATA_SYNC' && (pass.batches > 0 || !batch.last);

/** The statements that bring one table's batch to the warehouse: what stages it, and what then applies it. */
function parts(cargo: Cargo, index: number, { schema, copyRoleArn }: LoadContext) {
  const { table, pass, batch } = cargo;
  const target = qualified(schema, table.destinationName);
  const staged = isStaged(cargo);
  const stage = staged ? qualified(schema, cargo.stageName) : `stage_${index}`;
  const extracted = batch.objects.reduce((rows, object) => rows + object.rows, 0);
  const create = staged
    ? pass.batches === 0
      ? [dropTable(stage), createStage(stage, target)]
      : []
    : [createTempStage(stage, target)];
  const copy = cargo.copyUrl
    ? [
        copyInto(stage, table.columns, {
          url: cargo.copyUrl,
          manifest: batch.objects.length > 1,
          roleArn: copyRoleArn,
          nullMarker: batch.nullMarker,
        }),
      ]
    : [];
  return {
    fill: [...create, ...copy],
    expected: { stage, rows: staged ? pass.staged + extracted : extracted },
    apply: apply(cargo, stage, index, schema, staged),
  };
}

function apply({ table, batch }: Cargo, stage: string, index: number, schema: string, staged: boolean): string[] {
  switch (table.copyMode) {
    case 'INSERT_AND_UPDATE': {
      const newest = `newest_${index}`;
      return [deduplicate(stage, newest, table), merge(schema, table, newest)];
    }
    case 'INSERT_ONLY':
      return [insertMissing(schema, table, stage)];
    case 'FULL_DATA_SYNC':
      if (!batch.last) return [];
      return [deleteAll(schema, table), insertAll(schema, table, stage), ...(staged ? [dropTable(stage)] : [])];
  }
}

/** One load: one transaction. Every stage is filled, then counted, before the first row of a target is touched. */
export function loadStatements(cargos: Cargo[], context: LoadContext): string[] {
  const all = cargos.map((cargo, index) => parts(cargo, index, context));
  return [
    ...all.flatMap((part) => part.fill),
    guardCounts(all.map((part) => part.expected)),
    ...all.flatMap((part) => part.apply),
  ];
}

/** Statements of a load by mode, and how often they list all columns. */
const SIZES = {
  INSERT_AND_UPDATE: { statements: 4, listings: 9 },
  INSERT_ONLY: { statements: 3, listings: 5 },
  FULL_DATA_SYNC: { statements: 4, listings: 3 },
};

/** What a table adds to a load, before there is one: its statements and about how many bytes of SQL. */
export function loadSize(table: Table): { statements: number; sqlBytes: number } {
  const names = table.columns.reduce((bytes, column) => bytes + Buffer.byteLength(column.name) + 4, 0);
  const { statements, listings } = SIZES[table.copyMode];
  return { statements, sqlBytes: listings * names + 1_000 };
}
