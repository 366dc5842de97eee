import type pg from 'pg';
import type { Unwritten } from '../core/unchanged.ts';
import type { SourceTable } from '../model/catalog.ts';
import { countWritten, describedAnew } from '../sql/postgres.ts';

/** Whether the table still has what its last full sync brought, as the snapshot that is open shows it; see `asLastSynced`. */
export async function isUnchanged(client: pg.Client, found: SourceTable, expected: Unwritten): Promise<boolean> {
  const oids = [found.oid, ...(found.parts ?? []).map(({ oid }) => oid)];
  const { changed } = (await client.query(describedAnew(oids, expected.skip))).rows[0] as { changed: boolean };
  if (changed) return false;
  const counted = (await client.query(countWritten(found, expected.skip))).rows[0] as { rows: string; written: string };
  return counted.written === '0' && Number(counted.rows) === expected.rows;
}
