import type pg from 'pg';
import type { SourceTable } from '../model/catalog.ts';
import { profileNumerics } from '../sql/profile.ts';
import type { NumericDigits } from '../sql/types-number.ts';
import { isConnectionLost } from './connect.ts';

/** What one table may cost the source, and all of them together. */
const TABLE_MS = 5_000;
const BUDGET_MS = 40_000;
/** 38 digits hold whatever is likely to come; those behind the point are the ones that were seen. */
const PRECISION = 38;

/** Digits that columns of type numeric, declared without any, need: by table and column. Only what fits a DECIMAL is told. */
export type Profile = Map<string, Map<string, NumericDigits>>;

const isUndeclared = ({ type }: SourceTable['columns'][number]): boolean =>
  type.schema === 'pg_catalog' && type.name === 'numeric' && type.typmod < 0;

/**
 * Looks at some rows of tables that have such columns, one query a table. A table that can't be read, or takes too long, is
 * left out: its columns stay exact text.
 */
export async function profile(client: pg.Client, tables: SourceTable[], now: () => Date): Promise<Profile> {
  const deadline = now().getTime() + BUDGET_MS;
  const profiled: Profile = new Map();
  for (const table of tables) {
    const columns = table.columns.filter(isUndeclared).map(({ name }) => name);
    const left = Math.min(TABLE_MS, deadline - now().getTime());
    if (columns.length === 0 || !table.readable || left <= 0) continue;
    await client.query(`SET statement_timeout = ${Math.ceil(left)}`);
    try {
      const { rows } = await client.query<Record<string, number | null>>(
        profileNumerics(table.schema, table.name, columns),
      );
      profiled.set(table.name, digitsOf(columns, rows[0] ?? {}));
    } catch (error) {
      if (isConnectionLost(error)) throw error;
    }
  }
  return profiled;
}

function digitsOf(columns: string[], seen: Record<string, number | null>): Map<string, NumericDigits> {
  const fitting = columns.flatMap((column, i): [string, NumericDigits][] => {
    const [before, scale] = [seen[`b${i}`] ?? null, seen[`s${i}`] ?? null];
    if (before === null || scale === null || before + scale > PRECISION || scale >= PRECISION) return [];
    return [[column, { precision: PRECISION, scale }]];
  });
  return new Map(fitting);
}
