import assert from 'node:assert/strict';
import type { Bench, TestJob } from './harness.ts';

/** The warehouse's columns, with their types. */
export const columnsOf = async (job: TestJob, table: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (
      await job.rows(`SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
        WHERE attrelid = '$.${table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`)
    ).map(({ name, type }) => [name, type]),
  );

/** A run that succeeds. */
export async function runs(job: TestJob) {
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  return run;
}

const SHOP = `
  CREATE TYPE mood AS ENUM ('sad');
  CREATE TABLE orders (id bigserial PRIMARY KEY, note varchar(10), gone text, old_name text, feeling mood, flag boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT now(), nth int);
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE events (LIKE orders INCLUDING ALL); ALTER TABLE events DROP COLUMN updated_at;
  CREATE SEQUENCE event_ids OWNED BY events.id; ALTER TABLE events ALTER COLUMN id SET DEFAULT nextval('event_ids');
  CREATE TABLE prices (LIKE orders INCLUDING ALL); ALTER TABLE prices DROP COLUMN updated_at;
  INSERT INTO orders (note, gone, old_name, feeling) SELECT 'note ' || n, 'gone ' || n, 'name ' || n, 'sad' FROM generate_series(1, 20) n;
  INSERT INTO events (note, gone, old_name, feeling) SELECT note, gone, old_name, feeling FROM orders;
  INSERT INTO prices SELECT id, note, gone, old_name, feeling FROM orders;`;
/** One of each mode. */
export const TABLES = ['orders', 'events', 'prices'];
export const each = (sql: string) => TABLES.map((table) => sql.replaceAll('$t', table)).join(';');

export async function loadedShop(server: Bench, more = {}): Promise<TestJob> {
  const job = await server.job(SHOP, more);
  await job.setup();
  await job.edit('events', { copyMode: 'INSERT_ONLY' });
  await runs(job);
  assert.deepEqual(await job.differing(), []);
  return job;
}
