import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adopt, agree, comparedColumns, refuseChanged, shapeOf } from '../../shared/core/agree.ts';
import { alterationsOf } from '../../shared/core/alterations.ts';
import { type ColumnChange, compareColumns } from '../../shared/core/column-changes.ts';
import type { PgType, SourceColumn, SourceTable } from '../../shared/model/catalog.ts';
import type { Column, Mask } from '../../shared/model/column.ts';
import { Job } from '../../shared/model/job.ts';
import type { TableState } from '../../shared/model/state.ts';
import type { Table } from '../../shared/model/table.ts';
import { mapType } from '../../shared/sql/types.ts';
import { orders, passOf, prices, stateOf, watermark } from './samples.ts';

const NOW = new Date('2026-11-22T10:00:00Z');
const job = (change = {}) => Job.parse({ jobId: 'j', secretArn: 'arn:x', destination: 'd', ...change });
const digits = (precision: number, scale: number) => ((precision << 16) | scale) + 4;

const type = (name: string, typmod = -1, change: Partial<PgType> = {}): PgType => ({
  name,
  schema: 'pg_catalog',
  kind: 'base',
  typmod,
  declared: typmod < 0 ? name : `${name}(${typmod})`,
  ...change,
});
const agreed = (source: string, attnum: number, pg: PgType): Column => ({
  source,
  name: source.toLowerCase(),
  sourceType: pg,
  type: mapType(pg).type,
  attnum,
});
const seen = (name: string, attnum: number, pg: PgType, change: Partial<SourceColumn> = {}): SourceColumn => ({
  name,
  attnum,
  type: pg,
  nullable: true,
  preset: false,
  ...change,
});
const ID = seen('Id', 1, type('int8'), { nullable: false });
const NOTE = seen('note', 2, type('text'));
const STAMP = seen('updated_at', 3, type('timestamptz'));
const table: Table = {
  ...orders,
  columns: [ID, NOTE, STAMP].map(({ name, attnum = 0, type: pg }) => agreed(name, attnum, pg)),
};
const found = (...columns: SourceColumn[]): SourceTable => ({
  schema: 'public',
  name: 'Orders',
  kind: 'table',
  oid: 1,
  columns,
  primaryKey: ['Id'],
  uniqueKeys: [],
  indexedColumns: ['Id'],
  sequences: [],
  stats: null,
  estimatedRows: 1,
  readable: true,
});
const loaded = stateOf(orders, { watermark: watermark(orders) });
const compare = (columns: SourceColumn[], of: Partial<Table> = {}, sameTable = true) =>
  compareColumns({ ...table, ...of }, found(...columns), { sameTable, loaded: true });
const kinds = (changes: ColumnChange[]) => changes.map(({ kind, column }) => `${kind} ${column}`);

/** What becomes of a column of one type when it is another, and what the warehouse's is from then on. */
const becomes = (was: PgType, now: PgType): [string, string | undefined] => {
  const before = { ...table, columns: [agreed('c', 1, was)] };
  const { changes, columns } = compareColumns(before, found(seen('c', 1, now)), { sameTable: true, loaded: true });
  return [changes[0]?.kind ?? 'same', columns[0]?.type];
};

test('order, nullability and the values of an enum have no effect', () => {
  const same = compare([STAMP, { ...NOTE, nullable: false }, ID]);
  assert.deepEqual([same.changes, same.columns], [[], table.columns]);
});

test('a type that the column of the warehouse holds stays; a longer VARCHAR is widened; any other is told apart', () => {
  const [varchar20, varchar30] = [type('varchar', 24), type('varchar', 34)];
  assert.deepEqual(becomes(varchar20, varchar30), ['widened', 'VARCHAR(120)']);
  assert.deepEqual(becomes(varchar20, type('text')), ['widened', 'VARCHAR(65535)']);
  assert.deepEqual(becomes(type('uuid'), type('text')), ['widened', 'VARCHAR(65535)']);
  assert.deepEqual(becomes(varchar30, varchar20), ['restated', 'VARCHAR(120)']);
  assert.deepEqual(becomes(type('text'), varchar20), ['restated', 'VARCHAR(65535)']);
  assert.deepEqual(becomes(type('json'), type('jsonb')), ['restated', 'SUPER']);
  assert.deepEqual(becomes(type('int8'), type('int4')), ['restated', 'BIGINT']);
  assert.deepEqual(becomes(type('int4'), type('int8')), ['retyped', 'BIGINT']);
  assert.deepEqual(becomes(type('numeric', digits(12, 2)), type('numeric', digits(10, 2)))[0], 'restated');
  assert.deepEqual(becomes(type('numeric', digits(10, 2)), type('numeric', digits(12, 2)))[0], 'retyped');
  assert.deepEqual(becomes(type('numeric', digits(12, 2)), type('numeric', digits(12, 1)))[0], 'retyped', 'rounded');
  assert.deepEqual(becomes(type('timestamp', 3), type('timestamp'))[0], 'restated');
  assert.deepEqual(becomes(type('timestamp'), type('timestamp', 0))[0], 'retyped', 'rounded');
  assert.deepEqual(becomes(type('timestamp'), type('timestamptz'))[0], 'retyped');
  assert.deepEqual(becomes(varchar20, type('bpchar', 24))[0], 'retyped', 'padded');
  assert.deepEqual(becomes(type('bpchar', 24), type('bpchar', 34))[0], 'retyped', 'padded anew');
  assert.deepEqual(becomes(type('text'), type('int4'))[0], 'retyped');
  assert.deepEqual(becomes(type('mood', -1, { kind: 'enum' }), type('mood', -1, { kind: 'enum' }))[0], 'same');
});

test('a numeric that was profiled stays what it was found to be', () => {
  const profiled = { ...table, columns: [{ ...agreed('c', 1, type('numeric')), type: 'DECIMAL(12,2)' }] };
  const { changes, columns } = compareColumns(profiled, found(seen('c', 1, type('numeric'))), {
    sameTable: true,
    loaded: true,
  });
  assert.deepEqual([changes, columns[0]?.type], [[], 'DECIMAL(12,2)']);
});

test('a column that came is partial where older rows may hold more than NULL in it', () => {
  const extra = seen('Extra', 4, type('int4'));
  const plain = compare([ID, NOTE, STAMP, extra]);
  assert.deepEqual(plain.changes, [{ kind: 'added', column: 'Extra', now: 'int4', partial: false }]);
  assert.deepEqual(plain.columns.at(-1), agreed('Extra', 4, type('int4')));
  const preset = compare([ID, NOTE, STAMP, { ...extra, preset: true }]);
  assert.equal(preset.columns.at(-1)?.partial, true);
  assert.deepEqual(comparedColumns(preset), table.columns, 'and is not compared');
  const fresh = compareColumns(table, found(ID, NOTE, STAMP, { ...extra, preset: true }), {
    sameTable: true,
    loaded: false,
  });
  assert.equal(fresh.columns.at(-1)?.partial, undefined, 'nothing is loaded yet');
});

test('a mask that comes or goes is told, and the column is partial; one whose type does not fit has to be replaced', () => {
  const masking = (pg: PgType, was: Mask | undefined, now: Mask | undefined) => {
    const before: Column = {
      ...agreed('c', 1, pg),
      ...(was === 'sha256' ? { type: 'VARCHAR(64)' } : {}),
      ...(was ? { mask: was } : {}),
    };
    const treat: Table['treat'] = now ? { c: now } : {};
    const of = { ...table, columns: [before], treat };
    const { changes, columns } = compareColumns(of, found(seen('c', 1, pg)), { sameTable: true, loaded: true });
    const [column] = columns;
    return [changes[0]?.kind ?? 'same', column?.type, column?.mask, column?.partial];
  };
  const [text, int, short] = [type('text'), type('int4'), type('varchar', 9)];
  assert.deepEqual(masking(text, undefined, 'sha256'), ['treated', 'VARCHAR(65535)', 'sha256', true]);
  assert.deepEqual(masking(short, undefined, 'sha256'), ['treated', 'VARCHAR(64)', 'sha256', true]);
  assert.deepEqual(masking(int, undefined, 'sha256'), ['retyped', 'VARCHAR(64)', 'sha256', undefined]);
  assert.deepEqual(masking(int, undefined, 'null'), ['treated', 'INTEGER', 'null', true]);
  assert.deepEqual(masking(int, 'null', undefined), ['treated', 'INTEGER', undefined, true]);
  assert.deepEqual(masking(text, 'sha256', undefined), ['treated', 'VARCHAR(65535)', undefined, true]);
  assert.deepEqual(masking(short, 'sha256', undefined), ['treated', 'VARCHAR(64)', undefined, true]);
  assert.deepEqual(masking(int, 'sha256', undefined), ['retyped', 'INTEGER', undefined, undefined]);
  assert.deepEqual(masking(int, 'sha256', 'sha256'), ['same', 'VARCHAR(64)', 'sha256', undefined]);
});

test('a column that is excluded is remembered, and partial when it comes back', () => {
  const without = compare([ID, NOTE, STAMP], { treat: { note: 'exclude' } });
  assert.deepEqual(without.excluded, ['note']);
  const never = compare([ID, NOTE, STAMP], {
    columns: [ID, STAMP].map((one) => agreed(one.name, one.attnum ?? 0, one.type)),
    excluded: ['note'],
  });
  assert.deepEqual(never.changes, [{ kind: 'added', column: 'note', now: 'text', partial: true }]);
  const again = compare([ID, NOTE, STAMP], { excluded: ['note'] });
  assert.deepEqual(again.changes, [{ kind: 'treated', column: 'note', now: undefined, partial: true }]);
  assert.deepEqual(again.excluded, []);
});

test('new columns get names that no column of the warehouse has, dropped ones included', () => {
  const dropped = [agreed('NOTE', 9, type('text'))].map((column) => ({ ...column, name: 'note_2' }));
  const { columns } = compare([ID, NOTE, STAMP, seen('Note', 4, type('text')), seen('oid', 5, type('int8'))], {
    dropped,
  });
  assert.deepEqual(
    columns.map(({ name }) => name),
    ['id', 'note', 'updated_at', 'note_3', 'oid_2'],
  );
});

test('a column that went is kept for the warehouse, and comes back under its name if its type allows', () => {
  const gone = compare([ID, STAMP]);
  assert.deepEqual(kinds(gone.changes), ['dropped note']);
  assert.deepEqual(gone.dropped, [table.columns[1]]);
  const back = compare([ID, STAMP, seen('note', 7, type('varchar', 24))], gone);
  assert.deepEqual(kinds(back.changes), ['added note']);
  assert.deepEqual(
    [back.columns.at(-1)?.type, back.columns.at(-1)?.partial, back.dropped],
    ['VARCHAR(65535)', true, []],
  );
  assert.deepEqual(kinds(compare([ID, STAMP, seen('note', 7, type('int4'))], gone).changes), ['retyped note']);
});

test('a column is known again by its number: renamed, or made again under its name', () => {
  const renamed = compare([ID, seen('remark', 2, type('text')), STAMP]);
  assert.deepEqual(renamed.changes, [{ kind: 'renamed', column: 'note', now: 'remark' }, ...renamed.changes.slice(1)]);
  assert.deepEqual(kinds(renamed.changes), ['renamed note', 'added remark']);
  assert.equal(renamed.columns.at(-1)?.partial, true);
  const remade = compare([ID, seen('note', 8, type('text')), STAMP]);
  assert.deepEqual([kinds(remade.changes), remade.columns[1]?.partial], [['remade note'], true]);
  const anew = compare([ID, seen('note', 8, type('text')), STAMP], {}, false);
  assert.deepEqual([anew.changes, anew.columns[1]?.attnum], [[], 8], 'in a table made anew numbers mean nothing');
});

const agreeOn = (columns: SourceColumn[], more: { state?: TableState; of?: Partial<Table>; job?: object } = {}) =>
  agree(job(more.job), { ...table, ...more.of }, found(...columns), more.state ?? loaded, NOW);
const EXTRA = seen('extra', 4, type('int4'), { preset: true });

test('what changed is agreed and remembered; where nothing did nothing is written', () => {
  assert.equal(agreeOn([ID, NOTE, STAMP]).update, null);
  const { update, changes, state } = agreeOn([ID, NOTE, STAMP, EXTRA]);
  assert.equal(state, loaded);
  assert.match(changes[0] ?? '', /^new column "extra" int4: rows loaded before keep NULL in it until they change/);
  assert.deepEqual(update?.schemaHistory, [{ at: NOW.toISOString(), change: changes[0] }]);
  assert.notEqual(shapeOf({ columns: update?.columns ?? [] }), shapeOf(table));
  const long = { schemaHistory: Array.from({ length: 20 }, () => ({ at: '', change: 'old' })) };
  assert.equal(agreeOn([ID, NOTE, STAMP, EXTRA], { of: long }).update?.schemaHistory?.length, 20);
});

test('keys that went and types that can not be changed in place stop the table, with what to do', () => {
  const refused = (columns: SourceColumn[], message: RegExp) =>
    assert.throws(() => agreeOn(columns), { name: 'ColumnsDiffer', message });
  refused([NOTE, STAMP], /^Orders: the source no longer has its key column "Id" – correct the table's primaryKey/);
  refused([ID, NOTE, { ...STAMP, name: 'at' }], /its key column "updated_at" is called "at" now/);
  refused(
    [ID, seen('note', 2, type('int4')), STAMP],
    /^Orders: "note" was text and is int4, which its column in the warehouse can't become – re-load the table/,
  );
});

test('a re-load takes any type over, and leaves no column partial', () => {
  const state = stateOf(orders, { replaces: 'all' });
  const { update } = agreeOn([ID, seen('note', 2, type('int4')), STAMP, EXTRA], { state });
  assert.deepEqual(
    update?.columns?.map((column) => [column.type, column.partial]),
    [
      ['BIGINT', undefined],
      ['INTEGER', undefined],
      ['TIMESTAMPTZ', undefined],
      ['INTEGER', undefined],
    ],
  );
});

test('older rows are filled by a re-load where that is wanted, or where the column tells rows apart', () => {
  for (const more of [
    { job: { newColumns: 'reload' } },
    { of: { newColumns: 'reload' as const } },
    { of: { primaryKey: ['Id', 'extra'] } },
  ]) {
    const { state, update, changes } = agreeOn([ID, NOTE, STAMP, EXTRA], more);
    assert.deepEqual(state, { sourceName: 'Orders', replaces: 'all', guarded: true });
    assert.equal(update?.columns?.at(-1)?.partial, undefined);
    assert.match(changes.at(-1) ?? '', /loaded again/);
  }
  const rekeyed = { ...table, primaryKey: ['note'], dropped: [agreed('Old', 9, type('int8'))] };
  const byOld = stateOf(orders, { watermark: watermark(orders, { keys: ['updated_at', 'Old'] }) });
  assert.equal(agree(job(), rekeyed, found(ID, NOTE, STAMP), byOld, NOW).state.replaces, 'all', 'its key went');
  const plain = { ...EXTRA, preset: false };
  assert.equal(agreeOn([ID, NOTE, STAMP, plain], { job: { newColumns: 'reload' } }).state, loaded, 'nothing to fill');
});

test('a change that the item of its table could not hold stops the table by name; what stands there goes on', () => {
  const many = Array.from({ length: 2_900 }, (_, i) => seen(`c${i}`.padEnd(63, '_'), i + 4, type('text')));
  assert.throws(() => agreeOn([ID, NOTE, STAMP, ...many]), {
    name: 'BadConfiguration',
    message: /^Orders: names 0 columns in treat beside the 2903 that are agreed, .*: name fewer columns/,
  });
  const held = {
    ...table,
    columns: [ID, NOTE, STAMP, ...many].map(({ name, attnum = 0, type: pg }) => agreed(name, attnum, pg)),
  };
  assert.equal(agreeOn([ID, NOTE, STAMP, ...many], { of: held }).update, null);
  const { update, told } = adopt(table, found(ID, NOTE, STAMP, ...many), loaded, NOW);
  assert.deepEqual([update, told.length], [null, 1]);
});

test('a pass that replaces begins anew under other columns, another goes on', () => {
  const stage = { pass: passOf(prices, { batches: 2, replaces: 'all' }) };
  const full = { copyMode: 'FULL_DATA_SYNC' as const, updatedKey: null };
  assert.equal(agreeOn([ID, NOTE, STAMP, EXTRA], { of: full, state: stateOf(prices, stage) }).state.pass, undefined);
  const walk = { pass: passOf(orders, { batches: 2 }) };
  const { state, update } = agreeOn([ID, NOTE, STAMP, EXTRA], { state: stateOf(orders, walk) });
  assert.equal(state.pass, walk.pass);
  assert.equal(update?.columns?.at(-1)?.partial, true, 'its first batches lack the column');
});

test('under pause nothing is taken over but by setup', () => {
  const pause = { job: { schemaChanges: 'pause' } };
  assert.throws(() => agreeOn([ID, STAMP, EXTRA], pause), {
    name: 'SchemaChangePaused',
    message:
      /^Orders: the source no longer has "note".*; new column "extra" int4.* – run setup to take this over, or set/,
  });
  const { update, told } = adopt(table, found(ID, STAMP, EXTRA), loaded, NOW);
  assert.equal(told.length, 2);
  assert.equal(agreeOn([ID, STAMP, EXTRA], { ...pause, of: { ...update } }).update, null);
  assert.equal(adopt(table, found(STAMP), loaded, NOW).update, null, 'what needs more than consent stays as it is');
});

test('a batch reads on when a column came meanwhile, and stops when one went or became another', () => {
  refuseChanged(table, found(ID, NOTE, STAMP, EXTRA), loaded);
  for (const columns of [
    [ID, STAMP],
    [ID, seen('note', 2, type('int4')), STAMP],
    [ID, seen('note', 9, type('text')), STAMP],
  ])
    assert.throws(() => refuseChanged(table, found(...columns), loaded), {
      name: 'ColumnsDiffer',
      message: /next run/,
    });
});

test('the warehouse is brought from whatever it has to the agreed columns, and no further', () => {
  const wide = { ...table, columns: [...table.columns, { ...agreed('size', 4, type('varchar', 24)) }] };
  const has = (...types: [string, string | null][]) =>
    types.map(([name, one]) => ({ table: 'orders', name, type: one, nullable: name !== 'id' }));
  const all = has(['id', 'BIGINT'], ['note', 'VARCHAR(65535)'], ['updated_at', 'TIMESTAMPTZ'], ['size', 'VARCHAR(80)']);
  const nothing = { add: [], widen: [], replace: [] };
  assert.deepEqual(alterationsOf('s', wide, all), nothing);
  assert.deepEqual(alterationsOf('s', wide, all.slice(0, 3)).add, [
    'ALTER TABLE "s"."orders" ADD COLUMN "size" VARCHAR(80)',
  ]);
  const other = (name: string, one: string | null) =>
    alterationsOf('s', wide, [...all.filter((c) => c.name !== name), ...has([name, one])]);
  assert.deepEqual(other('size', 'VARCHAR(79)').widen, [
    'ALTER TABLE "s"."orders" ALTER COLUMN "size" TYPE VARCHAR(80)',
  ]);
  assert.deepEqual(other('size', 'VARCHAR(81)'), nothing, 'wider is no harm');
  assert.deepEqual(other('size', null), nothing, 'an unknown type is left to COPY');
  assert.deepEqual(other('id', 'INTEGER').replace, [table.columns[0]]);
  const [key, ...rest] = table.columns;
  const keyless = { ...table, columns: rest, dropped: key ? [key] : [] };
  assert.deepEqual(alterationsOf('s', keyless, all).replace, [key], 'a former key can not be NULL as it is');
});
