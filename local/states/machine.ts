import type * as z from 'zod';
import { ServiceError } from '../service.ts';
import { checkWorkflow } from './checks.ts';
import { machineSchema, type State, type StateMachine, type Workflow } from './definition.ts';
import { MAX_DEFINITION } from './limits.ts';

/** Every state of a machine, those in branches and iterations included. */
export function* allStates(workflow: Workflow): Generator<[string, State]> {
  for (const [name, state] of Object.entries(workflow.States)) {
    yield [name, state];
    const inner = state.Type === 'Map' ? [state.ItemProcessor] : state.Type === 'Parallel' ? state.Branches : [];
    for (const nested of inner) yield* allStates(nested);
  }
}

const path = (parts: readonly PropertyKey[]): string => `/${parts.map(String).join('/')}`;

/** Zod's issues in one line each, with the hint that most often helps. */
function describe(issue: z.core.$ZodIssue): string {
  const hint =
    issue.code === 'unrecognized_keys'
      ? ' (fields of JSONPath states, of Distributed Map and others that this interpreter does not run are refused)'
      : '';
  const inner = issue.code === 'invalid_key' ? `: ${issue.issues.map((one) => one.message).join(', ')}` : '';
  return `${issue.message}${inner}${hint} at ${path(issue.path)}`;
}

function parse(definition: string): StateMachine {
  let json: unknown;
  try {
    json = JSON.parse(definition);
  } catch (error) {
    throw new ServiceError(
      'InvalidDefinition',
      `Invalid State Machine Definition: not JSON: ${(error as Error).message}`,
    );
  }
  const parsed = machineSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    'InvalidDefinition',
    `Invalid State Machine Definition: ${parsed.error.issues.map(describe).join('; ')}`,
  );
}

/**
 * Reads a definition in the Amazon States Language and refuses whatever this interpreter would not run as AWS does.
 * @param definition the JSON text, at most 1 MB
 * @throws ServiceError InvalidDefinition with every problem found
 */
export function parseMachine(definition: string): StateMachine {
  if (Buffer.byteLength(definition) > MAX_DEFINITION) {
    throw new ServiceError('InvalidDefinition', `Invalid State Machine Definition: more than ${MAX_DEFINITION} bytes`);
  }
  const machine = parse(definition);
  const problems: string[] = [];
  const problem = (where: string, what: string): void => {
    problems.push(`${what} at ${where}`);
  };
  const names = new Set<string>();
  for (const [name, state] of allStates(machine)) {
    if (names.has(name)) problem(`/${name}`, 'the name of a state must be unique within the whole machine');
    names.add(name);
    if ((state.QueryLanguage ?? machine.QueryLanguage) !== 'JSONata' || machine.QueryLanguage === 'JSONPath') {
      problem(`/${name}`, 'JSONPath is not supported: set "QueryLanguage": "JSONata"');
    }
  }
  checkWorkflow(machine, '', new Set(), problem);
  if (problems.length > 0) {
    throw new ServiceError('InvalidDefinition', `Invalid State Machine Definition: ${problems.join('; ')}`);
  }
  return machine;
}
