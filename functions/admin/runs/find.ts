import { errors } from '../../../shared/model/errors.ts';
import type { Run } from '../../../shared/model/run.ts';
import type { AdminPorts } from '../operation.ts';

/** How far back a run is looked for by its id. */
const LOOKED_THROUGH = 500;

/** @throws LoaderError NotFound */
export async function findRun(
  id: string,
  runId: string,
  { runs, machines }: Pick<AdminPorts, 'runs' | 'machines'>,
): Promise<Run> {
  const newest = await runs.list(id, runId === 'latest' ? 1 : LOOKED_THROUGH);
  const found = runId === 'latest' ? newest[0] : newest.find((run) => run.runId === runId);
  if (found) return found;
  // Until plan has looked at the source there is no record, only the execution.
  const execution = runId === 'latest' ? null : await machines.describe('loadJob', runId);
  if (!execution) throw errors.notFound(`job ${id} has no run ${runId}: runs list shows those there are`);
  const { startedAt, status, error } = execution;
  return {
    runId,
    trigger: 'hand',
    scheduledTime: startedAt,
    startedAt,
    status,
    warnings: [],
    tables: {},
    expected: [],
    ...(error ? { error } : {}),
    expiresAt: 0,
  };
}
