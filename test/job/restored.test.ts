import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import pg from 'pg';
import { type Postgres, startPostgres } from '../../local/postgres.ts';
import { verify } from '../../local/verify.ts';
import { done } from './admin-harness.ts';
import { bench } from './harness.ts';

const server = bench();
const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-restored-'));
/** The servers' own user owns both, also where tests run as root. */
const [data, copy] = [join(dir, 'data'), join(dir, 'copy')];
let own: Postgres | undefined;
after(async () => {
  await own?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const TABLES = `
  CREATE TABLE orders (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON orders (updated_at);
  CREATE TABLE countries (code text PRIMARY KEY);
  INSERT INTO orders (note) SELECT 'before ' || n FROM generate_series(1, 20) n;
  INSERT INTO countries VALUES ('DE'), ('FR');`;

/** The source's server on its folder as it is now; the job reads it from then on. */
async function start(): Promise<string> {
  own = await startPostgres({ dir: data, name: 'source' });
  return own.createDatabase('shop');
}

async function query(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  for (const sql of statements) await client.query(sql);
  await client.end();
}

test('a source whose disk was restored to an earlier state fails the tables that it would lose rows of, until they are loaded again', async () => {
  const first = await start();
  await query(first, TABLES);
  const { jobId, schema } = await server.job('SELECT', { url: () => first });
  await server.operator.setup(jobId);
  assert.equal((await server.operator.run(jobId)).status, 'succeeded');
  await own?.stop();
  execFileSync('cp', ['-a', data, copy]);

  const later = await start();
  const lost = Array.from({ length: 5 }, (_, i) => `INSERT INTO orders (note) VALUES ('lost ${i}')`);
  await query(later, ...lost, "INSERT INTO countries VALUES ('XX')");
  await server.operator.createJob(jobId, later, { destination: schema });
  assert.equal((await server.operator.run(jobId)).tables.orders?.rows, 5);
  await own?.stop();
  rmSync(data, { recursive: true });
  execFileSync('cp', ['-a', copy, data]);

  const restored = await start();
  await query(restored, "INSERT INTO orders (note) VALUES ('after')");
  await server.operator.createJob(jobId, restored, { destination: schema });
  const run = await server.operator.run(jobId);
  assert.equal(run.status, 'failed');
  assert.match(run.tables.orders?.error ?? '', /restored to an earlier state – re-load its tables from scratch/);

  await done(server, 'jobs.reset', { jobId, confirm: jobId });
  assert.equal((await server.operator.run(jobId)).status, 'succeeded');
  const { job, tables } = await server.operator.readJob(jobId);
  for (const [name, found] of await verify(job, tables, restored, server.installation.warehouse, schema)) {
    if (found instanceof Error) throw found;
    assert.deepEqual(
      [found.sourceRows, found.sourceChecksum],
      [found.warehouseRows, found.warehouseChecksum],
      `${name} is the same on both sides`,
    );
  }
});
