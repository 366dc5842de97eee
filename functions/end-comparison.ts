import type { Comparisons } from '../shared/aws/comparisons.ts';
import type { Stage } from '../shared/aws/stage.ts';
import type { Store } from '../shared/aws/store.ts';
import { afterComparison } from '../shared/core/outcome.ts';
import { type ComparisonEvent, comparisonOwner, UNCLAIMED } from '../shared/model/compared.ts';
import { describeStepError } from '../shared/model/errors.ts';
import type { TableState } from '../shared/model/state.ts';
import type { Edge } from './edge.ts';
import { discardStaged } from './sweep.ts';

/**
 * A comparison that broke off: said on the table's item, and begun again when its time comes; at once where its execution was
 * stopped, and then redriven.
 */
export async function endComparison(
  event: ComparisonEvent,
  ports: { store: Store; comparisons: Comparisons; stage: Stage },
  edge: Edge,
): Promise<ComparisonEvent> {
  const error = describeStepError(event.error ?? {});
  edge.logger.error('comparison broke off', { table: event.table, kind: event.kind, error });
  const { stopped } = await ports.comparisons.read(event.jobId, event.table);
  const told = {
    ...UNCLAIMED,
    [`${event.kind}Error`]: error,
    ...(event.kind === 'verify' ? { suspects: undefined } : {}),
  };
  // Once stopped, it may come to this when the next has long begun.
  if (stopped === event.runId) await ports.comparisons.tell(event, { ...told, [`${event.kind}Begun`]: undefined });
  else
    await ports.comparisons.change(event.jobId, event.table, {
      ...told,
      [`${event.kind}Ended`]: edge.now().toISOString(),
    });
  await giveBack(event, ports.store);
  await discardStaged(event.jobId, event.table, event.runId, ports.stage);
  return { ...event, step: 'done' };
}

/** What the comparison holds of the table, if anything. */
export async function giveBack(event: ComparisonEvent, store: Store): Promise<void> {
  const { jobId, table } = event;
  const mine = ({ lease }: TableState): boolean => lease?.owner === comparisonOwner(event);
  await store.changeState(jobId, await store.readState(jobId, table), (state) =>
    mine(state) ? afterComparison(state) : null,
  );
}
