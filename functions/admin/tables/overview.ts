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
}

export function overviewOf({ tables, broken, states }: JobData): TableOverview[] {
  const known = tables.map(({ sourceName, copyMode, disabled, created }): TableOverview => {
    const state = states.get(sourceName)?.value;
    return {
      table: sourceName,
      copyMode,
      disabled,
      created,
      completedAt: state?.completedAt ?? null,
      behindSince: state?.behindSince ?? null,
      loadedBy: state?.lease?.owner ?? null,
      error: state?.lastError ?? null,
    };
  });
  const others = [...broken].map(([table, error]): TableOverview => {
    const nothing = { copyMode: null, disabled: false, created: false, completedAt: null, behindSince: null };
    return { table, ...nothing, loadedBy: null, error: describeError(error) };
  });
  return [...known, ...others].sort((a, b) => (a.table < b.table ? -1 : 1));
}
