import * as z from 'zod';
import { stateIn } from '../../../shared/aws/store.ts';
import { mayRun } from '../../../shared/core/due.ts';
import { waitsForReset } from '../../../shared/core/reset.ts';
import { COMPARISONS } from '../../../shared/model/compared.ts';
import { errors, InvalidInput } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';

export const verifyJob = operation({
  summary: 'Compares tables on both sides, row by row where they differ, and names the rows',
  input: z.strictObject({
    jobId,
    tables: z.array(z.string().min(1)).optional().describe('these alone; all that are loaded where it is left out'),
    repair: z.boolean().default(false).describe('replace rows that differ by what the source has'),
  }),
  async run({ jobId: id, tables: only, repair }, { edits, store, comparisons, machines, newId, now }) {
    await readJobItem(edits, id);
    const { tables, states, compared } = await store.readJob(id);
    const enabled = tables.filter(({ disabled }) => !disabled).map(({ sourceName }) => sourceName);
    const loaded = enabled.filter((name) => stateIn(states, name).value.watermark);
    const reset = enabled.filter((name) => waitsForReset(stateIn(states, name).value));
    const waiting = reset.filter((name) => only?.includes(name) ?? true);
    if (waiting.length > 0)
      throw errors.refused(
        `${waiting.join(', ')}: a reset waits for the next run – run the job first (jobs run ${id}), or name other tables`,
      );
    const names = only ?? loaded;
    const unknown = names.filter((name) => !loaded.includes(name));
    if (unknown.length > 0)
      throw new InvalidInput([
        {
          field: 'tables',
          message: `${unknown.join(', ')}: no such table is loaded and enabled – tables list shows those there are`,
        },
      ]);
    if (names.length === 0) throw errors.refused(`job ${id} has loaded nothing yet: run it, then verify it`);
    const running = (await machines.runningFor(id)).some(({ machine }) => machine === 'verifyJob');
    const busy = !running
      ? []
      : names.filter((name) => {
          const known = compared.get(name);
          return known && COMPARISONS.some((kind) => mayRun(known, kind, now()));
        });
    if (busy.length > 0)
      throw errors.refused(
        `${busy.join(', ')}: both sides are being compared already – verify again when that has ended`,
      );
    const verifyId = newId();
    // What earlier verifications said is gone: what is there afterwards is this one's.
    const begun = {
      verifyBegun: now().toISOString(),
      verifyBy: verifyId,
      suspects: undefined,
      found: undefined,
      verifyError: undefined,
    };
    await Promise.all(names.map((name) => comparisons.change(id, name, begun)));
    const wanted = names.map((table) => ({ table, kind: 'verify' }));
    await machines.start('verifyJob', verifyId, { jobId: id, comparisons: wanted, repair });
    return { job: id, verifyId, tables: names };
  },
});
