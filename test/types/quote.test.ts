import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type pg from 'pg';
import { qualified, quoteIdentifier, quoteLiteral, quotePlainLiteral } from '../../shared/sql/quote.ts';
import { startTestServer, type TestServer } from '../source/server.ts';

let server: TestServer;
let client: pg.Client;
before(async () => {
  server = await startTestServer();
  client = await server.connect();
});
after(() => server?.stop());

const text = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('\\', "'", '"', '\n', 'n', 'x4', 'é', '😀', '$$', ';--', '?', ':a'),
      fc.string({ unit: 'binary' }),
    ),
  })
  .filter((s) => !s.includes('\0'));

/** Redshift reads a backslash as PostgreSQL 8.0 did, and as this setting still lets Postgres do. */
for (const setting of ['on', 'off']) {
  test(`a quoted value is the value again, with standard_conforming_strings ${setting}`, async () => {
    await client.query(`SET standard_conforming_strings = ${setting}; SET backslash_quote = on`);
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows } = await client.query<{ v: string }>(`SELECT ${quoteLiteral(value)}::text AS v`);
        assert.equal(rows[0]?.v, value);
        if (value.includes('\\')) return assert.throws(() => quotePlainLiteral(value), TypeError);
        const plain = await client.query<{ v: string }>(`SELECT ${quotePlainLiteral(value)}::text AS v`);
        assert.equal(plain.rows[0]?.v, value);
      }),
      { numRuns: 300 },
    );
  });
}

test('a quoted name is the name again', async () => {
  await fc.assert(
    fc.asyncProperty(
      text.filter((s) => s !== '' && Buffer.byteLength(s) <= 63),
      async (name) => {
        const { fields } = await client.query(`SELECT 1 AS ${quoteIdentifier(name)}`);
        assert.equal(fields[0]?.name, name);
      },
    ),
    { numRuns: 300 },
  );
});

test('quoting writes no more than it has to', () => {
  assert.equal(quoteIdentifier('we"ird'), '"we""ird"');
  assert.equal(qualified('public', 'a.b'), '"public"."a.b"');
  assert.equal(quoteLiteral("it's"), "'it''s'");
  assert.equal(quoteLiteral(''), "''");
  assert.equal(quoteLiteral('a\\b'), "('a' || CHR(92) || 'b')");
  assert.equal(quoteLiteral('\\'), '(CHR(92))');
});

test('what SQL text cannot carry is refused, not changed', () => {
  for (const quote of [quoteIdentifier, quoteLiteral, quotePlainLiteral]) {
    assert.throws(() => quote('a\0b'), /NUL/);
    assert.throws(() => quote('a\ud800b'), /surrogate/);
  }
  assert.throws(() => quoteIdentifier(''), /empty/);
});
