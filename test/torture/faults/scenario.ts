import type { Table } from '../../../shared/model/table.ts';

/**
 * Small tables of each copy mode, which ride together; two large ones, of several batches of several chunks; and one from
 * which rows are removed that the source deleted: as many as it takes for all faults there are. A last one is empty, but where
 * its upload takes several parts. `labels` gets other columns.
 */
export const SOURCE = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE notes (code text PRIMARY KEY, body text, updated_at timestamptz);
  CREATE INDEX ON notes (updated_at);
  CREATE TABLE events (id bigserial PRIMARY KEY, body text);
  CREATE TABLE countries (code text PRIMARY KEY, name text);
  CREATE TABLE lines (id bigserial PRIMARY KEY, item text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON lines (updated_at);
  CREATE TABLE prices (code text PRIMARY KEY, price int);
  CREATE TABLE stock (sku text PRIMARY KEY, amount int, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON stock (updated_at);
  CREATE TABLE files (id int PRIMARY KEY, body text);
  CREATE TABLE labels (id bigserial PRIMARY KEY, label varchar(1), updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON labels (updated_at);
  INSERT INTO orders (note) SELECT 'order ' || n FROM generate_series(1, 30) n;
  INSERT INTO notes SELECT 'n' || n, CASE WHEN n % 4 > 0 THEN 'first' END, now() FROM generate_series(1, 20) n;
  INSERT INTO events (body) SELECT 'event ' || n FROM generate_series(1, 30) n;
  INSERT INTO countries VALUES ('DE', 'Deutschland'), ('FR', NULL), ('JP', '日本');
  INSERT INTO lines (item) SELECT 'line ' || n FROM generate_series(1, 60) n;
  INSERT INTO prices SELECT 'p' || n, n FROM generate_series(1, 30) n;
  INSERT INTO stock SELECT 's' || n, n, now() - interval '1 day' FROM generate_series(1, 5000) n`;

/** What a person decides after setup. */
export const DECISIONS: Record<string, Partial<Table>> = {
  orders: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at' },
  notes: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at' },
  events: { copyMode: 'INSERT_ONLY', updatedKey: null },
  countries: { copyMode: 'FULL_DATA_SYNC', updatedKey: null },
  lines: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at', rowLimit: 20, chunkSize: 10 },
  prices: { copyMode: 'FULL_DATA_SYNC', updatedKey: null, rowLimit: 20, chunkSize: 10 },
  stock: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at', deletes: 'remove' },
  files: { copyMode: 'FULL_DATA_SYNC', updatedKey: null, minShare: 0, rowLimit: 420, chunkSize: 420 },
  labels: { copyMode: 'INSERT_AND_UPDATE', updatedKey: 'updated_at' },
};

/** Tables that are copied whole, and those that resets bring anew: what goes of them goes with what comes. */
export const READ = ['countries', 'prices', 'files', 'lines', 'events', 'orders'];

/** What happens at the source before each run: rows come, change, and go where that is followed by loads. */
export const CHANGES = `
  BEGIN;
  INSERT INTO orders (note) VALUES (NULL), ('new');
  UPDATE orders SET note = md5(random()::text), updated_at = now() WHERE id % 5 = 0;
  INSERT INTO notes VALUES ('k' || md5(random()::text), NULL, NULL);
  UPDATE notes SET body = md5(random()::text), updated_at = now() WHERE ctid IN (SELECT ctid FROM notes LIMIT 4);
  INSERT INTO events (body) SELECT md5(random()::text) FROM generate_series(1, 3);
  UPDATE countries SET name = md5(random()::text) WHERE code = 'DE';
  INSERT INTO lines (item) VALUES ('new');
  UPDATE lines SET item = md5(random()::text), updated_at = now() WHERE id % 2 = 0 AND id < 84;
  UPDATE prices SET price = price + 1;
  DELETE FROM prices WHERE ctid IN (SELECT ctid FROM prices LIMIT 1);
  INSERT INTO prices VALUES ('q' || md5(random()::text), 1);
  INSERT INTO stock VALUES ('t' || md5(random()::text), 1);
  COMMIT;
  SELECT pg_stat_force_next_flush()`;

/** Before each comparison of keys: rows that only the source lacks. */
export const DELETES = 'DELETE FROM stock WHERE ctid IN (SELECT ctid FROM stock LIMIT 2)';

/** Two chunks, each of more than a part of an upload holds, 16 MB, also when compressed: one is read while the other's upload ends. */
export const FILES = `
  DELETE FROM files;
  INSERT INTO files SELECT n, (SELECT string_agg(encode(sha512((n * m * random())::text::bytea), 'base64'), '') FROM generate_series(1, 650) m)
    FROM generate_series(1, 840) n`;
export const NO_FILES = 'DELETE FROM files';

/** A column that becomes longer, and one that is new: rows come that need both. */
export const NEW_COLUMNS = `
  DO $$
  DECLARE width int := (SELECT atttypmod - 3 FROM pg_attribute WHERE attrelid = 'labels'::regclass AND attname = 'label');
  BEGIN
    EXECUTE format('ALTER TABLE labels ALTER label TYPE varchar(%s), ADD COLUMN c%s int', width, width);
    EXECUTE format('INSERT INTO labels (label, c%s) VALUES (repeat(''x'', %s), 1)', width, width);
  END $$`;

/** A table that setup has not met. */
export const NEW_TABLE = `
  DROP TABLE IF EXISTS extra;
  CREATE TABLE extra (id bigserial PRIMARY KEY, body text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON extra (updated_at);
  INSERT INTO extra (body) SELECT 'extra ' || n FROM generate_series(1, 5) n`;

/** In the warehouse's `$` schema: rows that are wrong, which loads don't come upon, and a verification does: of yesterday. */
export const DRIFT = `
  DELETE FROM $.stock WHERE sku IN (SELECT sku FROM $.stock WHERE updated_at < now() - interval '1 hour' LIMIT 1);
  UPDATE $.stock SET amount = -1 WHERE sku IN (SELECT sku FROM $.stock WHERE updated_at < now() - interval '1 hour' AND amount <> -1 LIMIT 1);
  INSERT INTO $.stock VALUES ('drifted ' || md5(random()::text), 1, now() - interval '1 day')`;

/** In the warehouse's `$` schema: the same in a table that is copied whole. */
export const DRIFT_WHOLE = `
  DELETE FROM $.prices WHERE code IN (SELECT code FROM $.prices LIMIT 1);
  UPDATE $.prices SET price = -1 WHERE code IN (SELECT code FROM $.prices LIMIT 1);
  INSERT INTO $.prices VALUES ('drifted', 1)`;

/** In the warehouse's `$` schema: what resets have to put right, all of a table or its rows from a point on. */
export const STALE = `
  INSERT INTO $.lines VALUES (-1, 'stale', now()) ON CONFLICT DO NOTHING;
  UPDATE $.prices SET price = -1 WHERE ctid IN (SELECT ctid FROM $.prices LIMIT 1);
  UPDATE $.events SET body = 'stale' WHERE id = 30;
  UPDATE $.orders SET note = 'stale' WHERE id = 30`;
