import type { TreatedColumn } from '../model/column.ts';
import type { Job } from '../model/job.ts';
import { DEFAULT_POLICIES, STRICT_POLICIES } from '../model/policies.ts';
import type { Table } from '../model/table.ts';

/**
 * A table's columns with what becomes of their values: its own policies before its job's before the defaults. A key's values
 * are never changed, for two rows could become one.
 */
export function treatedColumns(job: Pick<Job, 'policies'>, table: Table): TreatedColumn[] {
  const policies = { ...DEFAULT_POLICIES, ...job.policies, ...table.policies };
  return table.columns.map((column) => {
    const treatment = table.treat?.[column.source];
    return {
      ...column,
      policies: table.primaryKey.includes(column.source) ? STRICT_POLICIES : policies,
      ...(treatment === 'sha256' || treatment === 'null' ? { mask: treatment } : {}),
    };
  });
}

/** A table without the columns that are not to be copied: whatever reads or loads it knows nothing of them. */
export const withoutExcluded = (table: Table): Table => ({
  ...table,
  columns: table.columns.filter(({ source }) => table.treat?.[source] !== 'exclude'),
});
