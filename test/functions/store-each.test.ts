import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeEach } from '../../functions/store-each.ts';
import type { StagedObject } from '../../shared/model/state.ts';

const object = (key: string): StagedObject => ({ key, rows: 1, bytes: 1 });

/** Objects that are read at once, and whose uploads end when told; and what happened, in order. */
function uploads(keys: string[]) {
  const happened: string[] = [];
  const ends = new Map(keys.map((key) => [key, Promise.withResolvers<StagedObject>()]));
  const all = async function* () {
    for (const key of keys) {
      happened.push(`${key} is read`);
      const stored = ends.get(key)?.promise ?? Promise.reject(new Error(key));
      yield { stored: stored.finally(() => happened.push(`${key} is there`)) };
    }
  };
  return {
    happened,
    all,
    end: (key: string) => ends.get(key)?.resolve(object(key)),
    fail: (key: string) => ends.get(key)?.reject(new Error(`${key} can't be stored`)),
  };
}

/** Long enough for whatever can go on to go on. */
const settled = () => new Promise((done) => setImmediate(done));

test('the next object is read while the upload of the one before ends, but not the one after it', async () => {
  const { happened, all, end } = uploads(['a', 'b', 'c']);
  const stored = storeEach(all());
  await settled();
  assert.deepEqual(happened, ['a is read', 'b is read']);
  end('a');
  await settled();
  assert.deepEqual(happened, ['a is read', 'b is read', 'a is there', 'c is read']);
  end('c');
  end('b');
  assert.deepEqual(await stored, ['a', 'b', 'c'].map(object));
});

test('an upload that fails is told, once the one after it has ended as well', async () => {
  const { happened, all, end, fail } = uploads(['a', 'b', 'c']);
  const stored = storeEach(all());
  stored.catch(() => happened.push('told'));
  await settled();
  fail('a');
  await settled();
  assert.ok(!happened.includes('told'), 'b is still being stored');
  end('b');
  await assert.rejects(stored, /a can't be stored/);
  assert.deepEqual(happened, ['a is read', 'b is read', 'a is there', 'b is there', 'told']);
});

test('where the source fails the upload before it ends first', async () => {
  const { happened, all, end } = uploads(['a']);
  const thenFails = async function* () {
    yield* all();
    throw new Error('the source went away');
  };
  const stored = storeEach(thenFails());
  stored.catch(() => happened.push('told'));
  await settled();
  assert.deepEqual(happened, ['a is read']);
  end('a');
  await assert.rejects(stored, /the source went away/);
  assert.deepEqual(happened, ['a is read', 'a is there', 'told']);
});

test('an upload that fails while the next is being read ends neither the reading nor the process, and is told then', async () => {
  const read = Promise.withResolvers<void>();
  const slow = async function* () {
    yield { stored: Promise.reject<StagedObject>(new Error("a can't be stored")) };
    await read.promise;
    yield { stored: Promise.resolve(object('b')) };
  };
  const stored = storeEach(slow());
  await settled();
  read.resolve();
  await assert.rejects(stored, /a can't be stored/);
});

test('where an upload fails, and then the source, the upload is told: no smaller chunk would mend it', async () => {
  const { all, fail } = uploads(['a']);
  const thenFails = async function* () {
    yield* all();
    throw new Error('the source took too long');
  };
  const stored = storeEach(thenFails());
  await settled();
  fail('a');
  await assert.rejects(stored, /a can't be stored/);
});
