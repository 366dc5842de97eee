import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_REMEMBERED } from '../../shared/core/fence.ts';
import { leaseFor } from '../../shared/core/lease.ts';
import { beginPass, reread } from '../../shared/core/pass.ts';
import { type Reset, resetState } from '../../shared/core/reset.ts';
import type { TableState } from '../../shared/model/state.ts';
import type { Table } from '../../shared/model/table.ts';
import { seenFor } from '../../shared/source/session.ts';
import { events, orders, passOf, prices, reading, snapshot, stateOf, watermark } from './samples.ts';

const NOW = new Date('2026-11-22T10:00:00Z');
const observed = {
  reading,
  snapshot,
  remembered: NOTHING_REMEMBERED,
  oid: 1,
  parts: [],
  unique: true,
  oneSnapshot: true,
  treatment: 't',
};
const loaded = (table: Table, change: Partial<TableState> = {}) =>
  stateOf(table, { watermark: watermark(table, table === events ? { key: '90' } : {}), ...change });
const rewind = (to: string, replace = false): Reset => ({ kind: 'rewind', to, replace });
const next = (table: Table, state: TableState) => beginPass(table, state, observed);

test('a table that is re-loaded is read whole and replaced, in every mode', () => {
  for (const table of [orders, events, prices]) {
    const state = resetState(table, loaded(table), { kind: 'reload' }, NOW);
    const pass = next(table, state);
    assert.deepEqual([pass.from, pass.cursor, pass.replaces], [null, null, 'all'], table.copyMode);
    assert.equal(state.behindSince, NOW.toISOString());
    assert.deepEqual(reread(table, state, pass, { now: snapshot, parts: [], gapDays: 7 }), {
      gaps: [],
      expired: [],
      skip: null,
    });
  }
});

test('a rewind to a time reads again from there on, what earlier snapshots saw included', () => {
  const before = loaded(orders, { watermark: watermark(orders, { newest: snapshot }) });
  const state = resetState(orders, before, rewind('2026-11-20T01:30:00.25+01:30'), NOW);
  assert.deepEqual(seenFor(state), [], 'a server that was restored to before need not have it');
  const pass = next(orders, state);
  assert.deepEqual([pass.walk, pass.from, pass.replaces], ['updated', '2026-11-20T00:00:00.250000Z', null]);
  assert.deepEqual(reread(orders, state, pass, { now: snapshot, parts: [], gapDays: 7 }).skip?.below, null);
  assert.deepEqual(
    next(orders, resetState(orders, loaded(orders), rewind('2026-11-20T00:00:00Z', true), NOW)).replaces,
    { beyond: '2026-11-20T00:00:00.000000Z' },
  );
});

test('a reset that waits can be corrected: to whatever point was reached before it', () => {
  const once = resetState(orders, loaded(orders), rewind('2020-01-01T00:00:00Z', true), NOW);
  const later = resetState(orders, once, rewind('2026-11-20T00:00:00Z'), NOW);
  assert.deepEqual([later.watermark?.fence, later.replaces], ['2026-11-20T00:00:00.000000Z', undefined]);
  const anew = resetState(orders, later, { kind: 'reload' }, NOW);
  assert.equal(anew.watermark, undefined);
  const back = resetState(orders, anew, rewind('2026-11-21T00:00:00Z'), NOW);
  assert.deepEqual([back.watermark?.fence, back.replaces], ['2026-11-21T00:00:00.000000Z', undefined]);
  assert.throws(
    () => resetState(orders, back, rewind('2027-01-01T00:00:00Z'), NOW),
    /ahead of the watermark 2026-11-22/,
  );
  assert.throws(() => resetState(orders, back, rewind('2026-02-30T00:00:00Z'), NOW), /is no time/);
});

test('a rewind to an id keeps the gaps below it', () => {
  const gap = (from: string, to: string) => ({ from, to, seen: '2026-11-22T00:00:00.000Z' });
  const gaps = [gap('5', '6'), gap('38', '45'), gap('70', '71')];
  const state = resetState(
    events,
    loaded(events, { watermark: watermark(events, { key: '90', gaps }) }),
    rewind('40'),
    NOW,
  );
  assert.deepEqual([state.watermark?.key, state.watermark?.gaps], ['40', [gap('5', '6'), gap('38', '40')]]);
  assert.equal(next(events, state).from, '40');
});

test('what a reset replaces is replaced by every try until a pass completes, and a later reset takes its place', () => {
  const first = resetState(orders, loaded(orders), rewind('2026-11-20T00:00:00Z', true), NOW);
  assert.equal(first.replaces, 'beyond');
  assert.equal(resetState(orders, first, rewind('2026-11-19T00:00:00Z'), NOW).replaces, undefined);
  assert.equal(
    next({ ...orders, updatedKey: 'created_at' }, first).replaces,
    'all',
    'by other keys there is no beyond',
  );
});

test('a table that a run works on is not reset; one whose run died is, and its statement stays remembered', () => {
  const busy = loaded(orders, { lease: leaseFor('run-1', NOW, 'load/run-1/'), pass: passOf(orders, { batches: 2 }) });
  assert.throws(() => resetState(orders, busy, { kind: 'reload' }, NOW), {
    name: 'TableBusy',
    message: /Orders is being loaded or compared by run-1: reset it when that has ended/,
  });
  const later = new Date(NOW.getTime() + 21 * 60_000);
  const state = resetState(orders, busy, { kind: 'reload' }, later);
  assert.deepEqual([state.lease, state.pass, state.orphan], [undefined, undefined, 'load/run-1/']);
});

test('a rewind that would lose rows, or knows no such point, is refused', () => {
  const refused = (table: Table, to: string, message: RegExp, state = loaded(table)) =>
    assert.throws(() => resetState(table, state, rewind(to), NOW), { name: 'BadConfiguration', message });
  refused(orders, '2026-11-22T09:00:00.000001Z', /ahead of the watermark 2026-11-22T09:00:00.000000Z/);
  refused(orders, '2026-11-20 10:00', /no time: give one with its zone/);
  refused(events, '91', /ahead of the watermark 90/);
  refused(events, 'ninety', /no id/);
  refused(prices, '2026-11-20T00:00:00Z', /copied whole/);
  refused(orders, '2026-11-20T00:00:00Z', /no watermark .* the next run loads all of it anyway/, stateOf(orders));
  refused(
    { ...orders, primaryKey: ['note'] },
    '2026-11-20T00:00:00Z',
    /no watermark .* by updated_at, note/,
    loaded(orders),
  );
});
