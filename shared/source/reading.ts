import { reread } from '../core/pass.ts';
import type { SourceColumn, SourceTable } from '../model/catalog.ts';
import type { Job } from '../model/job.ts';
import type { Gap, Pass, Snapshot, TableState } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import type { Range, Scope, Skip, Source } from '../sql/postgres.ts';

/** How the rows of a pass are read: which table, from where, without what is already loaded. */
export interface Reading {
  source: Source;
  scope: Scope;
  /** Everything that is new, for a pass that fits one batch. */
  ranges: Range[];
  /** What tells the rows that the last pass saw, whether or not the scope skips them. */
  seen: Skip | null;
  /** Gaps whose days are over: after this pass they are no longer waited for. */
  expired: Gap[];
}

/** The gaps that are waited for beyond this pass, too. */
export const openGaps = ({ scope, expired }: Pick<Reading, 'scope' | 'expired'>): Gap[] =>
  scope.gaps.filter((gap) => !expired.includes(gap));

/** The columns by which a table's rows can be walked; none where a key may be NULL, which lies neither below nor above any bound. */
export function keysToWalk(
  { copyMode, primaryKey }: Pick<Table, 'copyMode' | 'primaryKey'>,
  { columns }: Pick<SourceTable, 'columns'>,
): SourceColumn[] {
  const keys = primaryKey.flatMap((key) => columns.filter(({ name }) => name === key));
  // Of other modes such a key is refused.
  return copyMode === 'FULL_DATA_SYNC' && keys.some(({ nullable }) => nullable) ? [] : keys;
}

/** Turns a pass into what to read, as this snapshot sees it. */
export function readingOf(
  job: Job,
  table: Table,
  found: SourceTable,
  state: TableState,
  pass: Pass,
  snapshot: Snapshot,
): Reading {
  const column = (name: string) => found.columns.filter((one) => one.name === name);
  const updatedKey = table.updatedKey ? (column(table.updatedKey)[0] ?? null) : null;
  const keys = keysToWalk(table, found);
  const source: Source = {
    schema: found.schema,
    name: found.name,
    keys: pass.walk === 'updated' && updatedKey ? [updatedKey, ...keys] : keys,
    updatedKey,
    timezone: table.timezone,
  };
  const { gaps, expired, skip } = reread(table, state, pass, {
    now: snapshot,
    parts: found.parts ?? [],
    gapDays: job.gapDays,
  });
  const base: Scope = { since: null, skip: null, gaps: [] };
  switch (table.copyMode) {
    case 'FULL_DATA_SYNC':
      return { source, scope: base, ranges: [{ kind: 'all' }], seen: skip, expired };
    case 'INSERT_ONLY': {
      const from = pass.from === null ? null : [pass.from];
      const ranges: Range[] = [{ kind: 'keys', after: from, upTo: null }];
      if (gaps.length > 0) ranges.push({ kind: 'gaps' });
      if (from && skip && skip.except.length > 0) ranges.push({ kind: 'attached', upTo: from });
      return { source, scope: { since: null, skip, gaps }, ranges, seen: skip, expired };
    }
    case 'INSERT_AND_UPDATE':
      if (pass.walk === 'key') return { source, scope: base, ranges: [{ kind: 'all' }], seen: skip, expired };
      return {
        source,
        scope: { since: { fence: pass.from ?? pass.next.fence, seconds: job.scanBack }, skip, gaps: [] },
        ranges: updatedKey?.nullable ? [{ kind: 'all' }, { kind: 'unstamped' }] : [{ kind: 'all' }],
        seen: skip,
        expired,
      };
  }
}
