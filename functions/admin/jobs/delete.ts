import * as z from 'zod';
import { runningText } from '../../../shared/aws/machines.ts';
import { stagesLeft } from '../../../shared/core/stages-left.ts';
import { errors, InvalidInput } from '../../../shared/model/errors.ts';
import { jobId, overtaken } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';

export const deleteJob = operation({
  summary:
    "Deletes a job with its schedules, its tables' progress, its history and its own secret; the warehouse keeps its rows",
  input: z.strictObject({ jobId, confirm: z.string().describe("the job's id once more") }),
  async run({ jobId: id, confirm }, { edits, store, secrets, machines, destinations }) {
    if (confirm !== id) throw new InvalidInput([{ field: 'confirm', message: `is not the job's id: give ${id}` }]);
    const { raw, revision } = await readJobItem(edits, id);
    const running = await machines.runningFor(id);
    if (running.length > 0)
      throw errors.refused(`job ${id} is at work (${runningText(running)}): wait until that has ended, then delete it`);
    // No tick begins a run any more; one that began since we looked is waited for.
    if (!(await edits.edit(id, 'JOB', { disabled: true }, revision))) throw overtaken(`job ${id}`);
    const begun = await machines.runningFor(id);
    if (begun.length > 0)
      throw errors.refused(
        `job ${id} began a run just now (${runningText(begun)}), and is paused: wait, then delete it`,
      );
    const schema = destinations.find(({ name }) => name === raw.destination)?.schema;
    const stages = stagesLeft(
      id,
      [...(await store.readStates(id)).values()].map(({ value }) => value),
      schema,
    );
    const items = await edits.deleteJob(id);
    // Last: an item that was kept could else name a secret that is gone.
    if (raw.ownsSecret === true) await secrets.remove(String(raw.secretArn));
    return { job: id, items, secretRemoved: raw.ownsSecret === true, stages };
  },
});
