/**
 * What is loaded of a column's values under its policies, and how many were changed. Counting costs nothing where nothing is
 * changed: the branch of the select list that replaces a value also counts it, in a setting of the transaction.
 */
import type { TreatedColumn } from '../model/column.ts';
import { DEFAULT_POLICIES, type PolicyName } from '../model/policies.ts';
import type { Concern } from './concerns.ts';
import { quoteIdentifier, quoteLiteral } from './quote.ts';
import { type Mapping, mappingOf } from './types.ts';

/** Text that no value of the warehouse is compared equal to: what a policy refuses is never loaded. */
const REFUSED = "'(refused)'";

/** One kind of value that a column of a table may have, and where a COPY counts it. */
export interface Counter {
  setting: string;
  column: TreatedColumn;
  /** The column's place among those of the COPY. */
  place: number;
  policy: PolicyName;
  /** Whether such a value stops the table. */
  refuses: boolean;
  /** From a table's alias, whether a row's value is of this kind and of none before it. */
  when(alias: string): string;
}

const choiceOf = ({ policies = DEFAULT_POLICIES }: TreatedColumn, { policy }: Concern) => policies[policy];

const settingOf = (column: number, concern: number): string => `redshift_loader.changed_${column}_${concern}`;

/** set_config returns what it has set. A setting that an earlier transaction of the session had is empty, not absent. */
const count = (setting: string): string =>
  `set_config('${setting}', (coalesce(nullif(current_setting('${setting}', true), ''), '0')::bigint + 1)::text, true)`;

const insteadOf = (column: TreatedColumn, concern: Concern, at: string): string | null => {
  const choice = choiceOf(column, concern);
  const made = choice === 'truncate' || choice === 'clamp' ? concern.instead?.[choice] : undefined;
  return made ? made(at) : null;
};

/** The expression of a select list whose text COPY's CSV loads; it counts as it goes (see `countersOf`). */
export function loadedValue(column: TreatedColumn, index: number, alias = 't'): string {
  const mapping = mappingOf(column);
  const at = `${alias}.${quoteIdentifier(column.source)}`;
  if (mapping.concerns.length === 0) return mapping.select(at);
  const branches = mapping.concerns.map((concern, n) => {
    const instead = insteadOf(column, concern, at);
    const counted = count(settingOf(index, n));
    const value =
      instead === null
        ? `CASE WHEN ${counted} = '' THEN ${inBranch(mapping, at)} END`
        : `CASE WHEN ${counted} <> '' THEN ${instead} END`;
    return `WHEN ${concern.when(at)} THEN ${value}`;
  });
  return `CASE ${branches.join(' ')} ELSE ${inBranch(mapping, at)} END`;
}

/** Branches of CASE need one type: where a text may be cut off, that is text. */
const inBranch = (mapping: Mapping, at: string): string =>
  mapping.type.startsWith('VARCHAR') ? mapping.sourceText(at) : mapping.select(at);

/** Canonical text of what should have been loaded, for comparing: `mapping.sourceText` under the column's policies. */
export function comparedValue(column: TreatedColumn): string {
  const mapping = mappingOf(column);
  const at = quoteIdentifier(column.source);
  // A text that is too long is equal to none of the warehouse's as it is.
  const concerns = mapping.concerns.filter(
    (concern) => concern.policy !== 'oversizeText' || choiceOf(column, concern) !== 'error',
  );
  const branches = concerns.map((concern) => {
    const instead = insteadOf(column, concern, at);
    const refused = choiceOf(column, concern) === 'error' ? REFUSED : 'NULL';
    return `WHEN ${concern.when(at)} THEN ${instead === null ? refused : mapping.sourceText(instead)}`;
  });
  const plain = mapping.sourceText(at);
  return branches.length === 0 ? plain : `CASE ${branches.join(' ')} ELSE ${plain} END`;
}

/** What a COPY of these columns counts. */
export function countersOf(columns: TreatedColumn[]): Counter[] {
  return columns.flatMap((column, index) => {
    const { concerns } = mappingOf(column);
    return concerns.map((concern, n): Counter => {
      const when = (alias: string) => {
        const at = `${alias}.${quoteIdentifier(column.source)}`;
        const cases = concerns.slice(0, n + 1).map((one, i) => `WHEN ${one.when(at)} THEN ${i === n}`);
        return cases.length === 1 ? concern.when(at) : `CASE ${cases.join(' ')} ELSE false END`;
      };
      const refuses = choiceOf(column, concern) === 'error';
      return { setting: settingOf(index, n), column, place: index, policy: concern.policy, refuses, when };
    });
  });
}

const settings = (counters: Counter[]): string =>
  `unnest(ARRAY[${counters.map(({ setting }) => quoteLiteral(setting)).join(', ')}])`;

/** Sets all counts to zero, before a COPY in the same transaction. */
export const resetCounters = (counters: Counter[]): string =>
  `SELECT count(set_config(setting, '0', true)) FROM ${settings(counters)} AS setting`;

/** What was counted: rows of {setting, rows: bigint text}, without those of none. */
export const readCounters = (counters: Counter[]): string =>
  `SELECT setting, rows FROM (SELECT setting, current_setting(setting) AS rows FROM ${settings(counters)} AS setting) s WHERE rows <> '0'`;

/**
 * One JSON text a changed value, {key, column, policy, bytes}, of at most `limit` rows: bytes is the length of its text at
 * the source. Without key columns a row is known by its address.
 * @param rowSets as copyOut takes them
 */
export function changedRows(counter: Counter, keys: string[], rowSets: string[], limit: number): string {
  const at = `c.${quoteIdentifier(counter.column.source)}`;
  const members = keys.map((key) => `${quoteLiteral(key)}::text, c.${quoteIdentifier(key)}::text`);
  const key = `json_build_object(${keys.length > 0 ? members.join(', ') : "'ctid', c.redshift_loader_ctid::text"})`;
  const address = keys.length > 0 ? '' : ', t.ctid AS redshift_loader_ctid';
  const rows = rowSets.map((rowSet) => `SELECT t.*${address} ${rowSet}`).join(' UNION ALL ');
  return (
    `SELECT json_build_object('key', ${key}, 'column', ${quoteLiteral(counter.column.source)}::text, ` +
    `'policy', '${counter.policy}', 'bytes', octet_length(convert_to(concat(${at}), 'UTF8')))::text AS line ` +
    `FROM (${rows}) c WHERE ${counter.when('c')} LIMIT ${limit}`
  );
}
