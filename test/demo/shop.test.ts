import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { changeShop } from '../../local/demo/changes.ts';
import { createShop } from '../../local/demo/shop.ts';
import { type Postgres, startPostgres } from '../../local/postgres.ts';
import { choose } from '../../shared/core/guess.ts';
import { readCatalog } from '../../shared/source/catalog.ts';

const ROWS = 20_000;
const now = new Date('2026-11-22T12:00:00Z');

let server: Postgres;
let dir: string;
let shop: pg.Client;
const clients: pg.Client[] = [];
const connect = async (database: string) => {
  const client = new pg.Client(await server.createDatabase(database));
  await client.connect();
  clients.push(client);
  return client;
};
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shop-'));
  // As root, Postgres runs as another user, who must be able to enter.
  await chmod(dir, 0o755);
  server = await startPostgres({ dir, name: 'shop' });
  shop = await connect('shop');
  await createShop(shop, { rows: ROWS, now });
});
after(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await server.stop();
  await rm(dir, { recursive: true });
});

const TABLES = [
  'Hard Values',
  'countries',
  'customers',
  'events',
  'newsletter_signups',
  'order_items',
  'orders',
  'payments',
  'products',
  'stock',
];

/** Of every table, the rows and a hash over them all. */
const contents = async (client: pg.Client) => {
  const found = new Map<string, { rows: number; hash: string }>();
  for (const table of TABLES) {
    const { rows } = await client.query<{ rows: number; hash: string }>(
      `SELECT count(*)::int AS rows, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text COLLATE "C"), '')) AS hash FROM "${table}" t`,
    );
    if (rows[0]) found.set(table, rows[0]);
  }
  return found;
};
const total = (found: Map<string, { rows: number }>) => [...found.values()].reduce((sum, { rows }) => sum + rows, 0);

test('the shop has as many rows as were asked for, most of them orders', async () => {
  const found = await contents(shop);
  assert.equal(total(found), ROWS);
  assert.equal(Math.max(...[...found.values()].map(({ rows }) => rows)), found.get('orders')?.rows);
  for (const [table, { rows }] of found) assert.ok(rows > 0, table);
});

test('the same size and time give the same shop, byte by byte', async () => {
  const twin = await connect('twin');
  await createShop(twin, { rows: ROWS, now });
  assert.deepEqual(await contents(twin), await contents(shop));
  const later = await connect('later');
  await createShop(later, { rows: ROWS, now: new Date('2026-11-23T12:00:00Z') });
  assert.notEqual((await contents(later)).get('orders')?.hash, (await contents(shop)).get('orders')?.hash);
});

test('an odd size is met as well, and one that is too small is refused', async () => {
  const odd = await connect('odd');
  await createShop(odd, { rows: 5_003, now });
  assert.equal(total(await contents(odd)), 5_003);
  await assert.rejects(createShop(odd, { rows: 99, now }), /at least 5000 rows, not 99/);
});

test('a second shop in the same database is refused, and the first one stays as it was', async () => {
  const before = await contents(shop);
  await assert.rejects(createShop(shop, { rows: ROWS, now }), /already exists/);
  assert.deepEqual(await contents(shop), before);
});

test('setup guesses every copy mode, and every table that is read by updated_at has its index', async () => {
  const catalog = await readCatalog(shop, { schema: 'public', exclude: [] });
  const guesses = new Map(catalog.tables.map((table) => [table.name, choose(table)]));
  const mode = (table: string) => {
    const found = guesses.get(table);
    return found && [found.copyMode, found.primaryKey, found.updatedKey];
  };
  assert.deepEqual([...guesses.keys()].sort(), TABLES);
  assert.deepEqual(Object.fromEntries(TABLES.map((table) => [table, mode(table)])), {
    'Hard Values': ['INSERT_AND_UPDATE', ['id'], 'updated_at'],
    countries: ['FULL_DATA_SYNC', ['code'], null],
    customers: ['INSERT_AND_UPDATE', ['id'], 'updated_at'],
    events: ['INSERT_ONLY', ['id'], null],
    newsletter_signups: ['FULL_DATA_SYNC', [], null],
    order_items: ['INSERT_AND_UPDATE', ['order_id', 'line_no'], 'updated_at'],
    orders: ['INSERT_AND_UPDATE', ['id'], 'updated_at'],
    payments: ['INSERT_AND_UPDATE', ['id', 'paid_on'], 'updated_at'],
    products: ['INSERT_AND_UPDATE', ['sku'], 'updated_at'],
    stock: ['FULL_DATA_SYNC', ['sku', 'location'], null],
  });
  for (const table of catalog.tables) {
    if (guesses.get(table.name)?.updatedKey) assert.ok(table.indexedColumns.includes('updated_at'), table.name);
  }
});

test('no row was changed less than an hour before, nor before it was made', async () => {
  for (const table of ['customers', 'orders', 'order_items', 'payments', 'products', 'Hard Values']) {
    const { rows } = await shop.query(`SELECT max(updated_at)::timestamptz AS latest FROM "${table}"`);
    assert.ok(rows[0].latest.getTime() <= now.getTime() - 59 * 60_000, table);
  }
  const { rowCount } = await shop.query('SELECT FROM orders WHERE updated_at < placed_at');
  assert.equal(rowCount, 0);
});

test('every line belongs to an order, every order to a customer, every payment to its month', async () => {
  const stray = async (sql: string) => assert.equal((await shop.query(sql)).rowCount, 0, sql);
  await stray('SELECT FROM order_items i WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = i.order_id)');
  await stray('SELECT FROM order_items i WHERE NOT EXISTS (SELECT FROM products p WHERE p.sku = i.sku)');
  await stray('SELECT FROM orders o WHERE NOT EXISTS (SELECT FROM customers c WHERE c.id = o.customer_id)');
  await stray('SELECT FROM payments p WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = p.order_id)');
  await stray('SELECT FROM payments_other');
});

test('changes are what they say: ids are new, deletions only where a full sync sees them', async () => {
  const before = await contents(shop);
  const highest = async () =>
    (await shop.query<{ id: number }>('SELECT max(id)::int AS id FROM orders')).rows[0]?.id ?? 0;
  const highestBefore = await highest();
  const changes = await changeShop(shop, { now });
  const after = await contents(shop);
  assert.deepEqual(
    changes.map(({ table }) => table),
    TABLES,
  );
  for (const { table, inserted, updated, deleted } of changes) {
    assert.equal((after.get(table)?.rows ?? 0) - (before.get(table)?.rows ?? 0), inserted - deleted, table);
    assert.ok(inserted + updated + deleted > 0, table);
    if (!['stock', 'newsletter_signups'].includes(table)) assert.equal(deleted, 0, table);
  }
  // A draw from the sequence seeds the changes: one id is left out.
  assert.equal(await highest(), highestBefore + 1 + (changes.find(({ table }) => table === 'orders')?.inserted ?? 0));
  assert.equal((await shop.query("SELECT FROM orders WHERE note = 'never happened'")).rowCount, 0);
});

test('a row that was changed says so by its updated_at', async () => {
  const { rows } = await shop.query<{ start: string }>('SELECT now()::text AS start');
  const before = await shop.query<{ id: string; was: string }>('SELECT id, (o.*)::text AS was FROM orders o');
  const was = new Map(before.rows.map((row) => [row.id, row.was]));
  await changeShop(shop, { now });
  const after = await shop.query<{ id: string; is: string; fresh: boolean }>(
    `SELECT id, (o.*)::text AS is, updated_at >= $1 AS fresh FROM orders o`,
    [rows[0]?.start],
  );
  const changed = after.rows.filter((row) => was.get(row.id) !== row.is);
  assert.ok(changed.length > 200);
  assert.ok(changed.every((row) => row.fresh));
});

test('every call does something else', async () => {
  const first = await contents(shop);
  await changeShop(shop, { now });
  const second = await contents(shop);
  await changeShop(shop, { now });
  const third = await contents(shop);
  for (const table of TABLES) {
    assert.notEqual(second.get(table)?.hash, first.get(table)?.hash, table);
    assert.notEqual(third.get(table)?.hash, second.get(table)?.hash, table);
  }
});

test('events are only ever inserted, as the statistics show', async () => {
  await shop.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await shop.query(
    "SELECT n_tup_upd::int AS u, n_tup_del::int AS d FROM pg_stat_user_tables WHERE relname = 'events'",
  );
  assert.deepEqual(rows, [{ u: 0, d: 0 }]);
});
