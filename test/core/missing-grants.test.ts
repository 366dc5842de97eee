import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingGrants } from '../../shared/core/missing-grants.ts';

const of = (name: string, change = {}) => ({ name, readable: true, schemaUsable: true, ...change });
const granted = (...tables: ReturnType<typeof of>[]) => missingGrants('sales', 'rea"der', tables);

test('only what is missing is to be granted, at one go where nothing may be read', () => {
  assert.deepEqual(granted(of('a'), of('b')), []);
  const hidden = { readable: false };
  assert.deepEqual(granted(of('a'), of('b', hidden)), ['GRANT SELECT ON "sales"."b" TO "rea""der";']);
  assert.deepEqual(granted(of('a', hidden), of('b', hidden)), [
    'GRANT SELECT ON ALL TABLES IN SCHEMA "sales" TO "rea""der";',
  ]);
  const closed = { readable: false, schemaUsable: false };
  assert.deepEqual(granted(of('a', closed)), [
    'GRANT USAGE ON SCHEMA "sales" TO "rea""der";',
    'GRANT SELECT ON ALL TABLES IN SCHEMA "sales" TO "rea""der";',
  ]);
  assert.deepEqual(granted(of('a', { rowSecurity: true })), ['ALTER ROLE "rea""der" BYPASSRLS;']);
});
