import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  Choice,
  Condition,
  DefinitionBody,
  Map as EachOf,
  type IChainable,
  type IStateMachine,
  ProvideItems,
  QueryLanguage,
  type State,
  StateMachine,
  Succeed,
  TaskInput,
} from 'aws-cdk-lib/aws-stepfunctions';
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import type { Functions } from './functions.ts';
import { machineLogs } from './machine-logs.ts';
import { accept, versionsOf, XRAY } from './nag.ts';
import { NAMES } from './names.ts';
import { asFinished, call, jsonata, startAgain } from './task.ts';

/** Loads of one run at once: each is a transaction that Redshift queues behind its others. */
const LOADS_AT_ONCE = 4;

/**
 * Its loads are small: minutes, or as long as Redshift lets them wait in its queue. One that has not ended by then is given
 * up – with an alarm, its leases given back – and done again by the next run, which cancels what is left of it.
 */
const RUNS_FOR = Duration.hours(6);

const given = (name: string, otherwise: string): string =>
  jsonata(`$exists($states.context.Execution.Input.${name}) ? $states.context.Execution.Input.${name} : ${otherwise}`);

/** What started the run, as its input tells: a schedule's tick, or by default a hand. */
const triggered = {
  trigger: given('trigger', "'hand'"),
  scheduleId: given('scheduleId', 'null'),
  scheduledTime: given('scheduledTime', '$states.context.Execution.StartTime'),
};

/**
 * One tick of a job: plan → nothing to do? → set up tables that are new, where the job wants that → start each large table's
 * own execution, load the packs of small deltas → finish. Input: {jobId, trigger?, scheduleId?, scheduledTime?}. A tick that
 * is not due ends after plan.
 */
export class LoadJob extends Construct {
  readonly machine: StateMachine;

  constructor(
    scope: Construct,
    id: string,
    { all }: Functions,
    { loadTable, setupJob, verifyJob }: { loadTable: IStateMachine; setupJob: IStateMachine; verifyJob: IStateMachine },
  ) {
    super(scope, id);
    const run = { jobId: jsonata('$jobId'), runId: jsonata('$runId'), owner: jsonata('$runId') };

    const plan = call(
      this,
      'Plan',
      all.plan,
      {
        jobId: jsonata('$states.input.jobId'),
        runId: jsonata('$states.context.Execution.Name'),
        startedAt: jsonata('$states.context.Execution.StartTime'),
        ...triggered,
      },
      {
        assign: {
          jobId: jsonata('$states.input.jobId'),
          runId: jsonata('$states.context.Execution.Name'),
          startedAt: jsonata('$states.context.Execution.StartTime'),
          plan: jsonata('$states.result.Payload'),
          comparisons: jsonata('$states.result.Payload.comparisons'),
          error: jsonata('null'),
        },
      },
    );
    const finish = call(this, 'Finish', all.finish, {
      ...run,
      startedAt: jsonata('$startedAt'),
      ...triggered,
      error: jsonata('$error'),
      comparing: jsonata('$count($comparisons) > 0'),
    });
    plan.addCatch(finish, {
      assign: {
        jobId: jsonata('$states.context.Execution.Input.jobId'),
        runId: jsonata('$states.context.Execution.Name'),
        startedAt: jsonata('$states.context.Execution.StartTime'),
        comparisons: [],
        error: jsonata('$states.errorOutput'),
      },
    });

    const startLoadTable = StepFunctionsStartExecution.jsonata(this, 'Start load-table', {
      stateMachine: loadTable,
      associateWithParent: false,
      name: jsonata('$states.input.name'),
      input: TaskInput.fromObject({
        jobId: jsonata('$jobId'),
        runId: jsonata('$runId'),
        startedAt: jsonata('$startedAt'),
        table: jsonata('$states.input.table'),
        owner: jsonata("$runId & '/' & $states.input.table"),
        waiting: jsonata('$states.input.waiting'),
        connections: jsonata('$plan.connections'),
        lane: jsonata('$states.input.name'),
        turn: 0,
        generation: 0,
      }),
    });
    startAgain(startLoadTable);
    // One that can't be started keeps nobody from the small loads: Finish tells it as the run's error.
    startLoadTable.addCatch(Succeed.jsonata(this, 'Not started'), {
      outputs: { error: jsonata('$states.errorOutput') },
    });
    const eachLane = EachOf.jsonata(this, 'Each lane of large tables', {
      items: ProvideItems.jsonata(jsonata('$plan.lanes')),
      itemSelector: {
        // An execution's name has at most 80 characters.
        name: jsonata("$substring($runId, 0, 60) & '-' & $string($states.context.Map.Item.Index)"),
        table: jsonata('$states.context.Map.Item.Value.table'),
        waiting: jsonata('$states.context.Map.Item.Value.waiting'),
      },
      maxConcurrency: 10,
      assign: { error: jsonata('$exists($states.result.error) ? [$states.result.error][0] : $error') },
    }).itemProcessor(startLoadTable);

    const eachLoad = EachOf.jsonata(this, 'Each load', {
      items: ProvideItems.jsonata(jsonata('$plan.loads')),
      itemSelector: {
        ...run,
        loadId: jsonata('$states.context.Map.Item.Value.loadId'),
        tables: jsonata('$states.context.Map.Item.Value.tables'),
      },
      maxConcurrency: LOADS_AT_ONCE,
      // A load that ends without a result leaves its tables to Finish; the others go on.
      assign: { error: jsonata('$exists($states.result.error) ? [$states.result.error][0] : $error') },
    }).itemProcessor(loadUntilDone(this, all.load, jsonata('$states.input'), Succeed.jsonata(this, 'Loaded')));

    const startSetup = StepFunctionsStartExecution.jsonata(this, 'Start setup', {
      stateMachine: setupJob,
      associateWithParent: false,
      name: jsonata('$runId'),
      input: TaskInput.fromObject({ jobId: jsonata('$jobId') }),
    });
    startAgain(startSetup);
    // The next run asks again.
    startSetup.addCatch(eachLane, { assign: { error: jsonata('$states.errorOutput') } });

    // After the loads, when least of the source is still to come; a run that does nothing else starts it, too.
    const ended = asFinished(this, 'TablesFailed');
    // An idle run has no finish that judged it.
    const outputs = jsonata("$merge([{'status': 'succeeded'}, $states.input])");
    const startVerifyJob = StepFunctionsStartExecution.jsonata(this, 'Start verify-job', {
      stateMachine: verifyJob,
      associateWithParent: false,
      name: jsonata("$substring($runId, 0, 60) & '-verify'"),
      input: TaskInput.fromObject({
        jobId: jsonata('$jobId'),
        comparisons: jsonata('$comparisons'),
        claimedBy: jsonata('$runId'),
      }),
      outputs,
    });
    startAgain(startVerifyJob);
    // Whatever keeps it from starting: the comparisons are still due, and the next run tries again.
    startVerifyJob.addCatch(ended, { outputs });
    startVerifyJob.next(ended);
    const isDue = Condition.jsonata(jsonata('$count($comparisons) > 0'));
    finish.next(Choice.jsonata(this, 'Compare?').when(isDue, startVerifyJob).otherwise(ended));

    const definition = plan.next(
      Choice.jsonata(this, 'Anything to do?')
        .when(
          Condition.jsonata(jsonata('$plan.idle and $count($comparisons) = 0')),
          Succeed.jsonata(this, 'Nothing to do'),
        )
        .when(Condition.jsonata(jsonata('$plan.idle')), startVerifyJob)
        .when(Condition.jsonata(jsonata('$plan.setup')), startSetup.next(eachLane))
        .otherwise(eachLane.next(eachLoad).next(finish)),
    );
    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: NAMES.loadJob,
      timeout: RUNS_FOR,
      queryLanguage: QueryLanguage.JSONATA,
      definitionBody: DefinitionBody.fromChainable(definition),
      tracingEnabled: true,
      logs: machineLogs(this),
    });
    accept(this.machine, { ...XRAY, ...versionsOf([all.plan, all.load, all.finish]) });
  }
}

/**
 * load ↺ while its statement runs: each call waits for as long as it may, then hands its statement to the next. An error
 * goes on to `then` as {error}, so that one load never stops the others.
 */
function loadUntilDone(scope: Construct, load: IFunction, payload: object | string, then: State): IChainable {
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
