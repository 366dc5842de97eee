import * as z from 'zod';
import { ValuePolicies } from '../../shared/model/policies.ts';
import { CopyMode } from '../../shared/model/table.ts';
import { Verification } from '../../shared/model/verification.ts';

const whole = z.int().nonnegative();

/** One table of a run. What could not be found out, because the table failed before, is null. */
export const TableReport = z.object({
  name: z.string().min(1),
  mode: CopyMode,
  /** Rows loaded by this run. */
  rows: whole,
  /** Bytes of the objects that they were staged in, compressed. */
  bytes: whole,
  /** From its first extract to its last load. */
  seconds: z.number().nonnegative(),
  sourceRows: whole.nullable(),
  warehouseRows: whole.nullable(),
  sourceChecksum: z.string().nullable(),
  warehouseChecksum: z.string().nullable(),
  /** How far the table is known complete: ISO 8601 for an updated key, the highest id for INSERT_ONLY. */
  watermark: z.string().nullable(),
  error: z.string().nullable(),
  /** Values that policies changed, by policy; only where there are any. */
  changed: z.partialRecord(ValuePolicies.keyof(), whole).optional(),
  /** Whether a full sync was spared, since the source proved to have what was loaded before. */
  unchanged: z.boolean().optional(),
  /** How many snapshots the rows of a full sync, or a rewind that replaces, come from, where that is not one. */
  snapshots: whole.optional(),
  /** The same by the source's columns: the fifty with the most, where there are more. */
  changedColumns: z.record(z.string(), z.partialRecord(ValuePolicies.keyof(), whole)).optional(),
});
export type TableReport = z.infer<typeof TableReport>;

/** Calls to AWS that the run made; those of the verification are left out. */
export const Calls = z.object({
  lambda: whole,
  redshiftData: whole,
  s3: whole,
  dynamodb: whole,
  transitions: whole,
});
export type Calls = z.infer<typeof Calls>;

/** A run as scripts read it: `--report FILE` and `POST /run` give this. Names stay; more may be added. */
export const Report = z.object({
  /** A postgres:// URL that any client can read while the warehouse is up. */
  warehouse: z.string().regex(/^postgres(ql)?:\/\//, 'is a postgres:// URL'),
  /** With `--serve`: the address whose `POST /run` runs the job once more. */
  control: z
    .string()
    .regex(/^http:\/\//, 'is an http:// address')
    .optional(),
  run: z.enum(['initial', 'incremental']),
  tables: z.array(TableReport),
  calls: Calls,
  /** What keeps watermarks back, and what to do about it. */
  warnings: z.array(z.string()).optional(),
  /** What the deployed verification found, where `--verify` asked for it. */
  verification: Verification.optional(),
  /** Wall-clock time of the whole run, without the verification. */
  seconds: z.number().nonnegative().optional(),
});
export type Report = z.infer<typeof Report>;

/** Whether both sides were looked at and hold the same. */
export const isIdentical = (table: TableReport): boolean =>
  table.error === null &&
  table.sourceRows !== null &&
  table.sourceRows === table.warehouseRows &&
  table.sourceChecksum !== null &&
  table.sourceChecksum === table.warehouseChecksum;

/** What the program's exit status says: every table is proved identical, and there is at least one. */
export const allIdentical = (report: Report): boolean =>
  report.tables.length > 0 && report.tables.every((table) => isIdentical(table));
