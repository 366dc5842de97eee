import { zstdCompressSync } from 'node:zlib';
import type pg from 'pg';
import { mendKey, newNullMarker, type Stage } from '../shared/aws/stage.ts';
import { shapeOf } from '../shared/core/agree.ts';
import { idOf, type Rows } from '../shared/core/drift.ts';
import type { StagedMend } from '../shared/core/mend-statements.ts';
import type { SourceTable } from '../shared/model/catalog.ts';
import type { TreatedColumn } from '../shared/model/column.ts';
import type { ComparisonEvent, Suspect } from '../shared/model/compared.ts';
import type { Table } from '../shared/model/table.ts';
import { copyCompressed } from '../shared/source/read.ts';
import { copyOut, rowsWithKeys } from '../shared/sql/postgres.ts';

/** Rows that the source has and the warehouse needs anew, at one go. */
const MENDED_ROWS = 10_000;

/** The table as the source has it, in the transaction that is open on the connection. */
export interface AtSource {
  client: pg.Client;
  table: Table;
  found: SourceTable;
  columns: TreatedColumn[];
}

/** Stages what the warehouse needs to put rows right: the keys of all that go, and the rows that come, as any load would bring them. */
export async function stageMend(
  { jobId, runId, table: name, kind }: ComparisonEvent,
  wrong: Suspect[],
  seen: Rows,
  source: AtSource,
  stage: Stage,
): Promise<StagedMend> {
  const lacking = wrong.filter(({ what }) => what !== 'extra');
  const there = lacking.slice(0, MENDED_ROWS);
  const more = lacking.length > there.length;
  const mended = [...there, ...wrong.filter(({ what }) => what === 'extra')];
  const nullMarker = newNullMarker();
  const keys = { object: mendKey(jobId, runId, name, `${kind}-keys`, nullMarker), rows: mended.length };
  const csv = mended.map(({ key }) => `${key.map((text) => `"${text.replaceAll('"', '""')}"`).join(',')}\n`);
  await stage.put(keys.object, zstdCompressSync(csv.join('')));
  const agreed = { shape: shapeOf(source.table), primaryKey: source.table.primaryKey };
  if (there.length === 0) return { ...agreed, nullMarker, keys, rows: null, more };
  const object = mendKey(jobId, runId, name, `${kind}-rows`, nullMarker);
  const sql = copyOut(source.columns, [rowsOf(there, seen, source)], nullMarker);
  const { result: rows } = await stage.write(object, (sink) => copyCompressed(source.client, sql, sink));
  return { ...agreed, nullMarker, keys, rows: { object, rows }, more };
}

const rowsOf = (suspects: Suspect[], seen: Rows, { table, found }: AtSource) => {
  const { schema, name, columns } = found;
  const keys = table.primaryKey.flatMap((key) => columns.filter((one) => one.name === key));
  const keyed = { schema, name, keys, updatedKey: null, timezone: table.timezone };
  return rowsWithKeys(
    keyed,
    suspects.map(({ key }) => seen.written(idOf(key)) ?? []),
  );
};
