import type { ChoiceState, FailState, WaitState } from './definition.ts';
import { StateError, unlessAborted } from './errors.ts';
import { evaluate, evaluateInteger, evaluateString } from './expression.ts';
import { bindings, type Leaving, leave, type Visit } from './visit.ts';

/** The states that do no work of their own: Pass and Succeed only leave, the others are here. */

const MAX_SECONDS = 99_999_999;

/**
 * Takes the first rule whose Condition is true, else Default. A rule's Assign and Output stand in for the state's own,
 * which count for Default only ("Using Assign with Choice states" in the Developer Guide).
 */
export async function choose(visit: Visit<ChoiceState>): Promise<Leaving> {
  const { state, name, input } = visit;
  const seen = bindings(visit);
  for (const [i, rule] of state.Choices.entries()) {
    const location = `Choices[${i}]/Condition`;
    const met = await evaluate(rule.Condition, seen, location);
    if (typeof met !== 'boolean') {
      const cause = `The field ${location} must evaluate to true or false, not ${JSON.stringify(met)}`;
      throw new StateError('States.QueryEvaluationError', cause, location);
    }
    if (met) return leave(visit, rule, { next: rule.Next, fallback: input });
  }
  if (state.Default === undefined) {
    throw new StateError('States.NoChoiceMatched', `no rule of ${name} was met, and it has no Default`);
  }
  return leave(visit, state, { next: state.Default, fallback: input });
}

/** @throws StateError always: by the state's own Error and Cause */
export async function fail(visit: Visit<FailState>): Promise<never> {
  const { Error: error = '', Cause: cause = '' } = visit.state;
  const seen = bindings(visit);
  throw new StateError(await evaluateString(error, seen, 'Error'), await evaluateString(cause, seen, 'Cause'));
}

/** Sleeps for Seconds, or until Timestamp. */
export async function wait(visit: Visit<WaitState>): Promise<void> {
  const { state, run, signal } = visit;
  const seen = bindings(visit);
  const ms =
    state.Seconds === undefined
      ? (await moment(visit)) - run.now().getTime()
      : 1000 * (await evaluateInteger(state.Seconds, seen, 'Seconds', { least: 0, most: MAX_SECONDS }));
  if (ms > 0) await unlessAborted(run.sleep(ms, signal), signal);
}

async function moment(visit: Visit<WaitState>): Promise<number> {
  const text = await evaluateString(visit.state.Timestamp, bindings(visit), 'Timestamp');
  const date = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(date)) {
    const cause = `The field Timestamp must be a date like 2026-03-14T01:59:00Z, not ${text}`;
    throw new StateError('States.QueryEvaluationError', cause, 'Timestamp');
  }
  return date;
}
