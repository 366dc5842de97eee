import type { Edits, Item } from '../../../shared/aws/edits.ts';
import { tableKey } from '../../../shared/aws/keys.ts';
import { errors } from '../../../shared/model/errors.ts';
import { Revision } from '../../../shared/model/job.ts';
import { readJobItem } from '../jobs/read.ts';

/** A table's item whatever a person made of it. @throws LoaderError NotFound: no such job, or it has no such table */
export async function readTableItem(
  edits: Edits,
  jobId: string,
  table: string,
): Promise<{ raw: Item; revision: number }> {
  await readJobItem(edits, jobId);
  const item = await edits.read(jobId, tableKey(table));
  if (!item)
    throw errors.notFound(`job ${jobId} has no table ${JSON.stringify(table)}: tables list shows those there are`);
  const { pk: _pk, sk: _sk, ...raw } = item;
  return { raw, revision: Revision.catch(0).parse(raw.revision) };
}
