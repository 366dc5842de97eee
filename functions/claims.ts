import type { Comparisons } from '../shared/aws/comparisons.ts';
import type { Store } from '../shared/aws/store.ts';
import { UNCLAIMED } from '../shared/model/compared.ts';

/** Leaves to the next run what this one was to compare after its loads. */
export async function giveUpClaims(
  { jobId, runId }: { jobId: string; runId: string },
  { store, comparisons }: { store: Store; comparisons: Comparisons },
): Promise<void> {
  const claims = [...(await store.readCompared(jobId)).values()].filter(({ claimedBy }) => claimedBy === runId);
  for (const { sourceName } of claims) await comparisons.change(jobId, sourceName, UNCLAIMED, { claimedBy: runId });
}
