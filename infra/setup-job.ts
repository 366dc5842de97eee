import { Duration } from 'aws-cdk-lib';
import { DefinitionBody, QueryLanguage, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { Functions } from './functions.ts';
import { machineLogs } from './machine-logs.ts';
import { accept, versionsOf, XRAY } from './nag.ts';
import { NAMES } from './names.ts';
import { call, jsonata } from './task.ts';

/** Both steps, each tried as often as it may be for as long as its function may take, end sooner. */
const SETS_UP_FOR = Duration.hours(3);

/** Setup: inspect the source, then create what the warehouse lacks. Input: {jobId}. Output: what inspect found. */
export class SetupJob extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, { all }: Functions) {
    super(scope, id);
    const inspect = call(
      this,
      'Inspect',
      all.inspect,
      { jobId: jsonata('$states.input.jobId') },
      { assign: { inspected: jsonata('$states.result.Payload') } },
    );
    const create = call(
      this,
      'Create tables',
      all['create-tables'],
      { jobId: jsonata('$states.context.Execution.Input.jobId'), runId: jsonata('$states.context.Execution.Name') },
      { outputs: jsonata('$merge([$inspected, $states.result.Payload])') },
    );
    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: NAMES.setupJob,
      timeout: SETS_UP_FOR,
      queryLanguage: QueryLanguage.JSONATA,
      definitionBody: DefinitionBody.fromChainable(inspect.next(create)),
      tracingEnabled: true,
      logs: machineLogs(this),
    });
    accept(this.machine, { ...XRAY, ...versionsOf([all.inspect, all['create-tables']]) });
  }
}
