import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translate } from '../../local/redshift/dialect.ts';
import { mendStatements } from '../../shared/core/mend-statements.ts';
import { orders } from './samples.ts';

test('keys are compared with something behind them, since Redshift ignores blanks at the end of a text', () => {
  const mend = { nullMarker: '~n~', keys: { url: 's3://bucket/keys', rows: 1 }, rows: null };
  const sqls = mendStatements({ ...orders, primaryKey: ['Id', 'note'] }, mend, {
    schema: 'shop',
    copyRoleArn: 'arn:aws:iam::000000000000:role/copy',
  });
  for (const sql of sqls) translate(sql);
  const removal = sqls.find((sql) => sql.startsWith('DELETE')) ?? assert.fail();
  const comparisons = removal.slice(removal.indexOf(' WHERE ')).split(' AND ');
  assert.equal(comparisons.length, 2);
  for (const one of comparisons) assert.match(one, /\|\| '\.' = loader_keys\."k\d" \|\| '\.'$/);
});
