import type { JobData } from '../../../shared/aws/store.ts';
import { describeError } from '../../../shared/model/errors.ts';

/** One line on each table of a job: what a person decided, and how far the loader is. */
export interface TableOverview {
  table: string;
  copyMode: string | null;
  disabled: boolean;
  /** Whether the warehouse has it. */
  created: boolean;
  /** When its last pass completed: ISO, UTC. */
  completedAt: string | null;
  /** Since when rows are known to wait. */
  behindSince: string | null;
  /** The execution that works on it. */
  loadedBy: string | null;
  error: string | null;
  /** Why the last comparison of its keys, or of its rows, broke off; its loads go on. */
  comparisonError: string | null;
}

export function overviewOf({ tables, broken, states, compared }: JobData): TableOverview[] {
  const known = tables.map(({ sourceName, copyMode, disabled, created, deletes }): TableOverview => {
    const state = states.get(sourceName)?.value;
    const { reconcileError, verifyError } = compared.get(sourceName) ?? {};
    return {
      table: sourceName,
      copyMode,
      disabled,
      created,
      completedAt: state?.completedAt ?? null,
      behindSince: state?.behindSince ?? null,
      loadedBy: state?.lease?.owner ?? null,
      error: state?.lastError ?? null,
      comparisonError: (deletes === 'remove' ? reconcileError : undefined) ?? verifyError ?? null,
    };
  });
  const others = [...broken].map(([table, error]): TableOverview => {
    const nothing = { copyMode: null, disabled: false, created: false, completedAt: null, behindSince: null };
    return { table, ...nothing, loadedBy: null, error: describeError(error), comparisonError: null };
  });
  return [...known, ...others].sort((a, b) => (a.table < b.table ? -1 : 1));
}
