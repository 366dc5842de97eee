import type { TableState } from '../model/state.ts';
import { qualified } from '../sql/quote.ts';
import { stageTableName } from './names.ts';

/**
 * A pass that replaces by several batches and broke off leaves its stage in the warehouse, which goes with the table's next load.
 * Where there will be none, people drop it.
 *
 * @param schema the destination's; absent where the deployment has it no longer
 * @returns a statement for each
 */
export const stagesLeft = (jobId: string, states: TableState[], schema?: string): string[] =>
  states.flatMap(({ sourceName, staged }) =>
    staged && schema !== undefined
      ? [`DROP TABLE IF EXISTS ${qualified(schema, stageTableName(jobId, sourceName))};`]
      : [],
  );
