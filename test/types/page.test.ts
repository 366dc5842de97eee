import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { typesPage } from '../../shared/sql/types-page.ts';

test('docs/types.md says what the mapping does', () => {
  const page = readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8');
  assert.ok(page === typesPage(), 'docs/types.md is out of date: node shared/sql/types-page.ts > docs/types.md');
});
