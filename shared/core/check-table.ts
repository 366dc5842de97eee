import { isCopied, reachesElsewhere, type SourceTable } from '../model/catalog.ts';
import { errors } from '../model/errors.ts';
import type { Problem } from '../model/problems.ts';
import type { Table } from '../model/table.ts';
import { inherited } from './guess.ts';
import { keyProblems } from './key-problems.ts';
import { treatProblems } from './treat-problems.ts';

/**
 * Refuses a table whose keys can't carry its copy mode, or whose masks can't be had, before a row is read.
 * @throws LoaderError BadConfiguration: names the table and what to do
 */
export function checkTable(table: Table, source: SourceTable): void {
  const names = source.columns.map((column) => column.name);
  const [problem] = [
    ...kindProblems(table, source),
    ...nameProblems(names),
    ...treatProblems(table, names),
    ...keyProblems(table, source.columns),
    ...sequenceProblems(table, source),
  ];
  if (problem) throw errors.badConfiguration(`${table.sourceName}: ${problem.message}`);
}

/**
 * Refuses masks and exclusions that can't be had, before anything else is made of them.
 * @throws LoaderError BadConfiguration
 */
export function checkTreatment(table: Table, source: SourceTable): void {
  const [problem] = treatProblems(
    table,
    source.columns.map(({ name }) => name),
  );
  if (problem) throw errors.badConfiguration(`${table.sourceName}: ${problem.message}`);
}

/**
 * What can't be locked may be rewritten between two reads, and no fence or transaction id here tells of what another server writes:
 * only a copy of the whole can come out right.
 */
function kindProblems({ copyMode }: Table, source: SourceTable): Problem[] {
  if (copyMode === 'FULL_DATA_SYNC' || (isCopied(source) && !reachesElsewhere(source))) return [];
  const what = isCopied(source) ? 'has partitions or inheritors on another server' : `is a ${source.kind}`;
  return [{ field: 'copyMode', message: `${what}, of which only a FULL_DATA_SYNC can be had: choose it` }];
}

/** Of a sequence that counts down every new row lies below the watermark. */
const sequenceProblems = ({ copyMode, primaryKey }: Table, { sequences }: SourceTable): Problem[] =>
  copyMode === 'INSERT_ONLY' && sequences.some(({ column, increment }) => increment < 0 && primaryKey.includes(column))
    ? [
        {
          field: 'copyMode',
          message:
            'its key is fed by a sequence that counts down, and INSERT_ONLY would not see new rows: choose INSERT_AND_UPDATE or FULL_DATA_SYNC',
        },
      ]
    : [];

/** An object of JavaScript, and so of the SDK, loses what is set under this name: a mask of such a column would vanish without a word. */
const LOST = '__proto__';

const nameProblems = (columns: string[]): Problem[] =>
  columns.includes(LOST)
    ? [
        {
          field: 'columns',
          message: `has a column ${LOST}, which no setting could name: rename it, or disable the table`,
        },
      ]
    : [];

/** Whether the source itself keeps the table's key unique; a person may have named any columns. */
export function hasUniqueKey(table: Table, source: SourceTable): boolean {
  if (inherited(source)) return false;
  const key = new Set(table.primaryKey);
  return [source.primaryKey, ...source.uniqueKeys].some(
    (unique) => unique.length > 0 && unique.every((column) => key.has(column)),
  );
}
