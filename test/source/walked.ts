import assert from 'node:assert/strict';
import type pg from 'pg';
import type { SourceColumn } from '../../shared/model/catalog.ts';
import { readCatalog } from '../../shared/source/catalog.ts';
import type { Source } from '../../shared/sql/postgres.ts';

/** A generator of the same numbers every time. */
export const seeded = (seed: number) => (below: number) => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return Math.floor((seed / 2 ** 31) * below);
};

/** A table as the catalog has it, walked by these columns. */
export async function walkedSource(
  loader: pg.Client,
  name: string,
  keys: string[],
  updatedKey: string | null = null,
): Promise<Source> {
  const { tables } = await readCatalog(loader, { schema: 'public', exclude: [], only: [name] });
  const column = (key: string): SourceColumn => tables[0]?.columns.find((one) => one.name === key) ?? assert.fail(key);
  return {
    schema: 'public',
    name,
    keys: keys.map(column),
    updatedKey: updatedKey === null ? null : column(updatedKey),
    timezone: 'Europe/Berlin',
  };
}
