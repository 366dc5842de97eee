import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import { copyCompressed } from '../../shared/source/read.ts';
import { startTestServer, type TestServer } from './server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => {
  await server.stop();
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
  const sink = new Writable({ write: (_bytes, _encoding, done) => done() });
  await client.query('BEGIN; SAVEPOINT one_table');
  const breaking = 'COPY (SELECT 1 / (5000 - n) FROM generate_series(1, 9000) n) TO STDOUT';
  await assert.rejects(copyCompressed(client, breaking, sink), { code: '22012' });
  await client.query('ROLLBACK TO SAVEPOINT one_table');
});
