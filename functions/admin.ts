import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { Comparisons } from '../shared/aws/comparisons.ts';
import { Edits } from '../shared/aws/edits.ts';
import { destinationsIn, environmentOf } from '../shared/aws/environment.ts';
import { MachineArns, Machines } from '../shared/aws/machines.ts';
import { Runs } from '../shared/aws/runs.ts';
import { Schedules } from '../shared/aws/schedules.ts';
import { probeSource } from '../shared/aws/source-probe.ts';
import { SourceSecrets } from '../shared/aws/source-secrets.ts';
import { Store } from '../shared/aws/store.ts';
import { Ticks } from '../shared/aws/ticks.ts';
import type { Answer } from '../shared/model/answer.ts';
import { errors, InvalidInput, LoaderError } from '../shared/model/errors.ts';
import { parseInWords, problemsIn } from '../shared/model/problems.ts';
import { withoutPasswords } from '../shared/model/redact.ts';
import type { AdminPorts, Operation } from './admin/operation.ts';
import { OPERATIONS } from './admin/operations.ts';
import { handle } from './edge.ts';

/** `{"operation": "jobs.show", "jobId": "orders"}`: the operation's name beside its input. */
export const AdminEvent = z
  .looseObject({ operation: z.string().default('') })
  .transform(({ operation, ...input }) => ({ operation, input }));
export type AdminEvent = z.output<typeof AdminEvent>;

/**
 * Does one operation. What a person can mend is an answer, not an error of the function: whatever stands in front of it –
 * the command line, a page – tells it the same way.
 */
export async function admin({ operation, input }: AdminEvent, ports: AdminPorts): Promise<Answer> {
  try {
    const { input: schema, run } = operationNamed(operation);
    return { ok: true, result: await run(parseInput(schema, input), ports) };
  } catch (error) {
    if (!(error instanceof LoaderError)) throw error;
    const problems = error instanceof InvalidInput ? error.problems : [];
    return {
      ok: false,
      error: {
        name: error.name,
        message: withoutPasswords(error.message),
        problems: problems.map(({ field, message }) => ({
          field: withoutPasswords(field),
          message: withoutPasswords(message),
        })),
      },
    };
  }
}

const ALL: Record<string, Operation> = OPERATIONS;

function operationNamed(name: string): Operation {
  const found = Object.hasOwn(ALL, name) ? ALL[name] : undefined;
  if (found) return found;
  throw errors.notFound(`there is no operation ${JSON.stringify(name)}: there are ${Object.keys(ALL).join(', ')}`);
}

function parseInput(schema: z.ZodType, input: unknown): unknown {
  const parsed = parseInWords(schema, input);
  if (parsed.success) return parsed.data;
  throw new InvalidInput(problemsIn(parsed.error));
}

export const handler = handle(AdminEvent, async (event, { logger, now }) => {
  const { TABLE_NAME, DESTINATIONS, MACHINES, PROBE_FUNCTION } = environmentOf('admin');
  const answer = await admin(event, {
    store: new Store(TABLE_NAME),
    runs: new Runs(TABLE_NAME),
    comparisons: new Comparisons(TABLE_NAME),
    edits: new Edits(TABLE_NAME),
    schedules: new Schedules(TABLE_NAME),
    ticks: new Ticks(TABLE_NAME),
    secrets: new SourceSecrets(),
    machines: new Machines(MachineArns.parse(JSON.parse(MACHINES))),
    destinations: destinationsIn(DESTINATIONS),
    probe: (jobId) => probeSource(PROBE_FUNCTION, jobId),
    now,
    newId: randomUUID,
  });
  // Who edited what: the fields by name alone, since a value may be a connection string.
  const operation = Object.hasOwn(ALL, event.operation) ? event.operation : 'unknown';
  logger.info('operation', {
    operation,
    fields: Object.keys(event.input).map(withoutPasswords),
    refused: answer.ok ? null : answer.error.name,
  });
  return answer;
});
