import type { Table } from '../../shared/model/table.ts';
import type { Random } from './random.ts';

/** A second of the product's margins lasts this long here, so that a test's transactions, which live for milliseconds, outlast them. */
export const SECOND_MS = 0.4;
/** What writers change. */
export interface Changing {
  tables: string[];
  /** The job's, in such seconds: how far clocks of the application may lag. */
  scanBack: number;
}

/** A table of each kind that a mode has to cope with; each row belongs to a writer, so that two never wait for each other. */
export const SHOP = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, writer int NOT NULL, note text,
                       updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE notes (code text COLLATE "und-x-icu", writer int, body text, updated_at timestamptz,
                      PRIMARY KEY (code, writer));
  CREATE INDEX ON notes (updated_at);
  CREATE TABLE visits (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), writer int, place text, seen timestamp NOT NULL);
  CREATE INDEX ON visits (seen);
  CREATE SEQUENCE event_ids CACHE 50;
  CREATE TABLE events (id bigint PRIMARY KEY DEFAULT nextval('event_ids'), writer int NOT NULL, body text);
  CREATE TABLE stock (sku text PRIMARY KEY, writer int NOT NULL, amount numeric(12,2));
  CREATE TABLE carts (id bigserial PRIMARY KEY, writer int NOT NULL, item text,
                      updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON carts (updated_at);
  INSERT INTO orders (writer, note) SELECT n % 4, 'first ' || n FROM generate_series(1, 20) n;
  INSERT INTO notes SELECT 'n' || n, n % 4, 'first', CASE WHEN n % 5 > 0 THEN now() END FROM generate_series(1, 12) n;
  INSERT INTO visits (writer, place, seen) SELECT n % 4, 'first', now() AT TIME ZONE 'Europe/Berlin' FROM generate_series(1, 8) n;
  INSERT INTO events (writer, body) SELECT n % 4, 'first ' || n FROM generate_series(1, 20) n;
  INSERT INTO stock SELECT 's' || n, n % 4, n FROM generate_series(1, 12) n;
  INSERT INTO carts (writer, item) SELECT n % 4, 'first ' || n FROM generate_series(1, 20) n`;

/** What a person decides after setup. */
export const DECISIONS: Record<string, Partial<Table>> = {
  orders: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at' },
  notes: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at' },
  visits: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'seen', timezone: 'Europe/Berlin' },
  events: { copyMode: 'INSERT_ONLY', updatedKey: null },
  stock: { copyMode: 'FULL_DATA_SYNC', updatedKey: null },
  // Most of its rows may go between two comparisons, and go on purpose.
  carts: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at', deletes: 'remove', maxDeletedShare: 1 },
};

/** The tables whose deleted rows only a comparison of keys finds. */
export const RECONCILED = Object.keys(DECISIONS).filter((table) => DECISIONS[table]?.deletes === 'remove');

/**
 * One change by a writer, to its own rows of one of the tables.
 * @param me the writer's mark: another after it has prepared a transaction, which goes on holding its rows
 */
export function change(random: Random, { tables, scanBack }: Changing, me: number): string {
  const lag = `random() * interval '${SECOND_MS * scanBack * 0.9} ms'`;
  const text = random.weighted([
    [6, `'${random.below(1e6)}'`],
    [1, "''"],
    [1, 'NULL'],
  ]);
  const rows = random.weighted([
    [8, 1],
    [2, 3],
    [0.5, 16],
  ]);
  // Few: what is changed once more arrives after all, and hides that it was missed.
  const mine = `writer = ${me} AND random() < 0.06`;
  const changes: Record<string, [number, string][]> = {
    orders: [
      [4, `INSERT INTO orders (writer, note) SELECT ${me}, ${text} FROM generate_series(1, ${rows})`],
      [3, `UPDATE orders SET note = ${text}, updated_at = now() WHERE ${mine}`],
    ],
    notes: [
      [
        2,
        `INSERT INTO notes SELECT 'k' || ${random.below(1e9)} || '-' || n, ${me}, ${text}, clock_timestamp() - ${lag} FROM generate_series(1, ${rows}) n`,
      ],
      [2, `INSERT INTO notes VALUES ('Z' || ${random.below(1e9)}, ${me}, ${text}, NULL)`],
      // The application's clock may take a row's stamp back, and away.
      [2, `UPDATE notes SET body = ${text}, updated_at = now() - ${lag} WHERE ${mine}`],
      [1, `UPDATE notes SET body = ${text}, updated_at = NULL WHERE ${mine}`],
    ],
    visits: [
      [
        2,
        // Ties, and stamps rounded up and down: a moment shared by thousands.
        `INSERT INTO visits (writer, place, seen) SELECT ${me}, ${text}, date_trunc('milliseconds', now() AT TIME ZONE 'Europe/Berlin') FROM generate_series(1, ${rows})`,
      ],
      [1, `UPDATE visits SET place = ${text}, seen = now() AT TIME ZONE 'Europe/Berlin' WHERE ${mine}`],
    ],
    events: [[4, `INSERT INTO events (writer, body) SELECT ${me}, ${text} FROM generate_series(1, ${rows})`]],
    stock: [
      [
        1,
        `INSERT INTO stock SELECT 'x' || ${random.below(1e9)} || n, ${me}, random() * 100 FROM generate_series(1, ${rows}) n`,
      ],
      [1, `UPDATE stock SET amount = amount + 1 WHERE ${mine}`],
      [1, `DELETE FROM stock WHERE writer = ${me} AND random() < 0.1`],
    ],
    carts: [
      [3, `INSERT INTO carts (writer, item) SELECT ${me}, ${text} FROM generate_series(1, ${rows})`],
      [2, `UPDATE carts SET item = ${text}, updated_at = now() WHERE ${mine}`],
      [2, `DELETE FROM carts WHERE ${mine}`],
    ],
  };
  return random.weighted(tables.flatMap((table) => changes[table] ?? []));
}
