import assert from 'node:assert/strict';
import type { Bench, TestJob } from './harness.ts';

export const SHOP = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE events (id bigserial PRIMARY KEY, body text);
  CREATE TABLE countries (code text PRIMARY KEY, name text);
  INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 300) n;
  INSERT INTO events (body) SELECT 'event ' || n FROM generate_series(1, 200) n;
  INSERT INTO countries VALUES ('DE', 'Deutschland'), ('FR', 'France'), ('JP', '日本');
  ANALYZE;`;
export const CHANGES = `
  UPDATE orders SET note = 'changed', updated_at = now() WHERE id <= 20;
  INSERT INTO orders (note) SELECT 'new ' || n FROM generate_series(1, 30) n;
  INSERT INTO events (body) SELECT 'new ' || n FROM generate_series(1, 30) n;
  UPDATE countries SET name = 'Germany' WHERE code = 'DE'`;

/** What tests do to jobs of this shop, on a bench. */
export const shopOn = (server: Bench) => ({
  async loaded(sql = SHOP, options = {}): Promise<TestJob> {
    const job = await server.job(sql, options);
    await job.setup();
    assert.equal((await job.run()).status, 'succeeded');
    return job;
  },

  async settled(job: TestJob): Promise<void> {
    await server.installation.cloud.idle();
    for (const [name, { value }] of (await job.read()).states) assert.equal(value.lease, undefined, `${name} is free`);
  },

  async becomesIdentical(job: TestJob): Promise<void> {
    const run = await job.run();
    assert.ok(run.status === 'succeeded' || run.status === 'idle', JSON.stringify(run));
    assert.deepEqual(await job.differing(), []);
  },

  functionNamed(word: string): string {
    const found = server.installation.cloud.stack
      .of('AWS::Lambda::Function')
      .filter(({ name }) => new RegExp(`${word}(?![a-z])`, 'i').test(name));
    assert.equal(found.length, 1, `one function is called ${word}: ${found.map(({ name }) => name)}`);
    return found[0]?.name ?? '';
  },
});
