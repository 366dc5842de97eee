import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, type Result } from '../../cli/commands.ts';

const guessed = { copyMode: 'FULL_DATA_SYNC' as const, primaryKey: [], updatedKey: null, why: '' };
const grants = ['GRANT USAGE ON SCHEMA "public" TO "reader";'];
const setup: Result<'jobs.setup-status'> = {
  setupId: 's1',
  job: 'shop',
  status: 'succeeded',
  startedAt: '2026-11-22T10:00:00Z',
  error: null,
  output: { tables: 100, added: 100, created: 100, checks: [], grants, refused: [] },
  tables: Array.from({ length: 100 }, (_, i) => ({
    table: `t${i}`,
    ...guessed,
    checks: [
      `may not be read: GRANT USAGE ON SCHEMA "public" TO "reader"; GRANT SELECT ON "public"."t${i}" TO "reader";`,
      ...(i === 7 ? ['no index leads on updated_at'] : []),
    ],
  })),
};
const shown = (change: Partial<typeof setup>) =>
  COMMANDS['jobs.setup-status'].show({ ...setup, ...change }, { color: false, width: 100 });

test('a setup of a hundred tables tells what many have in common once, and what is to be run in one place', () => {
  const text = shown({});
  assert.match(text, /tables +100\n/);
  assert.match(text, /to run there +GRANT USAGE ON SCHEMA "public" TO "reader";\n/);
  assert.match(text, / {2}! t0, t1, t2, t3, t4 and 95 others: may not be read: see to run there\n/);
  assert.match(text, / {2}! t7: no index leads on updated_at\n/);
  assert.match(text, /Next: tables show shop t0 tells/);
  assert.ok(text.split('\n').length < 15, text);
});

test('a setup that failed, or found nothing, names no next step', () => {
  assert.match(shown({ status: 'failed', error: 'why', output: null, tables: [] }), /failed\n +error +why\n$/);
  assert.doesNotMatch(shown({ tables: [] }), /Next/);
});

test('where tables are refused, what is in the way comes first', () => {
  const refused = ['BadConfiguration: t0: too wide'];
  const text = shown({ output: { tables: 100, added: 100, created: 99, checks: [], grants, refused } });
  assert.match(text, /refused +BadConfiguration: t0: too wide\n/);
  assert.match(
    text,
    /Next: what is refused above, then jobs setup shop once more; jobs run shop copies the other tables\n$/,
  );
  const [first] = setup.tables;
  const alone = shown({
    output: { tables: 1, added: 1, created: 0, checks: [], grants, refused },
    tables: first ? [first] : [],
  });
  assert.match(alone, /once more\n$/, 'there are no others to be copied');
});
