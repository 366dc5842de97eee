import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchAt, sumChanged } from '../../shared/core/batch.ts';
import { BEGINNING, type FenceReading, NOTHING_REMEMBERED } from '../../shared/core/fence.ts';
import { isFree, leaseFor, renewLease, takeLease } from '../../shared/core/lease.ts';
import { afterCommit, afterFailure } from '../../shared/core/outcome.ts';
import {
  beginPass,
  isRekeyed,
  type Observation,
  passAhead,
  reread,
  resumable,
  walksAll,
} from '../../shared/core/pass.ts';
import type { Batch, TableState, Watermark } from '../../shared/model/state.ts';
import { events, keysOf, orders, passOf, prices, reading, snapshot, stateOf, watermark } from './samples.ts';

const NOW = new Date('2026-11-22T10:00:00Z');
const observed: Observation = {
  reading,
  snapshot,
  remembered: NOTHING_REMEMBERED,
  oid: 1,
  parts: [],
  unique: true,
  oneSnapshot: true,
  treatment: 't',
};
const batch: Batch = {
  shape: 's',
  nullMarker: '~',
  objects: [{ key: 'a', rows: 5, bytes: 50 }],
  cursor: ['5'],
  last: false,
};
const run = { runId: 'r', rows: 1, bytes: 10, startedAt: '2026-11-22T09:59:00.000Z' };
const known = (change: Partial<TableState> = {}) => stateOf(orders, { watermark: watermark(orders), ...change });

test('a first pass reads everything by its key, and from the second on what is new by the updated key', () => {
  const first = beginPass(orders, stateOf(orders), observed);
  assert.deepEqual([first.walk, first.from, first.fresh], ['key', null, true]);
  const second = beginPass(orders, known(), observed);
  assert.deepEqual([second.walk, second.from, second.fresh], ['updated', watermark(orders).fence, false]);
  const onward = beginPass(events, stateOf(events, { watermark: watermark(events, { key: '7' }) }), observed);
  assert.deepEqual([onward.walk, onward.from, onward.next.key], ['key', '7', '7']);
  assert.equal(beginPass(prices, stateOf(prices, { watermark: watermark(prices) }), observed).walk, 'whole');
});

test('what will be the watermark is fixed when the pass begins, by the fence before its snapshot', () => {
  const { next } = beginPass(orders, known(), observed);
  assert.deepEqual(next, {
    mode: 'INSERT_AND_UPDATE',
    oid: 1,
    keys: keysOf(orders),
    key: null,
    taken: reading.now,
    ownClock: reading.ownClock,
    fence: reading.fence,
    snapshot,
  });
});

test('a source whose clock was set back since the last pass is read from what it may have shown since', () => {
  const minutesAgo = (minutes: number) => new Date(Date.parse(reading.ownClock) - minutes * 60_000).toISOString();
  const taken = watermark(orders, { fence: '2026-11-22T10:50:00.000000Z', ownClock: minutesAgo(10) });
  const least = new Date(Date.parse(reading.clock) - 600_000).toISOString().replace('Z', '000Z');
  const from = (mark: Watermark, change: Partial<FenceReading> = {}) => {
    const { from, next } = beginPass(orders, known({ watermark: mark }), {
      ...observed,
      reading: { ...reading, ...change },
    });
    return [from, next.fence];
  };
  assert.deepEqual(from(taken), [least, reading.fence]);
  assert.deepEqual(from(taken, { prepared: 1 }), [least, least], 'nor does the fence stand still in the future');
  assert.deepEqual(from(taken, { blind: 'a standby' }), [least, least]);
  const before = watermark(orders, { ownClock: minutesAgo(60) });
  assert.equal(from(before)[0], before.fence, 'a clock that goes on as ours does changes nothing');
  assert.equal(beginPass(orders, known({ watermark: before }), observed).next.ownClock, reading.ownClock);
});

test('a watermark of another mode, of other keys or of a table made anew starts the table over', () => {
  const over = (state: TableState, table = orders, oid = 1) => {
    const pass = beginPass(table, state, { ...observed, oid });
    assert.deepEqual([pass.walk, pass.from], ['key', null]);
    assert.deepEqual(reread(table, state, pass, { now: snapshot, parts: [], gapDays: 7 }), {
      gaps: [],
      expired: [],
      skip: null,
    });
  };
  over(known({ watermark: watermark(prices) }));
  over(known(), orders, 2);
  over(known(), { ...orders, updatedKey: 'created_at' });
  over(known(), { ...orders, primaryKey: ['Id', 'note'] });
});

test('a key can come twice where the source does not keep it unique, or where rows move along a walk of many snapshots', () => {
  const distinct = (change: Partial<Observation>, state = known()) =>
    beginPass(orders, state, { ...observed, ...change }).distinct;
  assert.equal(distinct({}), true);
  assert.equal(distinct({ unique: false }), false);
  assert.equal(distinct({ oneSnapshot: false }), false);
  assert.equal(distinct({ oneSnapshot: false }, stateOf(orders)), true, 'ranges of the key itself are disjoint');
});

const TREATMENT = 'as the table is now';

test('a pass goes on where its last batch was committed, unless it means other rows now', () => {
  const pass = passOf(orders, { batches: 2, cursor: ['9'] });
  const state = stateOf(orders, { pass });
  assert.equal(resumable(orders, state, 1, TREATMENT), pass);
  assert.equal(
    resumable(orders, stateOf(orders, { pass: { ...pass, batches: 0 } }), 1, TREATMENT),
    null,
    'nothing is committed',
  );
  assert.equal(resumable(orders, state, 2, TREATMENT), null, 'another table of the same name');
  assert.equal(resumable({ ...orders, copyMode: 'FULL_DATA_SYNC' }, state, 1, TREATMENT), null);
  const synced = passOf(prices, { ...pass, next: watermark(prices, { treatment: 'other' }) });
  assert.equal(resumable(prices, stateOf(prices, { pass: synced }), 1, TREATMENT), null, 'its values are other ones');
  assert.equal(
    resumable({ ...orders, primaryKey: ['Id', 'note'] }, state, 1, TREATMENT),
    null,
    'the cursor has other columns',
  );
});

test('a full sync begins anew when its stage may hold rows of a load that nobody saw the end of', () => {
  const pass = passOf(prices, { batches: 2, staged: 10 });
  const lease = leaseFor('dead', NOW, 'load/dead/');
  assert.equal(resumable(prices, stateOf(prices, { pass, lease }), 1, TREATMENT), null);
  assert.equal(afterFailure(stateOf(prices, { pass, lease }), 'why', NOW).pass, undefined);
  const reload = stateOf(orders, { pass: { ...passOf(orders, { batches: 2 }), replaces: 'all' }, lease });
  assert.equal(resumable(orders, reload, 1, TREATMENT), null, 'as does every pass that replaces');
  const waiting = stateOf(prices, { pass, lease: leaseFor('dead', NOW) });
  assert.equal(afterFailure(waiting, 'why', NOW).pass, pass, 'nothing was submitted: it goes on');
});

test('a table is free for its owner, and for others when its lease is gone or over', () => {
  const lease = leaseFor('me', NOW);
  const later = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);
  assert.equal(isFree(stateOf(orders), 'you', NOW), true);
  assert.equal(isFree(stateOf(orders, { lease }), 'me', NOW), true);
  assert.equal(isFree(stateOf(orders, { lease }), 'you', later(19.9)), false);
  assert.equal(isFree(stateOf(orders, { lease }), 'you', later(20)), true);
});

test('a lease is renewed by its owner alone, and only when little of it remains', () => {
  const state = stateOf(orders, { lease: leaseFor('me', NOW, 'load/1/') });
  const later = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);
  assert.equal(renewLease(state, 'me', later(5)), null);
  assert.deepEqual(renewLease(state, 'me', later(6))?.lease, leaseFor('me', later(6), 'load/1/'));
  assert.equal(renewLease(state, 'you', later(6)), null);
  assert.equal(renewLease(stateOf(orders), 'me', NOW), null);
});

test('whoever takes a table over inherits the statements that its last owner may have left running', () => {
  const mine = leaseFor('me', NOW, 'load/me/');
  const abandoned = stateOf(orders, { lease: leaseFor('dead', NOW, 'load/dead/') });
  assert.equal(takeLease(abandoned, mine).orphan, 'load/dead/');
  assert.equal(takeLease(stateOf(orders, { lease: leaseFor('me', NOW, 'load/me/') }), mine).orphan, undefined);
  assert.equal(takeLease(stateOf(orders, { lease: leaseFor('dead', NOW) }), mine).orphan, undefined);
});

test('an orphan is not forgotten when its heir dies before settling it', () => {
  const heir = takeLease(
    stateOf(orders, { lease: leaseFor('dead', NOW, 'load/dead/') }),
    leaseFor('heir', NOW, 'load/heir/'),
  );
  assert.equal(takeLease(heir, leaseFor('me', NOW, 'load/me/')).orphan, 'load/dead/');
  assert.equal(afterFailure(heir, 'died', NOW).orphan, 'load/dead/');
});

test('a committed batch moves the cursor, and only the last one the watermark', () => {
  const next = watermark(orders, { fence: reading.fence });
  const state = known({
    pass: passOf(orders, { next }),
    batch,
    lease: leaseFor('me', NOW, 'load/1/'),
    run,
    orphan: 'o',
    lastError: 'e',
  });
  const moved = afterCommit(state, NOW);
  assert.deepEqual(moved.watermark, watermark(orders));
  assert.deepEqual(moved.pass, { ...passOf(orders, { next }), cursor: ['5'], batches: 1, staged: 5 });
  assert.deepEqual(moved.lease, leaseFor('me', NOW), 'renewed, and its statement has ended');
  assert.deepEqual([moved.batch, moved.orphan, moved.run], [undefined, undefined, { ...run, rows: 6, bytes: 60 }]);

  const ended = afterCommit({ ...state, batch: { ...batch, last: true } }, NOW);
  assert.deepEqual(ended, {
    sourceName: 'Orders',
    watermark: next,
    completedAt: NOW.toISOString(),
    run: { ...run, rows: 6, bytes: 60, finishedAt: NOW.toISOString() },
  });
});

test('the batch ahead follows the committed one, and goes with one that fails', () => {
  const next = watermark(orders, { fence: reading.fence });
  const ahead = { ...batch, cursor: ['9'], nullMarker: '~2~' };
  const state = known({ pass: passOf(orders, { next }), batch, ahead, lease: leaseFor('me', NOW, 'load/1/'), run });
  assert.deepEqual(passAhead(orders, state, 1), passOf(orders, { next, cursor: ['5'], batches: 1, staged: 5 }));
  assert.equal(passAhead(orders, state, 2), null, 'the table was made anew');
  assert.equal(
    passAhead(orders, { ...state, batch: { ...batch, last: true } }, 1),
    null,
    'nothing comes after the last',
  );
  assert.deepEqual([batchAt(state, 0), batchAt(state, 1), batchAt(state, 2)], [batch, ahead, undefined]);

  const moved = afterCommit(state, NOW);
  assert.deepEqual([moved.batch, moved.ahead, batchAt(moved, 1)], [ahead, undefined, ahead]);
  const failed = afterFailure(state, 'why', NOW);
  assert.deepEqual([failed.batch, failed.ahead], [undefined, undefined]);
});

test('a full sync remembers how many rows it brought, over all its batches', () => {
  const state = stateOf(prices, { pass: passOf(prices, { batches: 2, staged: 10 }), batch: { ...batch, last: true } });
  assert.equal(afterCommit(state, NOW).watermark?.rows, 15);
});

test('a failure leaves the watermark and the last committed batch where they were, and gives the table back', () => {
  const pass = passOf(orders, { batches: 1, cursor: ['5'] });
  const state = known({ pass, batch, lease: leaseFor('me', NOW, 'load/1/'), run });
  assert.deepEqual(afterFailure(state, 'why', NOW), {
    sourceName: 'Orders',
    watermark: watermark(orders),
    pass,
    orphan: 'load/1/',
    run: { ...run, finishedAt: NOW.toISOString(), error: 'why' },
    behindSince: NOW.toISOString(),
    lastError: 'why',
  });
  assert.equal(
    afterFailure({ ...state, pass: passOf(orders) }, 'why', NOW).pass,
    undefined,
    'no batch: it begins anew',
  );
});

test("gaps are probed until their days are over, and once more then, and rows of the watermark's snapshot are skipped", () => {
  const young = { from: '5', to: '6', seen: '2026-11-20T00:00:00.000Z' };
  const old = { from: '1', to: '2', seen: '2026-11-01T00:00:00.000Z' };
  const state = stateOf(events, { watermark: watermark(events, { key: '9', gaps: [old, young] }) });
  const pass = beginPass(events, state, observed);
  assert.deepEqual(reread(events, state, pass, { now: snapshot, parts: [], gapDays: 7 }), {
    gaps: [old, young],
    expired: [old],
    skip: { below: 60n, now: snapshot, except: [] },
  });
});

test('a partition that was attached with rows is read from the beginning, whoever wrote them; an empty one only onward', () => {
  const [old, filled, empty] = [
    { oid: 5, empty: false },
    { oid: 6, empty: false },
    { oid: 7, empty: true },
  ];
  const state = known({ watermark: watermark(orders, { parts: [5] }) });
  const from = (parts: Observation['parts']) => beginPass(orders, state, { ...observed, parts });
  assert.equal(from([old]).from, watermark(orders).fence);
  assert.equal(from([old, empty]).from, watermark(orders).fence);
  assert.deepEqual([from([old, empty]).next.parts, walksAll(from([old, empty]))], [[5, 7], false]);
  assert.equal(from([old, filled]).from, BEGINNING);
  assert.equal(walksAll(from([old, filled])), true);
  const read = reread(orders, state, from([old, filled]), { now: snapshot, parts: [old, filled, empty], gapDays: 7 });
  assert.deepEqual(read.skip?.except, [6, 7]);
});

test('what was changed is told by the first of many objects: by each it would be too much for a payload', () => {
  const object = (key: string, rows: number) => ({ key, rows, bytes: 1, changed: { 0: { outOfRangeTime: rows } } });
  assert.deepEqual(sumChanged([object('a', 2), object('b', 3), { key: 'c', rows: 1, bytes: 1 }]), [
    { key: 'a', rows: 2, bytes: 1, changed: { 0: { outOfRangeTime: 5 } } },
    { key: 'b', rows: 3, bytes: 1 },
    { key: 'c', rows: 1, bytes: 1 },
  ]);
  assert.deepEqual(sumChanged([]), []);
});

test('rows that came by another primary key are replaced, whether their pass was complete or not', () => {
  const pass = passOf(orders);
  const rekeyed = { ...orders, primaryKey: ['note'] };
  assert.equal(isRekeyed(orders, { sourceName: 'orders', watermark: pass.next, pass }), false);
  assert.equal(isRekeyed(rekeyed, { sourceName: 'orders', watermark: pass.next }), true);
  assert.equal(isRekeyed(rekeyed, { sourceName: 'orders', pass }), true);
  assert.equal(isRekeyed({ ...orders, updatedKey: null }, { sourceName: 'orders', watermark: pass.next }), false);
});
