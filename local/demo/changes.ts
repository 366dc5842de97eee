import type { ClientBase } from 'pg';

export interface TableChanges {
  table: string;
  inserted: number;
  updated: number;
  deleted: number;
}

type Kind = 'inserted' | 'updated' | 'deleted';
interface Change {
  table: string;
  kind: Kind;
  sql: string;
}

/**
 * A few minutes of business in the demo shop: about a thousand new rows, some four hundred changed ones, and deletions
 * where a full sync will see them. Every call does something else, because ids come from the shop's sequences.
 *
 * @param now the shop's own clock: when orders were placed. `updated_at` is the database's now(), as in a real application.
 * @returns what was done and committed, by table, in alphabetical order
 */
export async function changeShop(client: ClientBase, { now }: { now: Date }): Promise<TableChanges[]> {
  const drawn = await client.query<{ seed: string }>("SELECT nextval('public.orders_id_seq') AS seed");
  const seed = Number(drawn.rows[0]?.seed);
  const at = `timestamptz '${now.toISOString()}'`;
  const totals = new Map<string, TableChanges>();
  const make = async (changes: Change[]) => {
    for (const { table, kind, sql } of changes) {
      const total = totals.get(table) ?? { table, inserted: 0, updated: 0, deleted: 0 };
      total[kind] += (await client.query(sql)).rowCount ?? 0;
      totals.set(table, total);
    }
  };
  const inOneTransaction = async (work: () => Promise<void>) => {
    await client.query('BEGIN');
    try {
      await work();
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  };

  await inOneTransaction(() => make([...newCustomers(at), ...newOrders(at)]));
  await inOneTransaction(async () => {
    await make(progress(seed));
    // Rows written below a savepoint carry a sub-transaction's xid, which a snapshot's list of open ones leaves out.
    await client.query('SAVEPOINT returns');
    await make(returns(seed));
    await client.query('RELEASE SAVEPOINT returns; SAVEPOINT regret');
    await client.query("UPDATE public.orders SET note = 'never happened', updated_at = now() WHERE id % 1000 = 1");
    await client.query('ROLLBACK TO SAVEPOINT regret');
  });
  await make([...eventBurst(at), ...catalogue(seed), ...fullySynced(seed), ...hardValues(seed)]);
  return [...totals.values()].sort((a, b) => (a.table < b.table ? -1 : 1));
}

/** Of `table`, the `count` rows that this seed has thrown. */
const some = (table: string, key: string, count: number, seed: number) =>
  `SELECT ${key} FROM public.${table} ORDER BY hashtextextended((${key})::text, ${seed}) LIMIT ${count}`;

const newCustomers = (at: string): Change[] => [
  {
    table: 'customers',
    kind: 'inserted',
    sql: `INSERT INTO public.customers (email, full_name, country_code, tier, tags, preferences, created_at)
SELECT 'new' || n || '.' || currval('public.orders_id_seq') || '@example.org', 'Néw Cüstomer ' || n, 'DE', 'guest', '{new}',
  '{"lang": "de", "score": 1e2}', ${at} FROM generate_series(1, 25) n`,
  },
];

const newOrders = (at: string): Change[] => [
  {
    table: 'orders',
    kind: 'inserted',
    sql: `INSERT INTO public.orders (customer_id, status, total, currency, ship_to, note, placed_at)
SELECT (SELECT max(id) FROM public.customers) - n % 25, 'pending', n * 1.25 + 4, 'EUR', NULLIF('Ringstraße ' || n, 'Ringstraße 7'),
  CASE n % 9 WHEN 0 THEN E'second line\\n"quoted"' WHEN 1 THEN '' END, ${at} - n * interval '1 second' FROM generate_series(1, 120) n`,
  },
  {
    table: 'order_items',
    kind: 'inserted',
    sql: `INSERT INTO public.order_items (order_id, line_no, sku, quantity, unit_price, gift)
SELECT o.id, line, p.sku, line, p.price, line = 3
FROM (SELECT id FROM public.orders ORDER BY id DESC LIMIT 120) o, LATERAL generate_series(1, 1 + (o.id % 3)::int) line,
  LATERAL (SELECT sku, price FROM public.products WHERE sku >= 'SKU-' || lpad((o.id % 50)::text, 6, '0') ORDER BY sku LIMIT 1) p`,
  },
];

/** Orders go their way, and those that are paid get their payment. */
const progress = (seed: number): Change[] => [
  {
    table: 'orders',
    kind: 'updated',
    sql: `UPDATE public.orders SET status = 'shipped', updated_at = now() WHERE id IN (${some('orders', 'id', 150, seed)})`,
  },
  {
    table: 'orders',
    kind: 'updated',
    sql: "UPDATE public.orders SET status = 'paid', updated_at = now() WHERE status = 'pending'",
  },
  {
    table: 'payments',
    kind: 'inserted',
    sql: `INSERT INTO public.payments (paid_on, order_id, method, amount, reference)
SELECT placed_at::date, id, 'card', total, md5('new payment ' || id)::uuid FROM public.orders o WHERE status = 'paid' AND updated_at = now()`,
  },
];

const returns = (seed: number): Change[] => [
  {
    table: 'orders',
    kind: 'updated',
    sql: `UPDATE public.orders SET status = 'returned', note = 'sent back – ' || coalesce(note, ''), updated_at = now()
WHERE id IN (${some('orders', 'id', 20, seed + 1)})`,
  },
  {
    table: 'order_items',
    kind: 'updated',
    sql: `UPDATE public.order_items SET quantity = quantity - 1, updated_at = now()
WHERE (order_id, line_no) IN (SELECT order_id, line_no FROM public.order_items ORDER BY hashint8extended(order_id, ${seed}), line_no LIMIT 30)`,
  },
];

const eventBurst = (at: string): Change[] => [
  {
    table: 'events',
    kind: 'inserted',
    sql: `INSERT INTO public.events (customer_id, kind, payload, happened_at)
SELECT NULLIF(n % 40, 0), 'flash_sale', ('{"n": ' || n || ', "ratio": ' || n / 8.0 || '}')::json, ${at} - n * interval '37 milliseconds'
FROM generate_series(1, 500) n`,
  },
];

const catalogue = (seed: number): Change[] => [
  {
    table: 'products',
    kind: 'inserted',
    sql: `INSERT INTO public.products (sku, title, price, attributes, active)
SELECT 'NEW-${seed}-' || n, 'Novelty “' || n || '”', n * 9.99, '{"new": true}', true FROM generate_series(1, 2) n`,
  },
  {
    table: 'products',
    kind: 'updated',
    sql: `UPDATE public.products SET price = price + 0.01, active = NOT active, updated_at = now() AT TIME ZONE 'UTC'
WHERE sku IN (${some('products', 'sku', 15, seed)})`,
  },
];

/** Only in tables that are synced in full does a deletion reach the warehouse by itself. */
const fullySynced = (seed: number): Change[] => [
  {
    table: 'stock',
    kind: 'deleted',
    sql: `DELETE FROM public.stock WHERE sku IN (${some('stock', 'sku', 2, seed)})`,
  },
  {
    table: 'stock',
    kind: 'inserted',
    sql: `INSERT INTO public.stock SELECT 'NEW-${seed}-' || n, location, 10 * n, 0, NULL FROM generate_series(1, 2) n, generate_series(1, 2) location`,
  },
  {
    table: 'stock',
    kind: 'updated',
    sql: `UPDATE public.stock SET on_hand = on_hand + 1 WHERE sku IN (${some('stock', 'sku', 40, seed + 1)})`,
  },
  {
    table: 'newsletter_signups',
    kind: 'deleted',
    sql: `DELETE FROM public.newsletter_signups WHERE ctid IN (SELECT ctid FROM public.newsletter_signups ORDER BY hashtextextended(email, ${seed}), ctid LIMIT 5)`,
  },
  {
    table: 'newsletter_signups',
    kind: 'inserted',
    sql: `INSERT INTO public.newsletter_signups SELECT 'twice.${seed}@example.com', 'fair', NULL, date '2026-01-01' + ${seed % 300} FROM generate_series(1, 2)`,
  },
  {
    table: 'countries',
    kind: 'updated',
    sql: `UPDATE public.countries SET vat_rate = coalesce(vat_rate, 0) + 0.25 WHERE code IN (${some('countries', 'code', 2, seed)})`,
  },
];

const hardValues = (seed: number): Change[] => [
  {
    table: 'Hard Values',
    kind: 'inserted',
    sql: `INSERT INTO public."Hard Values" (what, words, doc) VALUES ('added by ${seed}', E'\\\\N', '{"n": 9007199254740993}')`,
  },
  {
    table: 'Hard Values',
    kind: 'updated',
    sql: `UPDATE public."Hard Values" SET words = CASE WHEN words = '' THEN NULL ELSE '' END, updated_at = now() WHERE what = 'empty is not NULL'`,
  },
];
