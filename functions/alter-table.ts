import { tokenOf, type Warehouse } from '../shared/aws/warehouse.ts';
import { alterationsOf } from '../shared/core/alterations.ts';
import { MAX_STATEMENTS } from '../shared/core/pack.ts';
import type { Column } from '../shared/model/column.ts';
import type { Table } from '../shared/model/table.ts';
import { columnsIn, describeColumn, type WarehouseColumn } from '../shared/sql/warehouse-columns.ts';

/** How far the warehouse's table was brought to the agreed columns. */
export type Altered =
  /** `replace`: columns of another type, which only a load that replaces all rows can bring to theirs. */
  | { status: 'done'; replace: Column[] }
  /** A statement waits, for readers of the table perhaps, for longer than this call has time: ask again. */
  | { status: 'running' }
  | { status: 'failed'; error: string };

/** @param table all of the schema's where absent */
export async function readColumns(warehouse: Warehouse, schema: string, table?: string): Promise<WarehouseColumn[]> {
  const columns: WarehouseColumn[] = [];
  for await (const row of warehouse.query(columnsIn(schema, table))) columns.push(describeColumn(row));
  return columns;
}

/**
 * Adds and widens the columns that the warehouse's table lacks, as the catalog shows it now. Called again it finds the
 * statements that it submitted before by their tokens, and what they did in the catalog.
 *
 * @param name what the statements' names begin with: whoever takes the table over settles them by it
 * @param hasTime whether this call may wait for longer
 */
export async function alterTable(
  warehouse: Warehouse,
  { schema, table, name, existing }: { schema: string; table: Table; name: string; existing?: WarehouseColumn[] },
  hasTime: () => boolean,
): Promise<Altered> {
  const known = existing ?? (await readColumns(warehouse, schema, table.destinationName));
  const { add, widen, replace } = alterationsOf(schema, table, known);
  const batches: string[][] = [];
  for (let start = 0; start < add.length; start += MAX_STATEMENTS)
    batches.push(add.slice(start, start + MAX_STATEMENTS));
  const token = (sqls: string[], attempt: number) => tokenOf([name, sqls, attempt]);
  const steps = [
    ...batches.map((sqls) => (attempt: number) => warehouse.submit(sqls, name, token(sqls, attempt))),
    ...widen.map((sql) => (attempt: number) => warehouse.execute(sql, name, token([sql], attempt))),
  ];
  for (const step of steps) {
    const statement = await warehouse.insist(step, hasTime);
    if (statement.status === 'running') return { status: 'running' };
    if (statement.status !== 'finished') return { status: 'failed', error: statement.error };
  }
  return { status: 'done', replace };
}
