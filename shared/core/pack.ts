/** BatchExecuteStatement takes at most 40 statements. */
export const MAX_STATEMENTS = 40;
/** DescribeStatement repeats every statement's text, so a batch is kept well below what one call may answer. */
export const MAX_SQL_BYTES = 60_000;

/** What one table adds to a load. */
export interface Parcel {
  table: string;
  statements: number;
  sqlBytes: number;
  /** Whether it changes the warehouse's columns first, for which it may wait for readers as long as they please. */
  alters: boolean;
}

/**
 * Packs small deltas into as few loads as possible, tables in the order of their names, so that two loads that share
 * tables lock them in the same order and can't deadlock (RULES 16). A parcel too large for company travels alone; so does one that
 * others would have to wait with, after all of them, since loads wait for each other, too.
 *
 * @param shared statements that every load has besides its tables': the guard
 */
export function pack(parcels: Parcel[], shared = 1): string[][] {
  const sorted = [...parcels].sort((a, b) => (a.table < b.table ? -1 : 1));
  const loads: { tables: string[]; statements: number; sqlBytes: number }[] = [];
  for (const parcel of sorted.filter(({ alters }) => !alters)) {
    const last = loads.at(-1);
    const fits =
      last && last.statements + parcel.statements <= MAX_STATEMENTS && last.sqlBytes + parcel.sqlBytes <= MAX_SQL_BYTES;
    if (fits) {
      last.tables.push(parcel.table);
      last.statements += parcel.statements;
      last.sqlBytes += parcel.sqlBytes;
    } else loads.push({ tables: [parcel.table], statements: shared + parcel.statements, sqlBytes: parcel.sqlBytes });
  }
  const altering = sorted.filter(({ alters }) => alters);
  return [...loads.map(({ tables }) => tables), ...altering.map(({ table }) => [table])];
}
