import type pg from 'pg';
import { errors } from '../model/errors.ts';
import { addChangedColumns, type ChangedColumns, CONCERNED, ValuePolicies } from '../model/policies.ts';
import type { Table } from '../model/table.ts';
import { treatmentOf } from '../model/wishes.ts';
import type { Source } from '../sql/postgres.ts';
import { qualified } from '../sql/quote.ts';
import { type Counter, changedRows, readCounters, resetCounters } from '../sql/values.ts';

/** Rows that are listed of one kind of value of one object: enough to see what they have in common. */
const LISTED = 1_000;

export interface Counted {
  counter: Counter;
  rows: number;
}

/** Before a COPY in the same transaction. */
export async function startCounting(client: pg.Client, counters: Counter[]): Promise<void> {
  if (counters.length > 0) await client.query(resetCounters(counters));
}

/** What the COPY counted; nothing, as a rule. */
export async function readCounts(client: pg.Client, counters: Counter[]): Promise<Counted[]> {
  if (counters.length === 0) return [];
  const { rows } = await client.query<{ setting: string; rows: string }>(readCounters(counters));
  const found = new Map(rows.map((row) => [row.setting, Number(row.rows)]));
  return counters.flatMap((counter) => {
    const count = found.get(counter.setting);
    return count === undefined ? [] : [{ counter, rows: count }];
  });
}

/** @throws LoaderError ValueRefused: which columns, and how to find the rows; never a value, which may be private */
export function refuse(table: Table, source: Pick<Source, 'schema' | 'name'>, counts: Counted[]): void {
  const refused = counts.filter(({ counter }) => counter.refuses);
  if (refused.length === 0) return;
  const parts = refused.map(({ counter: { column, policy, when }, rows }) => {
    const find = `SELECT * FROM ${qualified(source.schema, source.name)} t WHERE ${when('t')};`;
    const key = table.primaryKey.includes(column.source);
    const choices = ValuePolicies.shape[policy].options.filter((choice) => choice !== 'error').join(' or ');
    const choose = key ? "a key's values are never changed" : `or choose the policy ${policy}: ${choices}`;
    const count = `${rows} ${rows === 1 ? 'value' : 'values'} of the column ${JSON.stringify(column.source)}`;
    return `${count}, ${column.type} in the warehouse, ${rows === 1 ? 'is' : 'are'} ${CONCERNED[policy]}: correct what ${find} finds, ${choose}`;
  });
  throw errors.valueRefused(`${table.sourceName}: ${parts.join('. ')}`);
}

/** One JSON a line, {key, column, policy, bytes}, for the rows whose values were changed: see `changedRows`. */
export async function listChanged(
  client: pg.Client,
  table: Table,
  counts: Counted[],
  rowSets: string[],
): Promise<string> {
  // A masked key would be given away here.
  const keys = table.primaryKey.filter((key) => treatmentOf(table, key) === undefined);
  const lines: string[] = [];
  for (const { counter } of counts) {
    const { rows } = await client.query<{ line: string }>(changedRows(counter, keys, rowSets, LISTED));
    lines.push(...rows.map(({ line }) => line));
  }
  return lines.map((line) => `${line}\n`).join('');
}

export const sumByColumn = (counts: Counted[]): ChangedColumns =>
  addChangedColumns(counts.map(({ counter, rows }) => ({ [counter.place]: { [counter.policy]: rows } }))) ?? {};
