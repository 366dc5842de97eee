import type pg from 'pg';
import type { SourceTable } from '../model/catalog.ts';
import type { Table } from '../model/table.ts';
import { aheadOfClock } from '../sql/clock.ts';
import { askBriefly } from './briefly.ts';

/**
 * How many seconds the newest value of an updated key without a time zone lies ahead of the source's clock, when it is read in its
 * table's: by table. Null where there is none; absent where no index leads to it.
 */
export type Clocks = Map<string, number | null>;

/** A table as it is, or would be, copied. */
export type Keyed = [SourceTable, Pick<Table, 'updatedKey' | 'timezone'>];

export async function readClocks(client: pg.Client, tables: Keyed[], now: () => Date): Promise<Clocks> {
  const questions = tables.flatMap(([found, { updatedKey, timezone }]) => {
    const column = found.columns.find(({ name }) => name === updatedKey);
    if (column?.type.name !== 'timestamp' || !found.readable || !found.indexedColumns.includes(column.name)) return [];
    return [{ table: found.name, sql: aheadOfClock(found.schema, found.name, { column: column.name, timezone }) }];
  });
  const clocks: Clocks = new Map();
  for await (const [table, row] of askBriefly<{ ahead: number }>(client, questions, now))
    clocks.set(table, row?.ahead ?? null);
  return clocks;
}
