import { isDeepStrictEqual } from 'node:util';
import type { PgType, SourceColumn, SourceTable } from '../model/catalog.ts';
import type { Column } from '../model/column.ts';
import type { Table } from '../model/table.ts';
import { HASH_TYPE } from '../sql/masks.ts';
import { mapType } from '../sql/types.ts';
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
  | { kind: 'retyped'; column: string; was: string; now: string };

export interface Comparison {
  changes: ColumnChange[];
  /** The columns as they are to be agreed, known ones first. */
  columns: Column[];
  /** The columns that only the warehouse still has. */
  dropped: Column[];
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
  agreed: Pick<Table, 'columns' | 'dropped' | 'treat'>,
  found: Pick<SourceTable, 'columns'>,
  { sameTable, loaded }: CompareOptions,
): Comparison {
  const now = new Map(found.columns.map((column) => [column.name, column]));
  const known = new Set(agreed.columns.map((column) => column.source));
  const fresh = found.columns.filter((column) => !known.has(column.name));
  const masked = (name: string) => agreed.treat?.[name] === 'sha256';
  const changes: ColumnChange[] = [];
  const columns: Column[] = [];
  const dropped: Column[] = [];
  const renamed = new Set<string>();
  for (const column of agreed.columns) {
    const source = now.get(column.source);
    if (source) {
      const { change, column: next } = restated(column, source, { masked: masked(column.source), sameTable, loaded });
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
  const former = new Map(agreed.dropped.map((column) => [column.source, column]));
  const names = namesFor(fresh, agreed);
  for (const [i, source] of fresh.entries()) {
    const before = former.get(source.name);
    former.delete(source.name);
    const partial = loaded && (source.preset === true || renamed.has(source.name) || before !== undefined);
    const judged = before && judge(before, source.type, masked(source.name));
    if (before && judged?.kind === 'retyped')
      changes.push({
        kind: 'retyped',
        column: source.name,
        was: before.sourceType.declared,
        now: source.type.declared,
      });
    else changes.push({ kind: 'added', column: source.name, now: source.type.declared, partial });
    columns.push({
      source: source.name,
      name: before?.name ?? names[i] ?? source.name,
      sourceType: source.type,
      type: judged?.type ?? (masked(source.name) ? HASH_TYPE : mapType(source.type).type),
      ...(source.attnum === undefined ? {} : { attnum: source.attnum }),
      ...(partial ? { partial } : {}),
    });
  }
  return { changes, columns, dropped: [...former.values(), ...dropped] };
}

/** Names that no column of the warehouse's table has yet. */
const namesFor = (fresh: SourceColumn[], { columns, dropped }: Pick<Table, 'columns' | 'dropped'>): string[] =>
  foldNames(
    fresh.map((column) => column.name),
    [...SYSTEM_COLUMNS, ...columns.map((column) => column.name), ...dropped.map((column) => column.name)],
  ).map(({ name }) => name);

function restated(
  column: Column,
  source: SourceColumn,
  { masked, sameTable, loaded }: CompareOptions & { masked: boolean },
): { change: ColumnChange | null; column: Column } {
  const { kind, type } = judge(column, source.type, masked);
  const [was, now] = [column.sourceType.declared, source.type.declared];
  const next: Column = {
    ...column,
    sourceType: source.type,
    type,
    ...(source.attnum === undefined ? {} : { attnum: source.attnum }),
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
function judge(agreed: Column, now: PgType, masked: boolean): Judgement {
  const was = agreed.sourceType;
  const alike = was.name === now.name && was.schema === now.schema && was.kind === now.kind;
  if (alike && was.typmod === now.typmod)
    return { kind: was.declared === now.declared ? 'same' : 'restated', type: agreed.type };
  // A hash is a hash, whatever it was made of.
  if (masked) return stays(agreed);
  const { type } = mapType(now);
  const retyped: Judgement = { kind: 'retyped', type };
  if (PADDED.includes(was.name) || PADDED.includes(now.name)) return retyped;
  if (alike && ROUNDED.includes(now.name)) return digitsOf(now) < digitsOf(was) ? retyped : stays(agreed);
  if (type === agreed.type) return stays(agreed);
  const [varcharWas, varcharNow] = [bytesOf(agreed.type), bytesOf(type)];
  if (varcharWas && varcharNow) return varcharNow > varcharWas ? { kind: 'widened', type } : stays(agreed);
  const [integerWas, integerNow] = [INTEGERS.indexOf(agreed.type), INTEGERS.indexOf(type)];
  if (integerNow >= 0 && integerNow <= integerWas) return stays(agreed);
  const [decimalWas, decimalNow] = [decimalOf(agreed.type), decimalOf(type)];
  if (decimalWas && decimalNow && decimalWas.scale === decimalNow.scale && decimalNow.precision <= decimalWas.precision)
    return stays(agreed);
  return retyped;
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
export const differs = (agreed: Pick<Table, 'columns' | 'dropped'>, { columns, dropped }: Comparison): boolean =>
  !isDeepStrictEqual(agreed.columns, columns) || !isDeepStrictEqual(agreed.dropped, dropped);
