import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { renderSetup, type SetupEntry } from '../../local/ui/setup.ts';

const orders: SetupEntry = {
  table: 'orders',
  copyMode: 'INSERT_AND_UPDATE',
  primaryKey: ['id'],
  updatedKey: 'updated_at',
  why: 'It has a primary key and updated_at.',
  checks: [],
};
const log: SetupEntry = {
  table: 'log',
  copyMode: 'FULL_DATA_SYNC',
  primaryKey: [],
  updatedKey: null,
  why: 'No key tells its rows apart, so the whole table is copied by every run, however little of it has changed.',
  checks: [
    'No index: CREATE INDEX CONCURRENTLY ON "public"."log" ("updated_at", "a_very_long_name_of_a_column");',
    'Ask.',
  ],
};

test('what was guessed, why, and what to check', () => {
  assert.deepEqual(renderSetup([orders, log], { color: false, width: 72 }).split('\n'), [
    '',
    '  Setup  2 new tables · 2 things to check',
    '',
    '  orders  INSERT_AND_UPDATE  key id, changes by updated_at',
    '    It has a primary key and updated_at.',
    '',
    '  log  FULL_DATA_SYNC  no key',
    '    No key tells its rows apart, so the whole table is copied by every',
    '    run, however little of it has changed.',
    '    ! No index: CREATE INDEX CONCURRENTLY ON "public"."log"',
    '      ("updated_at", "a_very_long_name_of_a_column");',
    '    ! Ask.',
    '',
  ]);
});

test('nothing to check is said, too', () => {
  assert.match(renderSetup([orders], { color: false, width: 80 }), /Setup {2}1 new table · nothing to check/);
});

test('colours change nothing but colours', () => {
  const colored = renderSetup([orders, log], { color: true, width: 80 });
  assert.notEqual(stripVTControlCharacters(colored), colored);
  assert.equal(stripVTControlCharacters(colored), renderSetup([orders, log], { color: false, width: 80 }));
});

test('what becomes of odd values is said once, below the tables', () => {
  const entry = {
    table: 'a',
    copyMode: 'FULL_DATA_SYNC' as const,
    primaryKey: [],
    updatedKey: null,
    why: 'why',
    checks: [],
  };
  const notes = ['x, y: NaN becomes NULL'];
  const text = renderSetup(
    [
      { ...entry, notes },
      { ...entry, table: 'b', notes },
    ],
    { color: false, width: 80 },
  );
  assert.match(text, /nothing to check/);
  assert.match(text, /\n {4}NaN becomes NULL \(2 tables\)\n/);
});

test('what is to be checked of the whole is counted with the rest, and stands at the end', () => {
  const text = renderSetup([orders], { color: false, width: 80 }, ['others see more']);
  assert.match(text, /Setup {2}1 new table · 1 thing to check\n/);
  assert.match(text, /\n {2}! others see more\n$/);
});
