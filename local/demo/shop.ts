import type { ClientBase } from 'pg';
import { fillHardValues } from './hard-values.ts';
import { fillCountries, fillTables, type ShopSize } from './rows.ts';
import { createTables, finishTables } from './schema.ts';

export interface ShopOptions {
  /** Rows in all tables together; 5,000 at the least. */
  rows?: number;
  /** The latest moment in the shop: orders reach back two years from here. */
  now: Date;
}

/**
 * Fills the public schema of an empty database with an online shop that knows every kind of table the loader treats
 * differently. The same `rows` and `now` give the same rows, byte by byte.
 *
 * @throws where one of the tables exists already (Postgres' own error, nothing is left half made).
 */
export async function createShop(client: ClientBase, { rows = 1_000_000, now }: ShopOptions): Promise<void> {
  if (rows < SMALLEST) throw new RangeError(`a demo shop has at least ${SMALLEST} rows, not ${rows}`);
  await client.query('BEGIN');
  try {
    await client.query(
      "SET LOCAL search_path = public; SET LOCAL TimeZone = 'UTC'; SET LOCAL maintenance_work_mem = '128MB'",
    );
    await client.query(createTables);
    await client.query(partitions(now));
    const countries = await client.query(fillCountries);
    const hardValues = await client.query(fillHardValues(now.toISOString()));
    const remaining = rows - (countries.rowCount ?? 0) - (hardValues.rowCount ?? 0);
    for (const sql of fillTables(sizes(remaining), now.toISOString())) await client.query(sql);
    await client.query(finishTables);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

export const SMALLEST = 5_000;

function sizes(rows: number): ShopSize {
  const part = (percent: number) => Math.floor((rows * percent) / 100);
  const size = {
    customers: part(5),
    products: part(1),
    orderItems: part(28),
    events: part(16),
    payments: part(8),
    stock: part(2),
    signups: part(1),
  };
  return { ...size, orders: rows - Object.values(size).reduce((sum, n) => sum + n, 0) };
}

/** One partition a month from two years back to two months ahead, and one for all else. */
function partitions(now: Date): string {
  const month = (offset: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1)).toISOString().slice(0, 10);
  const monthly = Array.from({ length: 28 }, (_, i) => i - 25).map((offset) => {
    const from = month(offset);
    const name = `payments_${from.slice(0, 7).replace('-', '_')}`;
    return `CREATE TABLE ${name} PARTITION OF payments FOR VALUES FROM ('${from}') TO ('${month(offset + 1)}');`;
  });
  return `${monthly.join('\n')}\nCREATE TABLE payments_other PARTITION OF payments DEFAULT;`;
}
