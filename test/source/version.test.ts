import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkVersion } from '../../shared/source/connect.ts';

test('a server that is too old is refused by name, with what to do', () => {
  checkVersion(130_000, 'shop on db:5432');
  checkVersion(170_010, 'shop on db:5432');
  assert.throws(() => checkVersion(120_022, 'shop on db:5432'), {
    name: 'SourceRefused',
    message: "shop on db:5432 is PostgreSQL 12, which can't tell what a snapshot saw: upgrade it to 13 or newer",
  });
  assert.throws(() => checkVersion(90_624, 'x'), /PostgreSQL 9,/);
});
