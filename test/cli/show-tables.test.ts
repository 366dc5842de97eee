import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS } from '../../cli/commands.ts';
import { overviewOf } from '../../functions/admin/tables/overview.ts';
import type { JobData } from '../../shared/aws/store.ts';
import type { Compared } from '../../shared/model/compared.ts';
import type { TableState } from '../../shared/model/state.ts';
import type { Table } from '../../shared/model/table.ts';
import { orders } from '../core/samples.ts';

const listed = (table: Partial<Table>, state: Partial<TableState>, compared: Partial<Compared>): string => {
  const { sourceName } = orders;
  const data = {
    tables: [{ ...orders, created: true, ...table }],
    broken: new Map(),
    states: new Map([
      [sourceName, { value: { sourceName, completedAt: '2026-11-29T02:00:00Z', ...state }, revision: 1 }],
    ]),
    compared: new Map([[sourceName, { sourceName, ...compared }]]),
  };
  const tables = overviewOf(data as unknown as JobData);
  return COMMANDS['tables.list'].show({ tables }, { color: false, width: 80 }).replaceAll(/\s+/g, ' ');
};

test('why a table is not loaded, or not compared, is told below the list, to its end', () => {
  const error = `TooManyDeletes: ${'the source lacks rows, '.repeat(20)}: check the source`;
  assert.match(listed({}, {}, {}), / well 2026-11-29 02:00:00 $/);
  assert.match(
    listed({}, { lastError: error, behindSince: '2026-11-29T02:00:00Z' }, {}),
    / behind .*: check the source $/,
  );
  assert.match(listed({ deletes: 'remove' }, {}, { reconcileError: error }), / not compared .*: check the source $/);
  assert.match(listed({ deletes: 'ignore' }, {}, { reconcileError: error }), / well 2026-11-29 02:00:00 $/);
  assert.match(listed({}, {}, { verifyError: error }), / not compared .*: check the source $/);
});

test('a reset tells which run does it, and from where', () => {
  const told = (change: object): string => {
    const reset = { table: 'orders', reset: { kind: 'reload' as const }, disabled: false };
    return COMMANDS['tables.reset'].show({ ...reset, ...change }, { color: false, width: 80 }).trim();
  };
  assert.equal(told({}), 'The next run loads all of orders again');
  assert.match(told({ disabled: true }), /^The table is disabled: the next run after it is enabled loads all/);
  const to = (point: string) => ({ reset: { kind: 'rewind', to: point, replace: false } });
  assert.match(told(to('3600')), /reads orders again beyond 3600$/);
  assert.match(told(to('-980')), /reads orders again beyond -980$/);
  assert.match(told(to('2026-11-28T10:00:00Z')), /reads orders again from 2026-11-28T10:00:00Z on$/);
});

const shown = (compared: Partial<Compared>): string => {
  const { sourceName } = orders;
  const result = { table: orders, version: 1, state: { sourceName }, compared: { sourceName, ...compared } };
  return COMMANDS['tables.show'].show(result as never, { color: false, width: 120 });
};

test("a table's page tells how many rows the last comparison of keys removed", () => {
  assert.match(shown({ reconcileEnded: '2026-11-29T02:00:00Z', deleted: 1_204 }), /rows removed +1,204\n/);
  assert.doesNotMatch(shown({}), /rows removed/);
});

test('while rows wait for a second look, what an earlier verification found is not told as the last one', () => {
  const before = {
    found: { missing: 7, extra: 0, different: 0, object: null, repaired: true },
    verifyEnded: '2026-11-29T02:00:00Z',
  };
  assert.match(shown(before), /it found +7 missing, repaired\n/);
  const suspects = { object: 'compare/x', rows: 3, seen: '2026-11-29T02:00:00Z', repair: false, question: 'q' };
  assert.match(
    shown({ ...before, suspects }),
    /it found +3 rows that differed, to be looked at again after the next load\n/,
  );
});
