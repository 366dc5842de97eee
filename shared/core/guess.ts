import { type PgType, reachesElsewhere, type SourceTable } from '../model/catalog.ts';
import type { CopyMode } from '../model/table.ts';
import { checksFor, type Known } from './guess-checks.ts';

/** How a table would best be copied, judged by the source's catalog alone. */
export interface Guess {
  /** Empty where no key can be relied on. */
  primaryKey: string[];
  updatedKey: string | null;
  copyMode: CopyMode;
  /** One sentence for people. */
  why: string;
  /** What a person should check, each with what to do about it. */
  checks: string[];
}

type Choice = Omit<Guess, 'checks'>;

const UPDATED_KEY = 'updated_at';
const MOMENTS = ['timestamp', 'timestamptz'];
const INTEGERS = ['int2', 'int4', 'int8'];
/** Types whose values the warehouse can't be asked to compare for equality: they become SUPER, floats or shapes. */
const INCOMPARABLE = ['json', 'jsonb', 'hstore', 'float4', 'float8', 'geometry', 'geography'];

const typeOf = (table: SourceTable, column: string): PgType | undefined =>
  table.columns.find(({ name }) => name === column)?.type;

const comparable = (type: PgType | undefined): boolean =>
  type !== undefined && type.kind !== 'array' && type.kind !== 'composite' && !INCOMPARABLE.includes(type.name);

/** Whether a SELECT shows rows of other tables as well, which no unique index of this one covers; of partitions it does. */
export const inherited = ({ kind, parts = [] }: Pick<SourceTable, 'kind' | 'parts'>): boolean =>
  kind !== 'partitioned' && parts.length > 0;

/** The primary key, else the shortest unique key without NULLs. */
const keyOf = (table: SourceTable): string[] => {
  const candidates = [table.primaryKey, ...table.uniqueKeys.toSorted((a, b) => a.length - b.length)];
  const usable = (key: string[]): boolean => key.length > 0 && key.every((column) => comparable(typeOf(table, column)));
  return candidates.find(usable) ?? [];
};

const updatedKeyOf = (table: SourceTable): string | null => {
  const type = typeOf(table, UPDATED_KEY);
  return type?.kind === 'base' && MOMENTS.includes(type.name) ? UPDATED_KEY : null;
};

/** Why the statistics can't vouch for a table, or null where they do: they start anew after a crash or a restore. */
const doubt = ({ stats, estimatedRows }: SourceTable): string | null => {
  if (stats === null) return 'no statistics tell whether rows are ever changed';
  if (stats.updated > 0 || stats.deleted > 0) {
    return `rows were changed (${stats.updated} updates, ${stats.deleted} deletes)`;
  }
  if (estimatedRows < 0)
    return 'it was never analysed, so nothing tells whether the statistics have seen all of its rows';
  if (stats.inserted === 0)
    return 'the statistics have seen no row of it, so nothing tells whether rows are ever changed';
  return stats.inserted < 0.9 * estimatedRows ? 'the statistics are younger than its rows' : null;
};

const risingKey = (table: SourceTable, key: string[]): boolean => {
  const [column, ...others] = key;
  if (column === undefined || others.length > 0) return false;
  const sequence = table.sequences.find((fed) => fed.column === column);
  return INTEGERS.includes(typeOf(table, column)?.name ?? '') && sequence !== undefined && sequence.increment > 0;
};

const list = (columns: string[]): string => columns.join(', ');

/** The keys and the mode, and why. */
export const choose = (table: SourceTable): Choice => {
  const primaryKey = keyOf(table);
  const updatedKey = updatedKeyOf(table);
  const whole = (why: string): Choice => ({ primaryKey, updatedKey: null, copyMode: 'FULL_DATA_SYNC', why });

  if (primaryKey.length === 0) {
    const declared = table.primaryKey.length > 0;
    return whole(
      declared
        ? `its key (${list(table.primaryKey)}) has a type that cannot be compared in the warehouse`
        : 'it has no primary key and no unique key without NULLs',
    );
  }
  if (reachesElsewhere(table)) return whole('some of its rows lie on another server, where nothing tells what is new');
  if (inherited(table))
    return whole(
      'tables inherit from it, and no key is unique over all of them: choose another mode if none comes twice',
    );
  if (updatedKey !== null) {
    const copyMode = 'INSERT_AND_UPDATE';
    return { primaryKey, updatedKey, copyMode, why: `key (${list(primaryKey)}) and ${updatedKey} tell what is new` };
  }
  if (!risingKey(table, primaryKey)) {
    return whole(`it has no ${UPDATED_KEY}, and its key (${list(primaryKey)}) is not one integer from a sequence`);
  }
  const doubted = doubt(table);
  if (doubted !== null) return whole(`it has no ${UPDATED_KEY}, and ${doubted}`);
  return {
    primaryKey,
    updatedKey: null,
    copyMode: 'INSERT_ONLY',
    why: `${list(primaryKey)} rises by a sequence, and no row was ever updated or deleted`,
  };
};

/** How to copy a table. Pure; never throws. */
export const guess = (table: SourceTable, known: Known): Guess => {
  const choice = choose(table);
  return { ...choice, checks: checksFor(table, choice, known) };
};
