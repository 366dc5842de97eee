import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from './harness.ts';

const server = bench();

const EVENTS = `
  CREATE TABLE events (id bigint NOT NULL, day date NOT NULL, note text, updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE INDEX ON events (updated_at);
  CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE TABLE tmp_2 (LIKE events INCLUDING ALL);
  CREATE TABLE tmp_3 (LIKE events INCLUDING ALL);
  INSERT INTO events SELECT n, '2026-01-10', 'here ' || n FROM generate_series(1, 50) n;
  INSERT INTO tmp_2 SELECT n, '2026-02-10', 'just now ' || n FROM generate_series(51, 60) n;
  INSERT INTO tmp_3 SELECT n, '2026-03-10', 'long ago ' || n, '2001-02-03' FROM generate_series(61, 70) n;`;

test('rows of a partition that is attached arrive, however old their transactions and their updated_at are', async () => {
  const job = await server.job(EVENTS);
  await job.setup();
  await job.run();
  await job.source.query("ALTER TABLE events ATTACH PARTITION tmp_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')");
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(run.tables.events?.rows, 10, 'and no other is moved again');
  assert.deepEqual(await job.differing(), []);

  await job.source.query("ALTER TABLE events ATTACH PARTITION tmp_3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')");
  await job.source.query("CREATE TABLE events_4 PARTITION OF events FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')");
  assert.equal((await job.run()).tables.events?.rows, 10);
  assert.deepEqual(await job.differing(), []);
  assert.equal((await job.run()).status, 'idle');
});
