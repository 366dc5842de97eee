import type { Column } from '../model/column.ts';
import type { Table } from '../model/table.ts';
import { addColumn, type WarehouseColumn, widenColumn } from '../sql/warehouse-columns.ts';

/** What brings the warehouse's table to the agreed columns. */
export interface Alterations {
  /** Statements that may share a transaction. */
  add: string[];
  /** Statements that have to run alone. */
  widen: string[];
  /** Columns of another type, and dropped ones that must hold a value, which can be replaced only together with all rows. */
  replace: Column[];
}

/**
 * Columns that one transaction can give another type: each takes two statements of the forty that it may have, besides
 * those of the load.
 */
export const MOST_REPLACED = 14;

/**
 * Compares the agreed columns with the warehouse's own, so that what was done before a crash isn't done again. A column
 * that is wider than agreed stays; so does one whose type is not known here: COPY will judge.
 */
export function alterationsOf(schema: string, table: Table, existing: WarehouseColumn[]): Alterations {
  const types = new Map(existing.map(({ name, type }) => [name, type]));
  const missing = table.columns.filter(({ name }) => !types.has(name));
  const others = table.columns.flatMap((column) => {
    const type = types.get(column.name);
    return type && !holds(type, column.type) ? [{ column, type }] : [];
  });
  const isNarrow = ({ column, type }: (typeof others)[number]) => bytesOf(type) > 0 && bytesOf(column.type) > 0;
  return {
    add: missing.map((column) => addColumn(schema, table, column)),
    widen: others.filter(isNarrow).map(({ column }) => widenColumn(schema, table, column)),
    replace: [
      ...others.filter((other) => !isNarrow(other)).map(({ column }) => column),
      ...formerKeys(table, existing),
    ],
  };
}

/** Redshift has no DROP NOT NULL (RULES 18), and what the source dropped is NULL from then on. */
const formerKeys = (table: Table, existing: WarehouseColumn[]): Column[] =>
  table.dropped.filter(({ name }) => existing.some((column) => column.name === name && !column.nullable));

const bytesOf = (type: string): number => Number(/^VARCHAR\((\d+)\)$/.exec(type)?.[1] ?? 0);

function holds(type: string, agreed: string): boolean {
  if (bytesOf(type) > 0 && bytesOf(agreed) > 0) return bytesOf(type) >= bytesOf(agreed);
  // VARBYTE is agreed with its length, which the catalog may or may not tell.
  return type === agreed || agreed.startsWith(`${type}(`);
}
