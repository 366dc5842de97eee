import * as z from 'zod';
import { resetState } from '../../../shared/core/reset.ts';
import { InvalidInput } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';

export const resetJob = operation({
  summary: 'Has the next run load every table of a job from scratch, while readers go on seeing all of them',
  input: z.strictObject({ jobId, confirm: z.string().describe("the job's id once more") }),
  async run({ jobId: id, confirm }, { edits, store, now }) {
    if (confirm !== id) throw new InvalidInput([{ field: 'confirm', message: `is not the job's id: give ${id}` }]);
    await readJobItem(edits, id);
    const { tables, states } = await store.readJob(id);
    const loaded = tables.flatMap((table) => {
      const seen = states.get(table.sourceName);
      return seen ? [{ table, seen }] : [];
    });
    // All or none, as far as can be seen: a table that a run works on is refused before the first is reset.
    for (const { table, seen } of loaded) resetState(table, seen.value, { kind: 'reload' }, now());
    for (const { table, seen } of loaded)
      await store.changeState(id, seen, (state) => resetState(table, state, { kind: 'reload' }, now()));
    return { job: id, tables: loaded.map(({ table }) => table.sourceName) };
  },
});
