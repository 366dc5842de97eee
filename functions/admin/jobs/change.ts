import type { Edits, Item } from '../../../shared/aws/edits.ts';
import { checkVersion, overtaken } from '../fields.ts';
import { readJobItem } from './read.ts';
import { parseJob } from './settings.ts';

/** Changes some of a job's settings, if it still is at the version that the editor saw. */
export async function changeJob(jobId: string, change: Item, ifVersion: number | undefined, edits: Edits) {
  const { raw, revision } = await readJobItem(edits, jobId);
  checkVersion(`job ${jobId}`, revision, ifVersion);
  parseJob({ ...raw, ...change });
  if (!(await edits.edit(jobId, 'JOB', change, revision))) throw overtaken(`job ${jobId}`);
  return { job: jobId, version: revision + 1 };
}
