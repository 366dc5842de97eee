import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  confirmed,
  differing,
  guardDeletes,
  inTurn,
  mostRowsIn,
  Rows,
  surplusIn,
  suspectsIn,
  within,
} from '../../shared/core/drift.ts';
import { dueComparison } from '../../shared/core/due.ts';
import { verdictOn } from '../../shared/core/verification.ts';
import { type Compared, endedWell } from '../../shared/model/compared.ts';
import { Job } from '../../shared/model/job.ts';
import type { Table } from '../../shared/model/table.ts';
import { orders, prices, stateOf, watermark } from './samples.ts';

const side = (...rows: [key: string, digest: string][]): Rows => {
  const all = new Rows();
  for (const [key, digest] of rows) all.add([key], digest, '0a1');
  return all;
};
const told = (suspects: { key: string[]; what: string }[]) => suspects.map(({ key, what }) => `${what} ${key}`).sort();

test('buckets differ by count or sum, and those where the warehouse has too many rows come first', () => {
  const source = { a: [2, '5'], b: [3, '7'], c: [1, '1'], e: [4, '9'] } as const;
  const warehouse = { a: [2, '5'], b: [3, '8'], d: [1, '1'], e: [9, '9'] } as const;
  const differ = differing(source as never, warehouse as never);
  assert.deepEqual(differ, ['e', 'd', 'b', 'c']);
  assert.deepEqual(within(10, differ, [source, warehouse] as never), ['e', 'd']);
  assert.deepEqual(within(1, differ, [source, warehouse] as never), ['e'], 'one at least');
  assert.deepEqual(inTurn(['c', 'a', 'b'], 4), ['b', 'c', 'a']);
});

test('of what is not looked at it is told how much it is, and how much of it is too many at least', () => {
  const source = { a: [2, '5'], b: [3, '7'] } as const;
  const warehouse = { a: [6, '5'], b: [1, '8'], d: [1, '1'] } as const;
  assert.equal(surplusIn(['a', 'b', 'd'], source as never, warehouse as never), 5);
  assert.equal(mostRowsIn(['a', 'b', 'd'], source as never, warehouse as never), 10);
});

test('a table of which parts that differ were not looked at is not told to be identical, nor repaired', () => {
  const ended = { sourceName: 'orders', verifyBegun: at(60), verifyEnded: at(50) };
  const found = { missing: 0, extra: 0, different: 0, object: null, repaired: false };
  const verdict = (change: Partial<NonNullable<Compared['found']>>, left?: number) => {
    const covered = { rows: 5, values: 5, nextBucket: 0, ...(left ? { left } : {}) };
    const { status, error } = verdictOn(orders, { ...ended, found: { ...found, ...change }, covered }, null);
    return [status, error?.replace(/^(\d+ further rows).*/, '$1') ?? null];
  };
  assert.deepEqual(verdict({}), ['identical', null]);
  assert.deepEqual(verdict({}, 7), ['failed', '7 further rows']);
  assert.deepEqual(verdict({ missing: 1 }, 7), ['different', '7 further rows']);
  assert.deepEqual(verdict({ missing: 1, repaired: true }), ['repaired', null]);
  assert.deepEqual(verdict({ missing: 1, repaired: true }, 7), ['failed', '7 further rows']);
});

test('a comparison of keys that leaves some is due again at once', () => {
  const told = (unfinished: boolean) => endedWell({ kind: 'reconcile', unfinished }, NOW).reconcileEnded;
  assert.deepEqual([told(false), told(true)], [NOW.toISOString(), undefined]);
  assert.equal(endedWell({ kind: 'verify', unfinished: true }, NOW).verifyEnded, NOW.toISOString());
});

test('rows are missing, extra or different, and one that comes twice is different', () => {
  const source = side(['same', '1'], ['gone', '2'], ['other', '3'], ['twice', '4']);
  const warehouse = side(['same', '1'], ['other', '9'], ['twice', '4'], ['twice', '4'], ['more', '5']);
  assert.deepEqual(told(suspectsIn(source, warehouse)), [
    'different other',
    'different twice',
    'extra more',
    'missing gone',
  ]);
});

test('a suspect counts only if it differs again and the source has left it alone', () => {
  const first = suspectsIn(side(['a', '1'], ['b', '2'], ['c', '3']), side(['c', '0'], ['d', '4'], ['e', '5']));
  const again = confirmed(
    first,
    side(['a', '1'], ['b', '2'], ['c', '8'], ['e', '5']),
    side(['b', '2'], ['c', '0'], ['d', '4']),
  );
  assert.deepEqual(told(again), ['extra d', 'missing a'], 'b arrived, c and e changed');
});

test('a source that is empty, or lacks more than the share, deletes nothing', () => {
  const table = { ...orders, maxDeletedShare: 0.2 };
  guardDeletes(table, 20, { source: 80, warehouse: 100 });
  const refused = (extra: number, source: number, message: RegExp) =>
    assert.throws(() => guardDeletes(table, extra, { source, warehouse: 100 }), { name: 'TooManyDeletes', message });
  refused(21, 79, /lacks 21 rows, 21 % of the warehouse's 100, and maxDeletedShare is 20 %/);
  refused(5, 0, /the source has no rows at all/);
});

const NOW = new Date('2026-11-22T10:00:00Z');
const job = Job.parse({ jobId: 'j', secretArn: 'arn:x', destination: 'w' });
const at = (seconds: number) => new Date(NOW.getTime() - seconds * 1000).toISOString();
const due = (table: Partial<Table>, compared: Partial<Compared> = {}, settled = false) =>
  dueComparison(
    job,
    { ...orders, ...table },
    {
      state: stateOf(orders, { watermark: watermark(orders) }),
      compared: { sourceName: 'Orders', ...compared },
      settled,
      runId: 'run-2',
    },
    NOW,
  );

test('what a run is to compare no other begins, for as long as it may be about to; the run itself does when it is asked again', () => {
  const claimed = (runId: string, seconds: number) =>
    due({ verifyEvery: 60 }, { claimedBy: runId, claimedAt: at(seconds) });
  assert.equal(claimed('run-1', 1199), null);
  assert.equal(claimed('run-1', 1200)?.kind, 'verify');
  assert.equal(claimed('run-2', 1)?.kind, 'verify');
});

test('nothing is compared unless it was asked for, and then each time when its seconds are over', () => {
  assert.equal(due({}), null);
  assert.deepEqual(due({ verifyEvery: 60 }), { table: 'Orders', kind: 'verify', second: false });
  assert.equal(due({ verifyEvery: 60 }, { verifyEnded: at(59) }), null);
  assert.equal(due({ verifyEvery: 60 }, { verifyEnded: at(60) })?.kind, 'verify');
  assert.equal(due({ deletes: 'remove', reconcileEvery: 60 })?.kind, 'reconcile');
  assert.equal(due({ ...prices, deletes: 'remove' }), null, 'a full sync deletes by itself');
});

test('one comparison at a time: while one may run no other is begun', () => {
  assert.equal(due({ verifyEvery: 60, deletes: 'remove' }, { reconcileBegun: at(100) }), null);
  assert.equal(
    due({ verifyEvery: 60, deletes: 'remove' }, { reconcileBegun: at(8_000) })?.kind,
    'reconcile',
    'it died',
  );
  assert.equal(due({ verifyEvery: 60 }, { reconcileBegun: at(100), reconcileEnded: at(99) })?.kind, 'verify');
});

test('the second look comes once a pass, or a look that found nothing new, began after the first', () => {
  const suspects = { object: 'o', rows: 1, seen: '2026-11-22T09:30:00.000000Z', repair: false, question: 'q' };
  assert.equal(due({ verifyEvery: 60 }, { suspects }), null, 'the watermark was taken before');
  assert.equal(due({}, { suspects }, true)?.second, true);
  assert.equal(due({}, { suspects: { ...suspects, seen: '2026-11-22T09:00:00.000000Z' } })?.second, true);
});
