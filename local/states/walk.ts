import type { Branch } from './branch.ts';
import { runMap, runParallel } from './concurrent.ts';
import type { State } from './definition.ts';
import { Aborted, asStateError, type StateError, unlessAborted } from './errors.ts';
import { withinLimit } from './limits.ts';
import { catcherOf, nextRetry } from './retry.ts';
import { choose, fail, wait } from './simple.ts';
import { runTask } from './task.ts';
import { type Leaving, leave, type Run, type Visit } from './visit.ts';

/**
 * Walks a branch from where it stands to its end. What it reaches is kept in the branch, so walking it again after a
 * failure goes on from the state that failed.
 * @returns the output of the last state
 * @throws StateError where a state fails for good; Aborted
 */
export async function walk(run: Run, branch: Branch, signal: AbortSignal): Promise<unknown> {
  while (!branch.finished) {
    const state = branch.workflow.States[branch.at];
    if (!state) throw new Error(`no state ${branch.at}`);
    const { next, output, assign } = await visitState(run, branch, state, signal);
    Object.assign(branch.variables, assign);
    branch.entered = undefined;
    branch.inner = undefined;
    if (next === undefined) branch.finished = { output };
    else {
      branch.at = next;
      branch.input = output;
    }
  }
  return branch.finished.output;
}

async function visitState(run: Run, branch: Branch, state: State, signal: AbortSignal): Promise<Leaving> {
  const name = branch.at;
  if (signal.aborted) throw new Aborted();
  // A redriven Task is scheduled again without being entered again; a Fail state is re-entered ("Redrive behavior").
  if (!branch.entered || state.Type === 'Fail') {
    branch.entered = run.now();
    run.transition();
    run.history.add(branch, `${state.Type}StateEntered`, {
      name,
      input: withinLimit(branch.input, `the input of ${name}`),
    });
  }
  try {
    const leaving = await attempts(run, branch, state, signal);
    const assigned = Object.entries(leaving.assign).map(([key, value]) => [key, JSON.stringify(value)]);
    const assignedVariables = assigned.length > 0 ? { assignedVariables: Object.fromEntries(assigned) } : {};
    if (state.Type !== 'Fail') {
      run.history.add(branch, `${state.Type}StateExited`, {
        name,
        output: JSON.stringify(leaving.output),
        ...assignedVariables,
      });
    }
    return leaving;
  } catch (error) {
    if (error instanceof Aborted && 'Next' in state && state.Type !== 'Pass') {
      run.history.addIfRoom(branch, `${state.Type}StateAborted`);
    }
    throw error;
  }
}

/** Attempts at one state until it is left: by success, by a catcher, or by an error that nothing handles. */
async function attempts(run: Run, branch: Branch, state: State, signal: AbortSignal): Promise<Leaving> {
  const used = new Map<number, number>();
  for (let retryCount = 0; ; retryCount++) {
    const visit: Visit = { run, branch, name: branch.at, state, input: branch.input, signal, retryCount };
    try {
      await injectFault(visit, 'enter');
      const leaving = await attempt(visit);
      await injectFault(visit, 'exit');
      return leaving;
    } catch (thrown) {
      if (thrown instanceof Aborted || signal.aborted) throw new Aborted();
      const error = asStateError(thrown);
      noteEvaluation(visit, error);
      const retry = nextRetry('Retry' in state ? (state.Retry ?? []) : [], used, error.name, Math.random());
      if (!retry) return handle(visit, error);
      used.set(retry.retrier, (used.get(retry.retrier) ?? 0) + 1);
      await unlessAborted(run.sleep(retry.waitMs, signal), signal);
      run.transition();
      branch.inner = undefined;
    }
  }
}

/** Does the state's work once and evaluates how it is left. */
async function attempt(visit: Visit): Promise<Leaving> {
  const { state, input } = visit;
  const next = 'Next' in state ? state.Next : undefined;
  switch (state.Type) {
    case 'Pass':
    case 'Succeed':
      return leave(visit, state, { next, fallback: input });
    case 'Wait':
      await wait({ ...visit, state });
      return leave(visit, state, { next, fallback: input });
    case 'Choice':
      return choose({ ...visit, state });
    case 'Fail':
      return fail({ ...visit, state });
    case 'Task':
    case 'Map':
    case 'Parallel': {
      const result =
        state.Type === 'Task'
          ? await runTask({ ...visit, state })
          : state.Type === 'Map'
            ? await runMap({ ...visit, state }, walk)
            : await runParallel({ ...visit, state }, walk);
      return leave(visit, state, { next, fallback: result, extra: { result } });
    }
  }
}

/** Leaves the state by the catcher that fits. @throws the error where none does */
async function handle(visit: Visit, error: StateError): Promise<Leaving> {
  const { state } = visit;
  const catcher = catcherOf('Catch' in state ? (state.Catch ?? []) : [], error.name);
  if (!catcher) throw error;
  const errorOutput = { Error: error.name, Cause: error.cause };
  return leave(visit, catcher, { next: catcher.Next, fallback: errorOutput, extra: { errorOutput } });
}

function noteEvaluation(visit: Visit, error: StateError): void {
  if (error.name !== 'States.QueryEvaluationError' || error.location === undefined) return;
  const { name: state, branch, run } = visit;
  const { name, cause, location } = error;
  run.history.addIfRoom(branch, 'EvaluationFailed', { error: name, cause, location, state });
}

async function injectFault({ run, name, signal }: Visit, moment: 'enter' | 'exit'): Promise<void> {
  const injected = run.ports.fault?.({ executionArn: run.executionArn, state: name, moment });
  if (injected) await unlessAborted(injected, signal);
}
