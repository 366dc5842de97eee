import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEGINNING, type Checkpoint, decideFence, NOTHING_REMEMBERED, remember } from '../../shared/core/fence.ts';
import { reading } from './samples.ts';

const latest: Checkpoint = { time: '2026-11-22T09:59:00.000000Z', nextXid: '1000' };
const blind = { ...reading, blind: 'no right to see', checkpoint: latest };
const at = (minute: number): string => `2026-11-22T09:${String(minute).padStart(2, '0')}:00.000000Z`;

const seenBefore = (checkpoints: Checkpoint[]) => ({ ...NOTHING_REMEMBERED, checkpoints });

test('where all transactions can be seen the fence is what was read', () => {
  assert.equal(decideFence(reading, at(0), seenBefore([{ time: at(30), nextXid: '1' }]), '100'), reading.fence);
});

test('a prepared transaction makes the fence stand still, and so does one of before the clock was set back', () => {
  assert.equal(decideFence({ ...reading, prepared: 1 }, at(7), seenBefore([]), '100'), at(7));
  assert.equal(decideFence({ ...reading, ahead: 1 }, at(7), seenBefore([]), '100'), at(7));
  assert.equal(decideFence({ ...reading, prepared: 1 }, null, seenBefore([]), '100'), BEGINNING);
});

test('a blind fence is the newest checkpoint all of whose transactions have ended', () => {
  const seen: Checkpoint[] = [
    { time: at(10), nextXid: '90' },
    { time: at(11), nextXid: '100' },
    { time: at(12), nextXid: '101' },
  ];
  assert.equal(decideFence(blind, null, seenBefore(seen), '100'), at(11));
  assert.equal(decideFence(blind, null, seenBefore(seen), '1000'), latest.time, 'the one just read counts, too');
  assert.equal(decideFence(blind, null, seenBefore(seen), '89'), BEGINNING, 'none has: read from the beginning');
  assert.equal(
    decideFence(blind, null, seenBefore([{ time: at(1), nextXid: '9' }]), '10'),
    at(1),
    'ids are numbers, not text',
  );
});

test('a blind fence never falls behind what was known before', () => {
  assert.equal(decideFence(blind, at(20), seenBefore([{ time: at(10), nextXid: '90' }]), '100'), at(20));
});

test('a blind fence passes no open transaction: each began after the last look that did not see it', () => {
  const look = (minute: number, open: string[]) => {
    const checkpoint = { time: at(minute), nextXid: '1000' };
    return { ...blind, clock: at(minute), ownClock: at(minute), checkpoint, open };
  };
  let seen = remember(NOTHING_REMEMBERED, look(10, ['3/1']), '1000');
  assert.equal(decideFence(look(10, ['3/1']), null, NOTHING_REMEMBERED, '1000'), BEGINNING, 'it may be of any age');
  assert.equal(decideFence(look(20, ['4/7']), null, seen, '1000'), at(10));
  seen = remember(seen, look(20, ['4/7']), '1000');
  assert.deepEqual(seen.began, { '4/7': at(10) });
  assert.equal(decideFence(look(30, ['4/7', '5/1']), null, seen, '1000'), at(10));
  assert.equal(decideFence(look(30, ['5/1']), null, seen, '1000'), at(20));
  assert.equal(decideFence(look(30, []), null, seen, '1000'), at(30));
  assert.equal(decideFence(look(30, ['5/1']), null, seen, '89'), BEGINNING, 'of a writer the checkpoints tell');
});

test('what a blind fence remembers of a clock that was set back since counts no more', () => {
  const before = {
    checkpoints: [{ time: at(25), nextXid: '9' }],
    clock: at(30),
    ownClock: at(30),
    began: { '4/7': at(20) },
  };
  const checkpoint = { time: at(28), nextXid: '9' };
  const later = { ...blind, clock: at(40), ownClock: at(40), checkpoint, open: ['4/7'] };
  assert.equal(decideFence(later, null, before, '10'), at(20));
  const setBack = { ...later, clock: at(10) };
  assert.equal(decideFence(setBack, null, before, '10'), BEGINNING);
  assert.equal(
    decideFence({ ...setBack, open: [] }, null, before, '10'),
    BEGINNING,
    'nor does a checkpoint that lies ahead',
  );
  assert.deepEqual(remember(before, setBack, '10'), {
    checkpoints: [checkpoint],
    clock: at(10),
    ownClock: at(40),
    began: { '4/7': BEGINNING },
  });
  const { ownClock: _untold, ...untold } = before;
  assert.equal(decideFence(setBack, null, untold, '10'), BEGINNING, 'its checkpoint lies ahead, too');
});

test('checkpoints are kept from the newest that has ended on, each once', () => {
  const seen = [1, 2, 3].map((n) => ({ time: at(n), nextXid: String(n * 10) }));
  const fourth = { time: at(4), nextXid: '40' };
  const kept = remember(seenBefore(seen), { ...blind, checkpoint: fourth }, '25');
  assert.deepEqual(kept.checkpoints, [...seen.slice(1), fourth]);
  assert.deepEqual(remember(kept, { ...blind, checkpoint: fourth }, '25'), kept);
});

test('under a transaction of many hours those kept stay few, with the oldest and the newest among them', () => {
  let seen: Checkpoint[] = [];
  for (let n = 1; n <= 1_000; n++)
    seen = remember(
      seenBefore(seen),
      {
        ...blind,
        checkpoint: { time: `2026-11-22T09:00:00.${String(n).padStart(6, '0')}Z`, nextXid: String(n + 10) },
      },
      '12',
    ).checkpoints;
  assert.ok(seen.length <= 180, `${seen.length} are kept`);
  assert.equal(seen.at(-1)?.nextXid, '1010');
  assert.equal(seen[0]?.nextXid, '12', 'the fence still finds the newest run that has ended');
  assert.deepEqual(
    seen.map(({ time }) => time).toSorted(),
    seen.map(({ time }) => time),
  );
});
