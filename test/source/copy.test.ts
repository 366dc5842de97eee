import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import type pg from 'pg';
import { CopyOut } from '../../shared/source/copy-out.ts';
import { copyCompressed } from '../../shared/source/read.ts';
import { collect } from './collect.ts';
import { startTestServer, type TestServer } from './server.ts';

const FRAME = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => {
  await server.stop();
});

const copied = async (client: pg.Client, sql: string) => {
  const parts: Buffer[] = [];
  const rows = await client.query(new CopyOut(sql, collect(parts))).written;
  return { rows, text: Buffer.concat(parts).toString() };
};

/** Rows of all lengths: headers and rows end anywhere in what a read brings. */
const lines = (count: number, longest: number) =>
  `SELECT n || ',' || repeat('ä', (n::bigint * 7919 % ${longest})::int) FROM generate_series(1, ${count}) n`;

async function expected(client: pg.Client, sql: string): Promise<string> {
  const { rows } = await client.query({ text: sql, rowMode: 'array' });
  return rows.map(([line]) => `${line}\n`).join('');
}

test('compressed output is one frame with all rows, however many and however long', async () => {
  const client = await server.connect();
  for (const [count, longest] of [
    [0, 1],
    [1, 5],
    [7, 90_000],
    [3_000, 300],
    [40, 70_000],
    [20_000, 20],
  ] as const) {
    const parts: Buffer[] = [];
    assert.equal(await copyCompressed(client, `COPY (${lines(count, longest)}) TO STDOUT`, collect(parts)), count);
    const bytes = Buffer.concat(parts);
    assert.equal(bytes.lastIndexOf(FRAME), 0, `one frame of ${count} rows`);
    assert.equal(zstdDecompressSync(bytes).toString(), await expected(client, lines(count, longest)));
  }
});

test('a slow sink holds the rows back, and loses none', async () => {
  const client = await server.connect();
  const sql = lines(60_000, 100);
  const parts: Buffer[] = [];
  let waiting = 0;
  const sink = collect(parts, async () => {
    waiting = Math.max(waiting, sink.writableLength);
    await delay(5);
  });
  assert.equal(await client.query(new CopyOut(`COPY (${sql}) TO STDOUT`, sink)).written, 60_000);
  assert.equal(Buffer.concat(parts).toString(), await expected(client, sql));
  assert.ok(waiting < 1_000_000, `at most ${waiting} bytes waited, of ${Buffer.concat(parts).length}`);
});

test("what the server says in between reaches pg's own parser, and is no row", async () => {
  const client = await server.connect();
  const notices: (string | undefined)[] = [];
  client.on('notice', ({ message }) => notices.push(message));
  await client.query(`CREATE FUNCTION pg_temp.said(n int) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN IF n % 1000 = 0 THEN RAISE NOTICE 'row %', n; END IF; RETURN n; END $$`);
  const { rows, text } = await copied(
    client,
    'COPY (SELECT pg_temp.said(n) FROM generate_series(1, 3000) n) TO STDOUT',
  );
  assert.equal(rows, 3_000);
  assert.deepEqual(
    text.trim().split('\n').map(Number),
    Array.from({ length: 3_000 }, (_, i) => i + 1),
  );
  assert.deepEqual(notices, ['row 1000', 'row 2000', 'row 3000']);
  assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
});

test('an upload that breaks ends its session at once: nothing waits for rows that nobody reads', {
  timeout: 20_000,
}, async () => {
  const client = await server.connect();
  const sink = new Writable({ write: (_bytes, _encoding, done) => done(new Error('the upload failed')) });
  const endless = 'COPY (SELECT md5(generate_series(1, 1000000000)::text)) TO STDOUT';
  await assert.rejects(copyCompressed(client, endless, sink), /the upload failed/);
  await assert.rejects(client.query('ROLLBACK'), /not queryable/);
});

test('a COPY that Postgres refuses half-way leaves the session usable', async () => {
  const client = await server.connect();
  await client.query('BEGIN; SAVEPOINT one_table');
  const breaking = 'COPY (SELECT 1 / (5000 - n) FROM generate_series(1, 9000) n) TO STDOUT';
  await assert.rejects(copyCompressed(client, breaking, collect([])), { code: '22012' });
  await client.query('ROLLBACK TO SAVEPOINT one_table');
  assert.equal((await copied(client, 'COPY (SELECT 1) TO STDOUT')).text, '1\n');
});

test('a connection that is cut half-way is an error, not an end', { timeout: 20_000 }, async () => {
  const client = await server.connect();
  client.on('error', () => undefined);
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  const other = await server.connect();
  let cut: Promise<unknown> | undefined;
  const sink = new Writable({
    write(_bytes, _encoding, done) {
      cut ??= other.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
      cut.then(() => done(), done);
    },
  });
  const endless = 'COPY (SELECT md5(generate_series(1, 1000000000)::text)) TO STDOUT';
  await assert.rejects(copyCompressed(client, endless, sink), /terminat/);
});
