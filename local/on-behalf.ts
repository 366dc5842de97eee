import { AsyncLocalStorage } from 'node:async_hooks';

const executions = new AsyncLocalStorage<string | undefined>();

/** The ARN of the execution on whose behalf this is done; undefined where a person, a schedule or a stream asked for it. */
export const executionAtWork = (): string | undefined => executions.getStore();

/** Does something, and whatever follows from it in this process, on behalf of an execution or, with undefined, of none. */
export const onBehalfOf = <T>(execution: string | undefined, act: () => T): T => executions.run(execution, act);
