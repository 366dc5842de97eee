import type { StoredSchedule } from '../../../shared/aws/schedules.ts';
import { errors, InvalidInput } from '../../../shared/model/errors.ts';
import { parseInWords, problemsIn } from '../../../shared/model/problems.ts';
import { Schedule, sameName } from '../../../shared/model/schedule.ts';
import { readJobItem } from '../jobs/read.ts';
import type { AdminPorts } from '../operation.ts';

/** @throws LoaderError NotFound: no such job, or it has no such schedule */
export async function readSchedule(
  jobId: string,
  id: string,
  { edits, schedules }: Pick<AdminPorts, 'edits' | 'schedules'>,
): Promise<StoredSchedule> {
  await readJobItem(edits, jobId);
  const found = await schedules.read(jobId, id);
  if (found) return found;
  throw errors.notFound(`job ${jobId} has no schedule ${id}: schedules list shows those there are`);
}

/** @throws InvalidInput where a field is wrong, or its name is another schedule's of the job */
export function checkSchedule(given: unknown, others: StoredSchedule[]): Schedule {
  const parsed = parseInWords(Schedule, given);
  if (!parsed.success) throw new InvalidInput(problemsIn(parsed.error));
  const known = others.flatMap(({ schedule }) => (schedule instanceof Error ? [] : [schedule]));
  const namesake = sameName(parsed.data, known);
  if (!namesake) return parsed.data;
  const message = `is the name of schedule ${namesake.scheduleId} already: choose another`;
  throw new InvalidInput([{ field: 'name', message }]);
}
