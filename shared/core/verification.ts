import type { Compared } from '../model/compared.ts';
import type { Run } from '../model/run.ts';
import type { TableState } from '../model/state.ts';
import type { Table } from '../model/table.ts';
import type { VerifiedTable } from '../model/verification.ts';
import { driftOf } from './drift.ts';

/** What the last verification of a table says once it has ended. @param undecided why rows that differed were not looked at again */
export function verdictOn(table: Table, compared: Compared | undefined, undecided: string | null): VerifiedTable {
  const { found, covered, verifyBegun = '', verifyEnded = '', verifyError } = compared ?? {};
  const ended = verifyEnded !== '' && verifyEnded >= verifyBegun;
  const why =
    verifyError ?? undecided ?? (ended && found ? null : 'its comparison ended without a result: verify it again');
  const drift = found ? driftOf(table, found) : 0;
  const judged = drift === 0 ? 'identical' : found?.repaired ? 'repaired' : 'different';
  const left = why === null && covered?.left ? describeLeft(covered.left) : null;
  return {
    table: table.sourceName,
    // Of rows that nobody has looked at nobody knows that they are the same.
    status: why === null && (left === null || judged === 'different') ? judged : 'failed',
    rows: covered?.rows ?? null,
    values: covered?.values ?? null,
    missing: found?.missing ?? 0,
    extra: found?.extra ?? 0,
    different: found?.different ?? 0,
    replaced: found?.replaced ?? 0,
    object: found?.object ?? null,
    error: why ?? left,
  };
}

const describeLeft = (rows: number): string =>
  `${rows} further rows lie in parts of the table that differ, and were not looked at, since one verification looks at ` +
  'about 100,000: verify it again, best when few rows change – each begins with other parts; or re-load it';

/**
 * Why rows that differed can't be judged by a second look now; null where they can: a pass, or a look that found nothing new,
 * has to come after the first (RULES 22).
 *
 * @param run the one that was started after the first look, and has ended
 */
export function whyUndecided(compared: Compared, state: TableState | undefined, run: Run): string | null {
  const { sourceName, suspects } = compared;
  const entry = run.tables[sourceName];
  const settled = run.error === undefined && (entry === undefined || entry.unchanged === true);
  const passed = suspects !== undefined && Date.parse(state?.watermark?.taken ?? '') > Date.parse(suspects.seen);
  if (!state?.lastError && !state?.lease && (settled || passed)) return null;
  const why = state?.lastError ?? run.error ?? 'another run is at work on it';
  return `${suspects?.rows} of its rows differed, and were not looked at again, since no load of it has ended in between: ${why} – verify it again`;
}
