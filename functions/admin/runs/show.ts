import * as z from 'zod';
import type { Run, RunTable } from '../../../shared/model/run.ts';
import type { TableState } from '../../../shared/model/state.ts';
import { jobId } from '../fields.ts';
import { readJobItem } from '../jobs/read.ts';
import { operation } from '../operation.ts';
import { findRun } from './find.ts';

export const showRun = operation({
  summary: 'Shows a run table by table, also while it goes on',
  input: z.strictObject({
    jobId,
    runId: z.string().min(1).default('latest').describe("the run's id, or latest"),
  }),
  async run({ jobId: id, runId }, { edits, store, runs, machines }) {
    await readJobItem(edits, id);
    const run = await findRun(id, runId, { runs, machines });
    if (run.status !== 'running') return { ...run, tables: tablesOf(run, []) };
    const states = [...(await store.readStates(id)).values()].map(({ value }) => value);
    return { ...run, tables: tablesOf(run, states) };
  },
});

interface Shown extends RunTable {
  table: string;
  status: 'waiting' | 'running' | 'succeeded' | 'failed';
}

/** The tables that a run has told of, and those that it is still at. */
function tablesOf(run: Run, states: TableState[]): Shown[] {
  const shown = new Map<string, Shown>();
  for (const { sourceName, run: own, lease } of states) {
    if (own?.runId !== run.runId) continue;
    const { rows, bytes, startedAt, finishedAt, error } = own;
    const seconds = finishedAt ? (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000 : 0;
    const status = error ? 'failed' : finishedAt ? 'succeeded' : lease ? 'running' : 'waiting';
    shown.set(sourceName, { table: sourceName, status, rows, bytes, seconds, ...(error ? { error } : {}) });
  }
  for (const [table, entry] of Object.entries(run.tables))
    shown.set(table, { table, status: entry.error ? 'failed' : 'succeeded', ...entry });
  return [...shown.values()].sort((a, b) => (a.table < b.table ? -1 : 1));
}
