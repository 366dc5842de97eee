import type { Workflow } from './definition.ts';
import type { Strand } from './history.ts';

/**
 * One walk through a workflow: the machine's own, a Parallel's branch or a Map's iteration. It is all that is needed to
 * go on from where it stopped, so a redrive simply walks it again.
 */
export interface Branch extends Strand {
  workflow: Workflow;
  /** The state that the walk is at, with that state's input. */
  at: string;
  input: unknown;
  /** When that state was entered; absent while it still has to be. */
  entered: Date | undefined;
  /** What the enclosing workflows had assigned when this branch began, and what this one assigned. */
  outer: Record<string, unknown>;
  variables: Record<string, unknown>;
  /** The walks inside the Parallel or Map at hand; kept over a failure, so that a redrive repeats only the unfinished. */
  inner: Branch[] | undefined;
  /** Present once the walk is through. */
  finished: { output: unknown } | undefined;
  /** The place in a Map's items. */
  index: number | undefined;
}

/** A branch before its first state. `lastEvent` is the event that it follows. */
export function newBranch(
  workflow: Workflow,
  input: unknown,
  from: { outer: Record<string, unknown>; lastEvent: number; index?: number },
): Branch {
  return {
    workflow,
    at: workflow.StartAt,
    input,
    entered: undefined,
    outer: from.outer,
    variables: {},
    inner: undefined,
    finished: undefined,
    index: from.index,
    lastEvent: from.lastEvent,
  };
}

/** Every variable that the branch's states can read. */
export const readable = (branch: Branch): Record<string, unknown> => ({ ...branch.outer, ...branch.variables });
