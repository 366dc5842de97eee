import { isDeepStrictEqual } from 'node:util';
import type { PgType, SourceColumn, SourceTable } from '../model/catalog.ts';
import type { Column, Mask } from '../model/column.ts';
import type { Table } from '../model/table.ts';
import { treatmentOf } from '../model/wishes.ts';
import { HASH_TYPE } from '../sql/masks.ts';
import { mappingOf, mapType } from '../sql/types.ts';
import { foldNames, SYSTEM_COLUMNS } from './names.ts';

/** What became of a column at the source since its table's columns were agreed. */
export type ColumnChange =
  | { kind: 'added'; column: string; now: string; partial: boolean }
  /** Its name or its type changed in a way that the warehouse's column holds as it is. */
  | { kind: 'restated'; column: string; was: string; now: string }
  | { kind: 'widened'; column: string; was: string; now: string }
  | { kind: 'dropped'; column: string }
  | { kind: 'renamed'; column: string; now: string }
  /** Dropped and made again under the same name: its old values are not its values any more. */
  | { kind: 'remade'; column: string; now: string }
  /** The warehouse's column can't become the new type in place, or its values changed with the type. */
  | { kind: 'retyped'; column: string; was: string; now: string }
  /** Its table masks it otherwise than when it was agreed, or excluded it then. */
  | { kind: 'treated'; column: string; now: Mask | undefined; partial: boolean };

export interface Comparison {
  changes: ColumnChange[];
  /** The columns as they are to be agreed, known ones first. */
  columns: Column[];
  /** The columns that only the warehouse still has. */
  dropped: Column[];
  /** The source's columns that the table excludes. */
  excluded: string[];
}

export interface CompareOptions {
  /** Whether the agreed columns' numbers are this very table's: it was not made anew since. */
  sameTable: boolean;
  /** Whether the warehouse holds rows that no pass to come replaces. */
  loaded: boolean;
}

/**
 * Compares the agreed columns with those that the source shows now. Order and nullability have no effect: every statement
 * names its columns, and only keys are NOT NULL; neither have values that an enum gains.
 */
export function compareColumns(
  agreed: Pick<Table, 'columns' | 'dropped' | 'treat' | 'excluded'>,
  found: Pick<SourceTable, 'columns'>,
  { sameTable, loaded }: CompareOptions,
): Comparison {
  const [excluded, copied] = partition(found.columns, ({ name }) => treatmentOf(agreed, name) === 'exclude');
  const now = new Map(copied.map((column) => [column.name, column]));
  const known = new Set(agreed.columns.map((column) => column.source));
  const fresh = copied.filter((column) => !known.has(column.name));
  const wasExcluded = ({ name }: SourceColumn) => agreed.excluded.includes(name);
  const changes: ColumnChange[] = [];
  const columns: Column[] = [];
  const dropped: Column[] = [];
  const renamed = new Set<string>();
  for (const column of agreed.columns) {
    const source = now.get(column.source);
    if (source) {
      const mask = maskOf(agreed, source.name);
      const options = { mask, again: mask !== column.mask || wasExcluded(source), sameTable, loaded };
      const { change, column: next } = restated(column, source, options);
      if (change) changes.push(change);
      columns.push(next);
      continue;
    }
    const { partial: _partial, ...kept } = column;
    dropped.push(kept);
    const other = sameTable ? fresh.find(({ attnum }) => attnum !== undefined && attnum === column.attnum) : undefined;
    if (other) renamed.add(other.name);
    changes.push(
      other ? { kind: 'renamed', column: column.source, now: other.name } : { kind: 'dropped', column: column.source },
    );
  }
  const former = new Map(
    agreed.dropped.flatMap((column) => (known.has(column.source) ? [] : [[column.source, column]])),
  );
  const names = namesFor(fresh, agreed);
  for (const [i, source] of fresh.entries()) {
    const before = former.get(source.name);
    former.delete(source.name);
    const mask = maskOf(agreed, source.name);
    const hadValues = source.preset === true || renamed.has(source.name) || before !== undefined || wasExcluded(source);
    const partial = loaded && hadValues;
    const judged = before && judge(before, source.type, mask);
    if (before && judged?.kind === 'retyped')
      changes.push({
        kind: 'retyped',
        column: source.name,
        was: declaredAs(before.sourceType, before.mask),
        now: declaredAs(source.type, mask),
      });
    else changes.push({ kind: 'added', column: source.name, now: source.type.declared, partial });
    columns.push({
      source: source.name,
      name: before?.name ?? names[i] ?? source.name,
      sourceType: source.type,
      type: judged?.type ?? typeAs(source.type, mask),
      ...(source.attnum === undefined ? {} : { attnum: source.attnum }),
      ...(mask ? { mask } : {}),
      ...(partial ? { partial } : {}),
    });
  }
  return {
    changes,
    columns,
    dropped: [...former.values(), ...dropped],
    excluded: excluded.map(({ name }) => name),
  };
}

function partition<T>(all: T[], is: (one: T) => boolean): [T[], T[]] {
  return [all.filter(is), all.filter((one) => !is(one))];
}

function maskOf(table: Pick<Table, 'treat'>, column: string): Mask | undefined {
  const treatment = treatmentOf(table, column);
  return treatment === 'exclude' ? undefined : treatment;
}

/** The warehouse's type of a new column, masked or not. */
const typeAs = (type: PgType, mask: Mask | undefined): string => (mask === 'sha256' ? HASH_TYPE : mapType(type).type);

const declaredAs = ({ declared }: PgType, mask: Mask | undefined): string =>
  mask ? `${declared} (masked by ${mask})` : declared;

/** Names that no column of the warehouse's table has yet. */
const namesFor = (fresh: SourceColumn[], { columns, dropped }: Pick<Table, 'columns' | 'dropped'>): string[] =>
  foldNames(
    fresh.map((column) => column.name),
    [...SYSTEM_COLUMNS, ...columns.map((column) => column.name), ...dropped.map((column) => column.name)],
  ).map(({ name }) => name);

function restated(
  column: Column,
  source: SourceColumn,
  { mask, again, sameTable, loaded }: CompareOptions & { mask: Mask | undefined; again: boolean },
): { change: ColumnChange | null; column: Column } {
  const { kind, type } = judge(column, source.type, mask);
  const [was, now] = [declaredAs(column.sourceType, column.mask), declaredAs(source.type, mask)];
  const { mask: _former, ...rest } = column;
  const next: Column = {
    ...rest,
    sourceType: source.type,
    type,
    ...(source.attnum === undefined ? {} : { attnum: source.attnum }),
    ...(mask ? { mask } : {}),
  };
  if (again && kind !== 'retyped')
    return {
      change: { kind: 'treated', column: column.source, now: mask, partial: loaded },
      column: loaded ? { ...next, partial: true } : next,
    };
  const remade =
    sameTable && column.attnum !== undefined && source.attnum !== undefined && column.attnum !== source.attnum;
  if (remade && kind !== 'retyped')
    return {
      change: { kind: 'remade', column: column.source, now },
      column: loaded ? { ...next, partial: true } : next,
    };
  return { change: kind === 'same' ? null : { kind, column: column.source, was, now }, column: next };
}

interface Judgement {
  kind: 'same' | 'restated' | 'widened' | 'retyped';
  /** The warehouse's column from now on. */
  type: string;
}

/** Types whose values are stretched or rounded to what is declared, so that another declaration means other values. */
const PADDED = ['bpchar', 'bit'];
const ROUNDED = ['timestamp', 'timestamptz', 'time', 'timetz', 'interval'];
const INTEGERS = ['SMALLINT', 'INTEGER', 'BIGINT'];

/** Whether the warehouse's column holds the new type's values as they are, can be made to, or can't. */
function judge(agreed: Column, now: PgType, mask: Mask | undefined): Judgement {
  const was = agreed.sourceType;
  const alike = was.name === now.name && was.schema === now.schema && was.kind === now.kind;
  if (mask === agreed.mask) {
    if (alike && was.typmod === now.typmod)
      return { kind: was.declared === now.declared ? 'same' : 'restated', type: agreed.type };
    // A hash is a hash, whatever it was made of.
    if (mask === 'sha256') return stays(agreed);
    const retyped: Judgement = { kind: 'retyped', type: mapType(now).type };
    if (PADDED.includes(was.name) || PADDED.includes(now.name)) return retyped;
    if (alike && ROUNDED.includes(now.name)) return digitsOf(now) < digitsOf(was) ? retyped : stays(agreed);
  }
  // Any column takes NULL; what profiling made a DECIMAL is one again.
  if (mask === 'null') return stays(agreed);
  return intoType(agreed, mask ? HASH_TYPE : mappingOf({ sourceType: now, type: agreed.type }).type);
}

/** What a column that has one type has to become for another's values. */
function intoType(agreed: Column, type: string): Judgement {
  if (type === agreed.type) return stays(agreed);
  const [varcharWas, varcharNow] = [bytesOf(agreed.type), bytesOf(type)];
  if (varcharWas && varcharNow) return varcharNow > varcharWas ? { kind: 'widened', type } : stays(agreed);
  const [integerWas, integerNow] = [INTEGERS.indexOf(agreed.type), INTEGERS.indexOf(type)];
  if (integerNow >= 0 && integerNow <= integerWas) return stays(agreed);
  const [decimalWas, decimalNow] = [decimalOf(agreed.type), decimalOf(type)];
  if (decimalWas && decimalNow && decimalWas.scale === decimalNow.scale && decimalNow.precision <= decimalWas.precision)
    return stays(agreed);
  return { kind: 'retyped', type };
}

const stays = (agreed: Column): Judgement => ({ kind: 'restated', type: agreed.type });

/** Digits behind the seconds: six where none are declared; an interval's fields stand above them. */
const digitsOf = ({ typmod }: PgType): number => (typmod < 0 ? 6 : Math.min(typmod & 0xffff, 6));

const bytesOf = (type: string): number | null => Number(/^VARCHAR\((\d+)\)$/.exec(type)?.[1]) || null;

function decimalOf(type: string): { precision: number; scale: number } | null {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  return precision && scale ? { precision: Number(precision), scale: Number(scale) } : null;
}

/** Whether the agreement has to be written anew, though people need not know why: a table that was made anew, for one. */
export const differs = (agreed: Agreement, { columns, dropped, excluded }: Comparison): boolean =>
  !isDeepStrictEqual([agreed.columns, agreed.dropped, agreed.excluded], [columns, dropped, excluded]);

type Agreement = Pick<Table, 'columns' | 'dropped' | 'excluded'>;
