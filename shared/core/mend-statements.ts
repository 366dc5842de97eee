import type { Table } from '../model/table.ts';
import { createKeyStage, deleteStagedKeys, KEY_STAGE, keyStageColumns } from '../sql/buckets.ts';
import { qualified } from '../sql/quote.ts';
import { copyInto, createTempStage, guardCounts, insertAll } from '../sql/redshift.ts';
import type { LoadContext } from './load-statements.ts';

/** Rows that are put right: those with the given keys go, and what the source has of them comes. */
export interface Mend {
  nullMarker: string;
  /** Keys as the text that they were compared by, one object of them. */
  keys: { url: string; rows: number };
  /** null where the source has none of them. */
  rows: { url: string; rows: number } | null;
}

/** The same as the source's side hands it over: by the keys of staged objects. */
export interface StagedMend {
  /** By which agreement the objects were written: a setup, or an edit of the key, may come before they are loaded. */
  shape: string;
  primaryKey: string[];
  nullMarker: string;
  keys: { object: string; rows: number };
  rows: { object: string; rows: number } | null;
  /** Whether rows are left that did not fit. */
  more: boolean;
}

const STAGE = 'loader_mended';

/** One transaction, counted before anything goes. Done again it does the same. */
export function mendStatements(table: Table, mend: Mend, { schema, copyRoleArn: roleArn }: LoadContext): string[] {
  const target = qualified(schema, table.destinationName);
  const from = (url: string) => ({ url, manifest: false, roleArn, nullMarker: mend.nullMarker });
  const { keys, rows } = mend;
  return [
    createKeyStage(table),
    copyInto(KEY_STAGE, keyStageColumns(table), from(keys.url)),
    ...(rows ? [createTempStage(STAGE, target), copyInto(STAGE, table.columns, from(rows.url))] : []),
    guardCounts([{ from: KEY_STAGE, rows: keys.rows }, ...(rows ? [{ from: STAGE, rows: rows.rows }] : [])]),
    deleteStagedKeys(target, table),
    ...(rows ? [insertAll(schema, table, STAGE)] : []),
  ];
}
