import { createHash } from 'node:crypto';
import type { SourceTable } from '../model/catalog.ts';
import type { TreatedColumn } from '../model/column.ts';
import { errors } from '../model/errors.ts';
import type { Table } from '../model/table.ts';
import { type Bucketed, bucketRows, isTreatedAsAgreed, valueKinds } from '../sql/buckets.ts';

/**
 * The agreed columns that the source no longer has, by its names: a pass takes them as dropped, or renamed, once there is one, and
 * until then only the warehouse has them.
 */
export const columnsGone = ({ columns: agreed }: Pick<Table, 'columns'>, { columns }: SourceTable): string[] =>
  agreed.map(({ source }) => source).filter((name) => !columns.some((column) => column.name === name));

/**
 * Rows are brought anew as a load would bring them, which takes columns that both sides have alike.
 *
 * @param without the columns that the comparison left out because they are gone at the source
 * @throws LoaderError ColumnsDiffer
 */
export function checkMendable(table: Table, columns: TreatedColumn[], without: string[]): void {
  const otherwise = columns.filter((column) => !isTreatedAsAgreed(table, column)).map(({ source }) => source);
  const unsettled = [...without, ...otherwise];
  if (unsettled.length > 0)
    throw errors.columnsDiffer(
      `${table.sourceName}: rows can't be repaired while columns of them are gone at the source, or masked in another way than they were loaded: ` +
        `${unsettled.join(', ')} – run setup for what is gone, reset the table for what is masked, then verify again`,
    );
}

/** Tells what is asked of every row: of digests that answer different questions none says anything about the other. */
export const questionDigest = (compared: Bucketed): string =>
  createHash('sha256')
    .update(JSON.stringify([bucketRows(compared, 'source', null), valueKinds(compared)]))
    .digest('hex')
    .slice(0, 16);

/**
 * Whether a row was left alone between two looks is told by digests of the same columns, masked alike.
 *
 * @throws LoaderError ColumnsDiffer
 */
export function checkSameQuestion({ sourceName }: Pick<Table, 'sourceName'>, compared: Bucketed, asked: string): void {
  if (questionDigest(compared) !== asked)
    throw errors.columnsDiffer(
      `${sourceName}: its columns, their masks or its key changed between the two looks at it, so that nothing can be said of the rows that differed – ` +
        'verify it again',
    );
}
