import * as z from 'zod';
import type { Execution } from '../../../shared/aws/machines.ts';
import { errors } from '../../../shared/model/errors.ts';
import type { Table } from '../../../shared/model/table.ts';
import { operation } from '../operation.ts';

/** What jobs.setup told the machine. */
const Asked = z.object({ jobId: z.string() });
/** What the machine answers: see `Inspected` and `Created`. */
const Output = z.looseObject({
  tables: z.number(),
  checks: z.array(z.string()).default([]),
  grants: z.array(z.string()).default([]),
  refused: z.array(z.string()).default([]),
});

/** How setup would copy a table, and what a person should check about it. */
type Guessed = { table: string } & Pick<Table, 'copyMode' | 'primaryKey' | 'updatedKey' | 'why' | 'checks'>;

interface SetUp extends Omit<Execution, 'input' | 'output'> {
  setupId: string;
  job: string;
  /** Null where it has not succeeded. */
  output: z.infer<typeof Output> | null;
  tables: Guessed[];
}

export const showSetup = operation({
  summary: 'Shows whether a setup has ended, and what it found',
  input: z.strictObject({
    setupId: z
      .string()
      .regex(/^[\w-]{1,80}$/, 'is no id of a setup: jobs setup tells it')
      .describe("the setup's id"),
  }),
  async run({ setupId }, { machines, store }): Promise<SetUp> {
    const found = await machines.describe('setupJob', setupId);
    if (!found) throw errors.notFound(`there is no setup ${setupId}: start one with jobs setup`);
    const { input, output, ...shown } = found;
    const { jobId: job } = Asked.parse(input);
    if (found.status !== 'succeeded') return { setupId, job, ...shown, output: null, tables: [] };
    // A schema's worth of checks is more than a state machine carries: they are read where setup left them.
    const { tables } = await store.readJob(job);
    return { setupId, job, ...shown, output: Output.parse(output), tables: tables.flatMap(guessOf) };
  },
});

/** Nothing about a table that a person leaves out. */
function guessOf({ sourceName, disabled, copyMode, primaryKey, updatedKey, why, checks }: Table): Guessed[] {
  return disabled ? [] : [{ table: sourceName, copyMode, primaryKey, updatedKey, why, checks }];
}
