import type pg from 'pg';
import type { SourceTable } from '../model/catalog.ts';
import { profileNumerics } from '../sql/profile.ts';
import type { NumericDigits } from '../sql/types-number.ts';
import { askBriefly } from './briefly.ts';

/** 38 digits hold whatever is likely to come; those behind the point are the ones that were seen. */
const PRECISION = 38;

/** Digits that columns of type numeric, declared without any, need: by table and column. Only what fits a DECIMAL is told. */
export type Profile = Map<string, Map<string, NumericDigits>>;

const isUndeclared = ({ type }: SourceTable['columns'][number]): boolean =>
  type.schema === 'pg_catalog' && type.name === 'numeric' && type.typmod < 0;

/** Looks at some rows of tables that have such columns. Those of a table that is left out stay exact text. */
export async function profile(client: pg.Client, tables: SourceTable[], now: () => Date): Promise<Profile> {
  const numerics = new Map(
    tables.map((table) => [table.name, table.columns.filter(isUndeclared).map(({ name }) => name)]),
  );
  const questions = tables.flatMap(({ schema, name, readable }) => {
    const columns = numerics.get(name) ?? [];
    return columns.length > 0 && readable ? [{ table: name, sql: profileNumerics(schema, name, columns) }] : [];
  });
  const profiled: Profile = new Map();
  for await (const [table, row] of askBriefly<Record<string, number | null>>(client, questions, now))
    profiled.set(table, digitsOf(numerics.get(table) ?? [], row ?? {}));
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
