import { Duration } from 'aws-cdk-lib';
import {
  Choice,
  Condition,
  DefinitionBody,
  Map as EachOf,
  Fail,
  ProvideItems,
  QueryLanguage,
  StateMachine,
  Succeed,
} from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { COMPARES_FOR_SECONDS } from '../shared/core/due.ts';
import type { Functions } from './functions.ts';
import { machineLogs } from './machine-logs.ts';
import { accept, versionsOf, XRAY } from './nag.ts';
import { NAMES } from './names.ts';
import { call, jsonata } from './task.ts';

/** Tables compared at once: each reads a table whole, on both sides. */
const TABLES_AT_ONCE = 2;

/**
 * Compares tables: each table's warehouse side → its source side ↺ until nothing is left to do. The warehouse's side always goes
 * first. Input: {jobId, comparisons: [{table, kind, second?}], repair?, claimedBy?}. What was found stands on the tables' items.
 */
export class VerifyJob extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, { all }: Functions) {
    super(scope, id);
    const event = (more = '{}') =>
      jsonata(
        "$merge([$states.input, {'jobId': $states.context.Execution.Input.jobId, 'runId': $states.context.Execution.Name, " +
          "'repair': $states.context.Execution.Input.repair = true}, " +
          `${more}])`,
      );
    const warehouse = call(this, 'Warehouse side', all['verify-warehouse'], event());
    const source = call(this, 'Source side', all['verify-source'], jsonata('$states.input'));
    const compared = Succeed.jsonata(this, 'Compared', { outputs: {} });
    const isStep = (step: string) => Condition.jsonata(jsonata(`$states.input.step = '${step}'`));

    // One table that can't be compared doesn't keep the others from it.
    const failed = Succeed.jsonata(this, 'Broke off', {
      outputs: { failed: jsonata('$states.input.table') },
    });
    const giveUp = call(this, 'Give up', all['verify-source'], jsonata('$states.input'));
    giveUp.addCatch(failed, { outputs: jsonata('$states.input') });
    giveUp.next(failed);
    const broken = { outputs: event("{'step': 'end', 'error': $states.errorOutput}") };
    warehouse.addCatch(giveUp, broken);
    source.addCatch(giveUp, broken);

    warehouse.next(
      Choice.jsonata(this, 'What did the warehouse say?')
        .when(isStep('done'), compared)
        .when(isStep('mend'), warehouse)
        .when(isStep('more'), warehouse)
        .otherwise(source),
    );
    source.next(Choice.jsonata(this, 'Anything left?').when(isStep('done'), compared).otherwise(warehouse));

    const each = EachOf.jsonata(this, 'Each comparison', {
      items: ProvideItems.jsonata(jsonata('$states.input.comparisons')),
      maxConcurrency: TABLES_AT_ONCE,
      outputs: { failed: jsonata("$join([$states.result.failed], ', ')") },
    }).itemProcessor(warehouse);
    const definition = each.next(
      Choice.jsonata(this, 'All compared?')
        .when(Condition.jsonata(jsonata("$states.input.failed = ''")), Succeed.jsonata(this, 'Done'))
        .otherwise(
          Fail.jsonata(this, 'Failed', {
            error: 'ComparisonsFailed',
            cause: jsonata(
              "$substring('could not be compared, as their items say: ' & $states.input.failed, 0, 30000)",
            ),
          }),
        ),
    );
    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: NAMES.verifyJob,
      timeout: Duration.seconds(COMPARES_FOR_SECONDS),
      queryLanguage: QueryLanguage.JSONATA,
      definitionBody: DefinitionBody.fromChainable(definition),
      tracingEnabled: true,
      logs: machineLogs(this),
    });
    accept(this.machine, { ...XRAY, ...versionsOf([all['verify-warehouse'], all['verify-source']]) });
  }
}
