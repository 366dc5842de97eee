import * as z from 'zod';
import { tableKey } from '../../../shared/aws/keys.ts';
import type { JobData } from '../../../shared/aws/store.ts';
import { tooLarge } from '../../../shared/core/item-size.ts';
import { keyProblems } from '../../../shared/core/key-problems.ts';
import { foldTableNames } from '../../../shared/core/names.ts';
import { treatProblems } from '../../../shared/core/treat-problems.ts';
import { warehouseKeyProblems } from '../../../shared/core/warehouse-keys.ts';
import { InvalidInput } from '../../../shared/model/errors.ts';
import { Limits } from '../../../shared/model/job.ts';
import { type Problem, parseInWords, problemsIn } from '../../../shared/model/problems.ts';
import { Table } from '../../../shared/model/table.ts';
import { checkChange, checkVersion, ifVersion, jobId, overtaken } from '../fields.ts';
import { operation } from '../operation.ts';
import { TABLE_FIELDS, table } from './fields.ts';
import { notesOnEdit } from './notes.ts';
import { readTableItem } from './read.ts';

export const editTable = operation({
  summary: "Changes a table's copy mode, keys or limits, or leaves it out",
  input: z.strictObject({ jobId, table, ifVersion, ...TABLE_FIELDS }),
  async run({ jobId: id, table: name, ifVersion: seen, ...change }, { edits, store, destinations }) {
    checkChange(change);
    const { raw, revision } = await readTableItem(edits, id, name);
    checkVersion(`table ${name}`, revision, seen);
    const given = Object.fromEntries(
      Object.entries(change).flatMap(([field, value]) => {
        if (value === undefined) return [];
        // A limit that is null is none of its own.
        return [[field, value === null && field !== 'updatedKey' ? undefined : value]];
      }),
    );
    const parsed = parseInWords(Table, { ...raw, ...given });
    if (!parsed.success) throw new InvalidInput(problemsIn(parsed.error));
    const data = await store.readJob(id);
    const problems = problemsOfEdit(parsed.data, given, data);
    if (problems.length > 0) throw new InvalidInput(problems);
    if (!(await edits.edit(id, tableKey(name), given, revision))) throw overtaken(`table ${name}`);
    return { table: name, version: revision + 1, notes: notesOnEdit(raw, parsed.data, given, data, destinations) };
  },
});

/** What the edited table would fail by in its next run, as far as the columns that setup agreed on can tell. */
function problemsOfEdit(edited: Table, given: Record<string, unknown>, { job, tables }: JobData): Problem[] {
  const before = tables.find(({ sourceName }) => sourceName === edited.sourceName);
  const columns = edited.columns.map(({ source, sourceType }) => ({ name: source, type: sourceType, nullable: false }));
  const limits = Limits.safeParse({
    rowLimit: edited.rowLimit ?? job.rowLimit,
    chunkSize: edited.chunkSize ?? job.chunkSize,
  });
  const others = tables.filter(({ sourceName }) => sourceName !== edited.sourceName);
  return [
    // A table that setup never met has no columns to judge by; one that is only switched off needs no judging.
    ...(columns.length > 0 && touches(given, ['copyMode', 'primaryKey', 'updatedKey'])
      ? keyProblems(edited, columns)
      : []),
    ...(limits.success || !touches(given, ['rowLimit', 'chunkSize']) ? [] : problemsIn(limits.error)),
    ...(touches(given, ['sortKey', 'distKey', 'distStyle']) ? warehouseKeyProblems(edited) : []),
    // Whether the source has what it names, the next run tells: setup need not have met it.
    ...(touches(given, ['treat'])
      ? [...treatProblems(edited, Object.keys(edited.treat ?? {})), ...sizeProblems(edited)]
      : []),
    ...(touches(given, ['destinationName'])
      ? nameProblems(
          edited.destinationName,
          before,
          others.map(({ destinationName }) => destinationName),
        )
      : []),
  ];
}

const touches = (given: Record<string, unknown>, fields: string[]): boolean => fields.some((field) => field in given);

function sizeProblems(edited: Table): Problem[] {
  const message = tooLarge(edited);
  return message ? [{ field: 'treat', message }] : [];
}

function nameProblems(name: string, before: Table | undefined, taken: string[]): Problem[] {
  const field = 'destinationName';
  if (before?.created && before.destinationName !== name)
    return [{ field, message: `can't change any more: the warehouse has the table as ${before.destinationName}` }];
  if (taken.includes(name))
    return [{ field, message: `is ${name}, as another table of this job is called: choose another` }];
  const [folded] = foldTableNames([name], []);
  return folded?.name === name
    ? []
    : [
        {
          field,
          message: `is no name as Redshift keeps it, or one that loads use for their stages: write ${folded?.name}`,
        },
      ];
}
