import { type Branch, newBranch, readable } from './branch.ts';
import type { MapState, ParallelState } from './definition.ts';
import { Aborted, asStateError, StateError } from './errors.ts';
import { evaluate, evaluateInteger } from './expression.ts';
import { MAX_INLINE_CONCURRENCY, withinLimit } from './limits.ts';
import { bindings, type Run, type Visit } from './visit.ts';

/** Walks a branch to its end: handed in, for it is the walk that visits Map and Parallel. */
export type Walk = (run: Run, branch: Branch, signal: AbortSignal) => Promise<unknown>;

/**
 * Walks the unfinished branches, so many at a time. The first failure stops the others; all have stopped when it throws.
 * @throws the first failure
 */
async function walkAll(
  visit: Visit,
  branches: Branch[],
  concurrency: number,
  walkOne: (branch: Branch, signal: AbortSignal) => Promise<void>,
) {
  const siblings = new AbortController();
  const signal = AbortSignal.any([visit.signal, siblings.signal]);
  const waiting = branches.filter((branch) => !branch.finished).values();
  let failure: unknown;
  const worker = async (): Promise<void> => {
    for (const branch of waiting) {
      if (signal.aborted) return;
      try {
        await walkOne(branch, signal);
      } catch (error) {
        failure ??= error;
        siblings.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, branches.length) }, worker));
  if (visit.signal.aborted) throw new Aborted();
  if (failure !== undefined) throw failure;
}

async function itemsOf(visit: Visit<MapState>): Promise<unknown[]> {
  const { state } = visit;
  const items = state.Items === undefined ? visit.input : await evaluate(state.Items, bindings(visit), 'Items');
  if (Array.isArray(items)) return items;
  throw new StateError(
    'States.QueryEvaluationError',
    'The field Items must be an array: JSONata turns a result of one element into that element, so write [expression]',
    'Items',
  );
}

/** The iterations of a Map before they start, each with its item, or with what ItemSelector makes of it. */
async function iterations(visit: Visit<MapState>): Promise<Branch[]> {
  const { state, branch } = visit;
  const items = await itemsOf(visit);
  const outer = readable(branch);
  return Promise.all(
    items.map(async (value, index) => {
      const item = { Index: index, Value: value, Source: 'STATE_DATA' };
      const input =
        state.ItemSelector === undefined
          ? value
          : await evaluate(state.ItemSelector, bindings(visit, {}, item), 'ItemSelector');
      withinLimit(input, `item ${index} of state ${visit.name}`);
      return newBranch(state.ItemProcessor, input, { outer, lastEvent: 0, index });
    }),
  );
}

async function iterate(visit: Visit<MapState>, iteration: Branch, signal: AbortSignal, walk: Walk): Promise<void> {
  const { history } = visit.run;
  const details = { name: visit.name, index: iteration.index };
  if (iteration.lastEvent === 0) {
    iteration.lastEvent = visit.branch.lastEvent;
    history.add(iteration, 'MapIterationStarted', details);
  }
  try {
    await walk(visit.run, iteration, signal);
    history.add(iteration, 'MapIterationSucceeded', details);
  } catch (error) {
    history.addIfRoom(iteration, error instanceof Aborted ? 'MapIterationAborted' : 'MapIterationFailed', details);
    throw error;
  }
}

/** The results in order; they must fit into one payload. */
function collect(visit: Visit, branches: Branch[]): unknown[] {
  const results = branches.map((branch) => branch.finished?.output);
  withinLimit(results, `the result of state ${visit.name}`);
  return results;
}

/**
 * An inline Map, at most 40 iterations at a time; one failed iteration fails it. Iterations that have finished before a
 * failure are not repeated on redrive.
 */
export async function runMap(visit: Visit<MapState>, walk: Walk): Promise<unknown[]> {
  const { state, branch, run } = visit;
  const most = { least: 0, most: 99_999_999 };
  const asked = await evaluateInteger(state.MaxConcurrency ?? 0, bindings(visit), 'MaxConcurrency', most);
  if (!branch.inner) {
    const started = await iterations(visit);
    run.history.add(branch, 'MapStateStarted', { length: started.length });
    branch.inner = started;
  }
  const inner = branch.inner;
  const concurrency = asked === 0 ? MAX_INLINE_CONCURRENCY : Math.min(asked, MAX_INLINE_CONCURRENCY);
  return whole(visit, 'Map', async () => {
    await walkAll(visit, inner, concurrency, (iteration, signal) => iterate(visit, iteration, signal, walk));
    return collect(visit, inner);
  });
}

/** All branches at once, each with the same input; one failed branch fails the state. */
export async function runParallel(visit: Visit<ParallelState>, walk: Walk): Promise<unknown[]> {
  const { state, branch, run } = visit;
  if (!branch.inner) {
    const input =
      state.Arguments === undefined ? visit.input : await evaluate(state.Arguments, bindings(visit), 'Arguments');
    withinLimit(input, `the arguments of state ${visit.name}`);
    run.history.add(branch, 'ParallelStateStarted');
    const from = { outer: readable(branch), lastEvent: branch.lastEvent };
    branch.inner = state.Branches.map((workflow) => newBranch(workflow, input, from));
  }
  const inner = branch.inner;
  return whole(visit, 'Parallel', async () => {
    await walkAll(visit, inner, inner.length, async (one, signal) => void (await walk(run, one, signal)));
    return collect(visit, inner);
  });
}

/** The events that end a Map or Parallel, and the rule that too much data repeats all of it on redrive. */
async function whole(visit: Visit, kind: 'Map' | 'Parallel', work: () => Promise<unknown[]>): Promise<unknown[]> {
  const { branch, run } = visit;
  try {
    const results = await work();
    run.history.add(branch, `${kind}StateSucceeded`);
    return results;
  } catch (thrown) {
    if (thrown instanceof Aborted) throw thrown;
    run.history.addIfRoom(branch, `${kind}StateFailed`);
    const error = asStateError(thrown);
    if (error.name === 'States.DataLimitExceeded') branch.inner = undefined;
    // Without the location: the evaluation that failed was the inner state's, and is in the history already.
    throw new StateError(error.name, error.cause);
  }
}
