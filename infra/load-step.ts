import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Choice, Condition, Fail, type IChainable, type State, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { call, jsonata } from './task.ts';

/**
 * load ↺ while its statement runs: each call waits for as long as it may, then hands its statement to the next. An error
 * goes on to `then` as {error}, so that one load never stops the others.
 */
export function loadUntilDone(scope: Construct, load: IFunction, payload: object | string, then: State): IChainable {
  const step = call(scope, 'Load', load, payload);
  step.addCatch(then, { outputs: { error: jsonata('$states.errorOutput') } });
  const again = call(scope, 'Load on', load, jsonata('$states.input.next'));
  again.addCatch(then, { outputs: { error: jsonata('$states.errorOutput') } });
  const done = Choice.jsonata(scope, 'Loaded?')
    .when(Condition.jsonata(jsonata('$states.input.done')), then)
    .otherwise(again);
  again.next(done);
  return step.next(done);
}

/** How an execution ends: as its last step, finish, judges the run; a failed one names the tables and what to do. */
export const asFinished = (scope: Construct, error: string): Choice =>
  Choice.jsonata(scope, 'All well?')
    .when(Condition.jsonata(jsonata("$states.input.status = 'succeeded'")), Succeed.jsonata(scope, 'Done'))
    .otherwise(Fail.jsonata(scope, 'Failed', { error, cause: jsonata('$substring($states.input.reason, 0, 30000)') }));
