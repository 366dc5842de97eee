import type { Branch } from './branch.ts';
import { readable } from './branch.ts';
import type { State } from './definition.ts';
import { StateError } from './errors.ts';
import { type Bindings, evaluate } from './expression.ts';
import type { History } from './history.ts';
import { MAX_PAYLOAD, MAX_VARIABLES, withinLimit } from './limits.ts';
import type { StatesPorts } from './ports.ts';

/** What every state of one execution shares. */
export interface Run {
  executionArn: string;
  roleArn: string;
  history: History;
  ports: StatesPorts;
  /** `Execution` and `StateMachine` of the context object. */
  context: Record<string, unknown>;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  now(): Date;
  /** Counts a state transition, as AWS bills it. */
  transition(): void;
  /** Starts an execution of another machine (or this one): the states:startExecution integration. */
  startExecution(input: { stateMachineArn: string; name?: string; input: string }): {
    executionArn: string;
    startDate: Date;
  };
}

/** One attempt at one state. */
export interface Visit<S extends State = State> {
  run: Run;
  branch: Branch;
  name: string;
  state: S;
  input: unknown;
  /** Aborts when the execution stops or a sibling fails. */
  signal: AbortSignal;
  retryCount: number;
}

/** How a state is left: the values are evaluated, nothing is stored yet. */
export interface Leaving {
  next: string | undefined;
  output: unknown;
  assign: Record<string, unknown>;
}

/** ISO 8601 as Step Functions writes it: no fraction where it is zero. */
export const isoDate = (date: Date): string => date.toISOString().replace('.000Z', 'Z');

/** `$states` and the variables for a visit; `extra` adds result or errorOutput, `item` the Map context. */
export function bindings(visit: Visit, extra: Record<string, unknown> = {}, item?: unknown): Bindings {
  const { branch, run } = visit;
  const State = {
    EnteredTime: isoDate(branch.entered ?? run.now()),
    Name: visit.name,
    RetryCount: visit.retryCount,
  };
  const context = { ...run.context, State, ...(item === undefined ? {} : { Map: { Item: item } }) };
  return { states: { input: visit.input, context, ...extra }, variables: readable(branch) };
}

/**
 * Evaluates Assign and Output, both with the variables as they were on entry.
 * @param fallback the output where the state gives none
 * @throws StateError States.QueryEvaluationError, or States.DataLimitExceeded over 256 KiB
 */
export async function leave(
  visit: Visit,
  fields: { Assign?: Record<string, unknown> | undefined; Output?: unknown },
  to: { next: string | undefined; fallback: unknown; extra?: Record<string, unknown> },
): Promise<Leaving> {
  const seen = bindings(visit, to.extra);
  const output = fields.Output === undefined ? to.fallback : await evaluate(fields.Output, seen, 'Output');
  withinLimit(output, `the output of state ${visit.name}`);
  const assign = (await evaluate(fields.Assign ?? {}, seen, 'Assign')) as Record<string, unknown>;
  if (fields.Assign) checkVariables(visit, assign);
  return { next: to.next, output, assign };
}

/** One Assign holds at most 256 KiB, all variables of an execution 10 MiB (Developer Guide, "Variable limits"). */
function checkVariables(visit: Visit, assign: Record<string, unknown>): void {
  withinLimit(assign, `what state ${visit.name} assigns`);
  const all = { ...readable(visit.branch), ...assign };
  // A variable has at most MAX_PAYLOAD bytes, so few of them need no counting.
  if (Object.keys(all).length * MAX_PAYLOAD <= MAX_VARIABLES) return;
  const bytes = Buffer.byteLength(JSON.stringify(all));
  if (bytes > MAX_VARIABLES) {
    const cause = `all variables together have ${bytes} bytes, more than ${MAX_VARIABLES}: assign fewer in ${visit.name}`;
    throw new StateError('States.DataLimitExceeded', cause);
  }
}
