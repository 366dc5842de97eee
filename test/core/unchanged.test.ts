import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shapeOf } from '../../shared/core/agree.ts';
import { whatWouldProve } from '../../shared/core/unchanged.ts';
import type { SourceTable } from '../../shared/model/catalog.ts';
import type { Compared } from '../../shared/model/compared.ts';
import type { TableState } from '../../shared/model/state.ts';
import { passOf, prices, snapshot, stateOf, watermark } from './samples.ts';

const table = { ...prices, shape: shapeOf(prices) };
const columns = prices.columns.map(({ source: name, sourceType: type }) => ({ name, type, nullable: true }));
const found = { kind: 'table', columns } as SourceTable;
const skip = { below: 40n, now: snapshot, except: [] };
const mark = watermark(prices, { rows: 7, treatment: 't' });
const ask = (
  change: {
    table?: object;
    state?: Partial<TableState>;
    found?: object;
    pass?: object;
    skip?: object;
    compared?: Compared;
  } = {},
) =>
  whatWouldProve(
    { table: { ...table, ...change.table }, update: null },
    stateOf(prices, { watermark: mark, ...change.state }),
    { ...found, ...change.found },
    passOf(prices, change.pass),
    { skip: { ...skip, ...change.skip }, treatment: 't', compared: change.compared },
  );
const typed = (type: object) => ({ columns: [{ ...columns[0], type: { ...columns[0]?.type, ...type } }] });

test('a full sync is spared if as many rows are there, none of them written since', () => {
  assert.deepEqual(ask(), { rows: 7, skip });
  for (const type of [
    { kind: 'enum', schema: 'public' },
    { name: '_int4', kind: 'array' },
    { schema: 'public', name: 'citext' },
  ])
    assert.ok(ask({ found: typed(type) }), JSON.stringify(type));
});

test('nothing is proved where another load may have come between, or the rows would be loaded otherwise', () => {
  const never = {
    'the last load was never seen to end': { state: { orphan: 'load/' } },
    'one is under way': { state: { lease: { owner: 'x', until: 0, load: 'load/' } } },
    'a reset asked for all': { state: { replaces: 'all' as const } },
    'half of it is loaded': { pass: { batches: 1 } },
    'other modes load by what is new': { table: { copyMode: 'INSERT_ONLY' } },
    'nothing is known of earlier rows': { skip: { below: null } },
    'a partition was attached': { skip: { except: [5] } },
    'it was counted by no full sync': { state: { watermark: { ...mark, rows: undefined } } },
    'other policies make other values': { state: { watermark: { ...mark, treatment: 'other' } } },
    'the warehouse has other columns': { table: { shape: 'other' } },
    'its rows are elsewhere': { found: { kind: 'foreign' } },
    'a view is made anew at once': { found: { kind: 'materialized view' } },
    'names of others': { found: typed({ name: 'regclass' }) },
    'lists of them': { found: typed({ name: '_regclass', kind: 'array' }) },
    'a setting': { found: typed({ name: 'money' }) },
    'attributes of a composite': { found: typed({ kind: 'composite', schema: 'public' }) },
    'composites in an array': { found: typed({ name: '_pair', kind: 'array', schema: 'public' }) },
  };
  for (const [why, change] of Object.entries(never)) assert.equal(ask(change as Parameters<typeof ask>[0]), null, why);
  const given = { skip, treatment: 't', compared: undefined };
  const state = stateOf(prices, { watermark: mark });
  assert.equal(whatWouldProve({ table, update: { columns: [] } }, state, found, passOf(prices), given), null);
});

test('what a comparison saw in the warehouse is put right by one more load', () => {
  const found = { missing: 0, extra: 0, different: 0, object: null, repaired: false };
  const seen = (change: Partial<Compared>): Compared => ({
    sourceName: 'Orders',
    verifyEnded: '2026-11-22T10:00:00.000Z',
    ...change,
  });
  const state = { completedAt: '2026-11-22T09:00:00.000Z' };
  const wrong = [
    seen({ found: { ...found, extra: 1 } }),
    seen({ suspects: { object: 'o', rows: 1, seen: '', repair: false, question: 'q' } }),
  ];
  for (const compared of wrong) {
    assert.equal(ask({ state, compared }), null);
    assert.ok(ask({ state: { completedAt: '2026-11-22T11:00:00.000Z' }, compared }));
  }
  assert.ok(ask({ state, compared: seen({ found }) }));
});
