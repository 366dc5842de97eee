import { createHash } from 'node:crypto';
import type { Column, TreatedColumn } from '../model/column.ts';
import type { Job } from '../model/job.ts';
import { DEFAULT_POLICIES, STRICT_POLICIES } from '../model/policies.ts';
import type { Table } from '../model/table.ts';
import { treatmentOf } from '../model/wishes.ts';

/**
 * A table's columns with what becomes of their values: its own policies before its job's before the defaults. A key's values
 * are never changed, for two rows could become one.
 */
export function treatedColumns(job: Pick<Job, 'policies'>, table: Table): TreatedColumn[] {
  const policies = { ...DEFAULT_POLICIES, ...job.policies, ...table.policies };
  // By what the table says now, whatever was agreed: who masks a column wants it masked at once.
  return table.columns.map(({ mask: _agreed, ...column }) => {
    const treatment = treatmentOf(table, column.source);
    return {
      ...column,
      policies: table.primaryKey.includes(column.source) ? STRICT_POLICIES : policies,
      ...(treatment === 'sha256' || treatment === 'null' ? { mask: treatment } : {}),
    };
  });
}

/** Tells one treatment of a table's values from another. A salt is in none of it: whoever changes one loads the tables again. */
export const treatmentDigest = (job: Pick<Job, 'policies'>, table: Table): string =>
  createHash('sha256')
    .update(JSON.stringify(treatedColumns(job, table).map(({ source, policies, mask }) => [source, policies, mask])))
    .digest('hex')
    .slice(0, 16);

/**
 * A table without the columns that are not to be copied: whatever reads or loads it knows them as dropped, so that the
 * warehouse keeps them, NULL in what is loaded from now on.
 */
export function withoutExcluded(table: Table): Table {
  const isExcluded = ({ source }: Column) => treatmentOf(table, source) === 'exclude';
  const known = new Set(table.columns.map(({ source }) => source));
  return {
    ...table,
    columns: table.columns.filter((column) => !isExcluded(column)),
    dropped: [...table.dropped.filter(({ source }) => !known.has(source)), ...table.columns.filter(isExcluded)],
  };
}
