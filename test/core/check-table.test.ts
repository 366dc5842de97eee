import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkTable, hasUniqueKey } from '../../shared/core/check-table.ts';
import { limitsOf } from '../../shared/core/limits.ts';
import type { SourceTable } from '../../shared/model/catalog.ts';
import { Job } from '../../shared/model/job.ts';
import type { Table } from '../../shared/model/table.ts';
import { events, orders } from './samples.ts';

const source: SourceTable = {
  schema: 'public',
  name: 'Orders',
  kind: 'table',
  oid: 1,
  columns: orders.columns.map((column) => ({
    name: column.source,
    type: column.sourceType,
    nullable: column.source === 'note',
  })),
  primaryKey: ['Id'],
  uniqueKeys: [],
  indexedColumns: ['Id'],
  sequences: [],
  stats: null,
  estimatedRows: 1,
  readable: true,
};
const refused = (table: Table, message: RegExp) =>
  assert.throws(() => checkTable(table, source), { name: 'BadConfiguration', message });

test('tables whose keys carry their mode pass', () => {
  checkTable(orders, source);
  checkTable(events, source);
  checkTable({ ...orders, copyMode: 'FULL_DATA_SYNC', primaryKey: [], updatedKey: null }, source);
});

test("a table is refused by name where its keys can't carry its mode, with what to do", () => {
  refused({ ...orders, primaryKey: [] }, /^Orders: has no primary key.*name one, or choose FULL_DATA_SYNC$/);
  refused({ ...orders, primaryKey: ['note'] }, /^Orders: the key column "note" may be NULL/);
  refused({ ...orders, primaryKey: ['gone'] }, /"gone" does not exist/);
  const [column] = source.columns;
  assert.ok(column);
  const unspeakable = { ...source, columns: [...source.columns, { ...column, name: '__proto__' }] };
  assert.throws(() => checkTable(orders, unspeakable), /^BadConfiguration: Orders: has a column __proto__.*rename it/);
  refused({ ...orders, updatedKey: null }, /needs an updatedKey/);
  refused({ ...orders, updatedKey: 'note' }, /"note" is text, not a timestamp/);
  refused({ ...events, primaryKey: ['updated_at'] }, /needs a single integer key/);
  refused({ ...events, primaryKey: ['Id', 'updated_at'] }, /needs a single integer key/);
});

test('INSERT_ONLY is refused where new keys come below the others', () => {
  const fedBy = (increment: number) => ({ ...source, sequences: [{ column: 'Id', cache: 1, increment }] });
  checkTable(events, fedBy(10));
  checkTable(orders, fedBy(-1));
  assert.throws(
    () => checkTable(events, fedBy(-1)),
    /^BadConfiguration: \S+: its key is fed by a sequence that counts down/,
  );
});

test('a key is unique where an index of the source covers no more than its columns', () => {
  const keyed = (primaryKey: string[]) =>
    hasUniqueKey({ ...orders, primaryKey }, { ...source, uniqueKeys: [['a', 'b']] });
  assert.deepEqual([['Id'], ['Id', 'note'], ['note'], ['a'], ['b', 'a']].map(keyed), [true, true, false, false, true]);
  assert.equal(hasUniqueKey({ ...orders, primaryKey: [] }, { ...source, primaryKey: [] }), false);
});

test("a table's own limits come before its job's, and the two have to go together", () => {
  const job = Job.parse({ jobId: 'j', secretArn: 'arn:x', destination: 'd', rowLimit: 1_000, chunkSize: 100 });
  assert.deepEqual(limitsOf(job, orders), { rowLimit: 1_000, chunkSize: 100 });
  assert.deepEqual(limitsOf(job, { ...orders, chunkSize: 500 }), { rowLimit: 1_000, chunkSize: 500 });
  assert.throws(() => limitsOf(job, { ...orders, rowLimit: 50 }), {
    name: 'BadConfiguration',
    message: /^Orders: .*rowLimit/,
  });
});
