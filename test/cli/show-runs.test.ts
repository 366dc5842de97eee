import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, type Result } from '../../cli/commands.ts';

const table = { table: 'events', status: 'succeeded' as const, rows: 5, bytes: 9, seconds: 1 };
const run: Result<'runs.show'> = {
  runId: 'r1',
  trigger: 'hand',
  scheduledTime: '2026-11-22T10:00:00Z',
  startedAt: '2026-11-22T10:00:00Z',
  status: 'succeeded',
  warnings: [],
  expected: [],
  expiresAt: 0,
  tables: [],
};
const shown = (change: object) =>
  COMMANDS['runs.show'].show({ ...run, tables: [{ ...table, ...change }] }, { color: false, width: 200 });

test('a run shows which tables were spared, whose rows are of several moments, and which ids are no longer waited for', () => {
  assert.match(shown({}), /events +succeeded +5/);
  assert.match(shown({ rows: 0, unchanged: true }), /events +unchanged +0/);
  assert.match(shown({ snapshots: 3 }), /events +succeeded, of 3 snapshots +5/);
  assert.match(
    shown({ gapsGivenUp: 12 }),
    /warnings +events: 12 ranges of missing ids, the lowest, are no longer waited for/,
  );
});

test('values that policies changed are told in a sentence each, with their table and columns', () => {
  const changed = { emptyBinary: 1 };
  assert.match(
    shown({ changed, changedColumns: { bytes: changed } }),
    /changed +events: 1 value of no bytes became NULL in column bytes \(policy emptyBinary\)\n/,
  );
});

test('tables without anything new are counted, not listed', () => {
  const { show } = COMMANDS['runs.show'];
  const style = { color: false, width: 200 };
  assert.match(
    show({ ...run, tables: [table], nothingNew: 12 }, style),
    /succeeded.*\n {2}12 tables had nothing new\n$/,
  );
  assert.match(show({ ...run, status: 'idle', nothingNew: 1 }, style), /\n\n {2}1 table had nothing new\n$/);
  assert.doesNotMatch(show(run, style), /nothing new/);
});

test('why a table failed is told to its end, where it says what to do', () => {
  const error = `SourceShrank: events: ${'the source has few rows, '.repeat(20)}: reset the table`;
  const { show } = COMMANDS['runs.show'];
  const told = show(
    { ...run, status: 'failed', tables: [{ ...table, status: 'failed', error }] },
    { color: false, width: 80 },
  );
  assert.equal(told.replaceAll(/\s+/g, ' ').includes(error.replaceAll(/\s+/g, ' ')), true, told);
});
