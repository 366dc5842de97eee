import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRestored, loadedBelow } from '../../shared/core/already-loaded.ts';
import { snapshot } from './samples.ts';

const seen = (change = {}) => ({ oid: 1, snapshot: { ...snapshot, ...change } });
const now = (change = {}) => ({ ...snapshot, xmin: '200', xmax: '200', xip: [], ...change });

test('everything below the earlier snapshot is loaded where nothing was running then', () => {
  assert.equal(loadedBelow(seen({ xip: [] }), now(), 1), 110n);
});

test('a transaction that was running then and has ended since keeps all from its id on', () => {
  assert.equal(loadedBelow(seen(), now(), 1), 100n);
  assert.equal(loadedBelow(seen({ xip: ['105', '103'] }), now(), 1), 103n, 'the lowest counts, in whatever order');
});

test('a transaction that still runs hides nothing: its rows are not to be seen yet', () => {
  assert.equal(loadedBelow(seen(), now({ xip: ['100'] }), 1), 105n);
  assert.equal(loadedBelow(seen(), now({ xip: ['100', '105'] }), 1), 110n);
});

test('on a standby, which lists no running transactions, only what lies below xmin is sure', () => {
  assert.equal(loadedBelow(seen({ xip: [], standby: true }), now(), 1), 100n);
  assert.equal(loadedBelow(seen({ xip: [] }), now({ standby: true }), 1), 100n);
});

test('nothing is skipped in another incarnation of the database or of the table', () => {
  assert.equal(loadedBelow(seen(), now({ system: '8' }), 1), null);
  assert.equal(loadedBelow(seen(), now({ timeline: 2 }), 1), null);
  assert.equal(loadedBelow(seen(), now(), 2), null);
});

test('nothing is skipped once ids lie too far apart to be told from their successors of the next epoch', () => {
  const bound = 100n;
  assert.equal(loadedBelow(seen(), now({ xmax: String(bound + 1_000_000_000n) }), 1), bound);
  assert.equal(loadedBelow(seen(), now({ xmax: String(bound + 1_000_000_001n) }), 1), null);
});

test('ids are compared as numbers of any size', () => {
  const xmax = 2n ** 60n;
  assert.equal(
    loadedBelow(seen({ xmax: String(xmax), xip: [String(xmax - 1n)] }), now({ xmax: String(xmax + 9n) }), 1),
    xmax - 1n,
  );
});

test('a database whose ids went backwards is named as restored', () => {
  assert.throws(() => loadedBelow(seen(), now({ xmax: '109' }), 1), /restored to an earlier state – re-load/);
});

test('a table that goes by ids alone is told where the source may give them out again', () => {
  const events = { sourceName: 'events', copyMode: 'INSERT_ONLY' } as const;
  const before = { snapshot, key: '25' };
  for (const change of [{ timeline: 2 }, { system: '8' }])
    assert.match(
      describeRestored(events, before, now(change)) ?? '',
      /^events: the source was restored, .* ids up to 25 anew .* verify the table with repair/,
    );
  assert.equal(describeRestored(events, before, now()), null);
  assert.equal(describeRestored(events, null, now({ timeline: 2 })), null);
  assert.equal(describeRestored({ ...events, copyMode: 'INSERT_AND_UPDATE' }, before, now({ timeline: 2 })), null);
});
