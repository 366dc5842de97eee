import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import type pg from 'pg';
import { generate } from 'selfsigned';
import { connectSource } from '../../shared/source/connect.ts';
import { copyCompressed } from '../../shared/source/read.ts';
import { collect } from './collect.ts';
import { startTestServer, type TestServer } from './server.ts';

const certificates = mkdtempSync(join(tmpdir(), 'redshift-loader-tls-'));
let server: TestServer;
let url: string;

/** A certificate that nobody else vouches for. @returns its file */
async function certify(name: string, host: string, owner?: number): Promise<{ cert: string; key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: host }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: host }] },
    ],
  });
  const files = { cert: join(certificates, `${name}.crt`), key: join(certificates, `${name}.key`) };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  if (owner !== undefined) for (const file of Object.values(files)) chownSync(file, owner, -1);
  return files;
}

before(async () => {
  server = await startTestServer();
  const admin = await server.connect();
  const { rows } = await admin.query('SHOW data_directory');
  // The server runs as whoever owns its data, and takes a key from nobody else.
  const owner = statSync(rows[0].data_directory).uid;
  chownSync(certificates, owner, -1);
  const { cert, key } = await certify('server', 'localhost', owner);
  await admin.query(`ALTER SYSTEM SET ssl_cert_file = '${cert}'`);
  await admin.query(`ALTER SYSTEM SET ssl_key_file = '${key}'`);
  await admin.query('ALTER SYSTEM SET ssl = on');
  await admin.query('SELECT pg_reload_conf()');
  const { host, port, database, user, password } = admin;
  assert.equal(host, '127.0.0.1');
  url = `postgres://${user}:${password}@localhost:${port}/${database}`;
});
after(async () => {
  await server.stop();
  rmSync(certificates, { recursive: true });
});

const usesTls = async (client: pg.Client): Promise<boolean> => {
  const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  return rows[0].ssl;
};

test('sslmode=require encrypts, whoever signed the certificate; rows come through it whole', async () => {
  const client = await connectSource(`${url}?sslmode=require`);
  try {
    assert.ok(await usesTls(client));
    const parts: Buffer[] = [];
    const lines = "SELECT n || ' ' || md5(n::text) AS line FROM generate_series(1, 200000) n";
    assert.equal(await copyCompressed(client, `COPY (${lines}) TO STDOUT`, collect(parts)), 200_000);
    const { rows } = await client.query(`SELECT md5(string_agg(line, E'\\n') || E'\\n') FROM (${lines}) s`);
    const md5 = createHash('md5')
      .update(zstdDecompressSync(Buffer.concat(parts)))
      .digest('hex');
    assert.equal(md5, rows[0].md5);
  } finally {
    await client.end();
  }
});

test('sslmode=verify-full takes the certificate that sslrootcert vouches for, and no other', async () => {
  const known = join(certificates, 'server.crt');
  const client = await connectSource(`${url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(known)}`);
  assert.ok(await usesTls(client));
  await client.end();
  const { cert } = await certify('other', 'localhost');
  for (const query of ['sslmode=verify-full', `sslmode=verify-full&sslrootcert=${encodeURIComponent(cert)}`])
    await assert.rejects(connectSource(`${url}?${query}`), {
      name: 'SourceRefused',
      message: /^cannot reach localhost:\d+\/test – TLS failed: check sslmode and the server's certificate$/,
    });
});

test('sslmode=verify-full refuses a certificate of another host', async () => {
  const known = encodeURIComponent(join(certificates, 'server.crt'));
  const elsewhere = url.replace('@localhost:', '@127.0.0.1:');
  await assert.rejects(connectSource(`${elsewhere}?sslmode=verify-full&sslrootcert=${known}`), {
    name: 'SourceRefused',
    message: /TLS failed/,
  });
});
