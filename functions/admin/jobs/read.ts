import type { Edits, Item } from '../../../shared/aws/edits.ts';
import { errors } from '../../../shared/model/errors.ts';
import { Revision } from '../../../shared/model/job.ts';

/** A job's item whatever a person made of it: what is broken can still be mended or deleted. @throws LoaderError NotFound */
export async function readJobItem(edits: Edits, jobId: string): Promise<{ raw: Item; revision: number }> {
  const item = await edits.read(jobId, 'JOB');
  if (!item) throw errors.notFound(`there is no job ${JSON.stringify(jobId)}: jobs list shows those there are`);
  const { pk: _pk, sk: _sk, ...raw } = item;
  return { raw, revision: Revision.catch(0).parse(raw.revision) };
}
