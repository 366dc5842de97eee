import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminPorts } from '../../functions/admin/operation.ts';
import { admin } from '../../functions/admin.ts';
import { withoutPasswords } from '../../shared/model/redact.ts';

const STRING = `postgres://loader:o'"pw-that-nobody-sees@db.example.com:5432/orders`;
/** Nothing is reached: each of these is refused before. */
const NOTHING = { destinations: [], edits: { read: async () => null } } as unknown as AdminPorts;

test('whatever field a connection string was put into, its password is not repeated', async () => {
  const events: [string, Record<string, unknown>][] = [
    [STRING, {}],
    ['jobs.show', { jobId: STRING }],
    ['jobs.show', { jobId: 'orders', [STRING]: true }],
    ['jobs.create', { jobId: 'orders', destination: STRING, connectionString: STRING }],
    ['jobs.create', { jobId: 'orders', destination: 'here', connectionString: STRING, secretArn: STRING }],
    ['jobs.create', { jobId: 'orders', destination: 'here', connectionString: { STRING } }],
    ['jobs.edit', { jobId: 'orders', rowLimit: STRING }],
    ['tables.edit', { jobId: 'orders', table: 'orders', copyMode: STRING }],
    ['schedules.preview', { frequency: STRING, at: STRING, timezone: STRING }],
  ];
  for (const [operation, input] of events) {
    const answer = await admin({ operation, input }, NOTHING);
    assert.equal(answer.ok, false);
    assert.doesNotMatch(JSON.stringify(answer), /pw-that/, JSON.stringify(input));
  }
});

test('the example that our own messages give stays, unless a password follows it', () => {
  const advice = 'the connection string is malformed: write postgres://user:password@host:5432/database, with %XX';
  assert.equal(withoutPasswords(advice), advice);
  assert.equal(withoutPasswords('postgres://user:password@host@db/shop'), 'postgres://…@db/shop');
});
