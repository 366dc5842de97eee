import { Duration } from 'aws-cdk-lib';
import {
  Choice,
  Condition,
  DefinitionBody,
  Map as EachOf,
  Pass,
  ProvideItems,
  QueryLanguage,
  type State,
  StateMachine,
  TaskInput,
} from 'aws-cdk-lib/aws-stepfunctions';
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import type { Functions } from './functions.ts';
import { machineLogs } from './machine-logs.ts';
import { accept, versionsOf, XRAY } from './nag.ts';
import { NAMES } from './names.ts';
import { asFinished, call, jsonata, startAgain } from './task.ts';

/** Batches of one execution. With 40 extracts each, retried, its history stays well below the 25,000 events allowed. */
const BATCHES_PER_EXECUTION = 10;

/** The Data API ends a statement after 24 hours: an execution that takes longer for its few batches goes round in circles. */
const LOADS_FOR = Duration.hours(25);

/** How an extract fails that takes longer than a function may. */
const TOO_SLOW = ['ExtractTooSlow', 'Sandbox.Timedout'];

/**
 * One large table: split → each chunk: extract → load → more? ↺ → finish. While one batch is being loaded, the next is split
 * and extracted.
 * Input: {jobId, runId, startedAt, table, owner, waiting, connections, lane, turn, generation}. A successor has its
 * predecessor's owner, so the lease stays, and a name made of lane, turn and generation, so that it is started once however
 * often it is asked for. Tables that are waiting get their turn when this one has ended, well or not.
 */
export class LoadTable extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, { all }: Functions) {
    super(scope, id);
    const whole = {
      jobId: jsonata('$jobId'),
      runId: jsonata('$runId'),
      table: jsonata('$table'),
      owner: jsonata('$owner'),
    };
    const input = (name: string) => jsonata(`$states.context.Execution.Input.${name}`);

    const begin = Pass.jsonata(this, 'Begin', {
      assign: {
        jobId: input('jobId'),
        runId: input('runId'),
        startedAt: input('startedAt'),
        table: input('table'),
        owner: input('owner'),
        waiting: input('waiting'),
        connections: input('connections'),
        lane: input('lane'),
        turn: input('turn'),
        generation: input('generation'),
        batches: 0,
        inFlight: jsonata('null'),
        objects: jsonata('null'),
        error: jsonata('null'),
        smaller: false,
      },
    });
    const split = call(
      this,
      'Split',
      all.split,
      {
        ...whole,
        startedAt: jsonata('$startedAt'),
        connections: jsonata('$connections'),
        ahead: jsonata('$inFlight != null'),
        smaller: jsonata('$smaller'),
      },
      {
        assign: {
          split: jsonata('$states.result.Payload'),
          batches: jsonata('$batches + 1'),
          objects: jsonata('null'),
          smaller: false,
        },
      },
    );
    const finish = call(this, 'Finish', all.finish, {
      jobId: jsonata('$jobId'),
      runId: jsonata('$runId'),
      startedAt: jsonata('$startedAt'),
      table: jsonata('$table'),
      owner: jsonata('$owner'),
      error: jsonata('$error'),
    });
    const inFlight = Condition.jsonata(jsonata('$inFlight != null'));
    const hasFailed = Condition.jsonata(jsonata('$error != null'));

    const extracts = EachOf.jsonata(this, 'Each chunk', {
      items: ProvideItems.jsonata(jsonata('$split.extracts')),
      jsonataMaxConcurrency: jsonata('$split.concurrency'),
      itemSelector: { ...whole, extract: jsonata('$states.context.Map.Item.Value') },
      // Every call returns a list of objects: one list of all.
      assign: { objects: jsonata('$reduce($states.result, $append, [])') },
    }).itemProcessor(call(this, 'Extract', all.extract, jsonata('$states.input')));

    // What a call of load leaves behind: the statement that still runs, and nothing to load before the next extracts.
    const left = { inFlight: jsonata('$states.result.Payload.done ? null : $states.result.Payload.next') };
    const load = call(
      this,
      'Load',
      all.load,
      {
        jobId: jsonata('$jobId'),
        runId: jsonata('$runId'),
        owner: jsonata('$owner'),
        loadId: jsonata("'load/' & $states.context.Execution.Name & '/' & $string($batches) & '/'"),
        tables: [jsonata('$table')],
        batches: jsonata('$split.batches'),
        objects: jsonata('$objects'),
        // The last batch of an execution is seen to its end: its successor knows of no statement.
        meanwhile: jsonata(`$not($split.last) and $batches < ${BATCHES_PER_EXECUTION}`),
      },
      { assign: { ...left, objects: jsonata('null') } },
    );
    const loadOn = call(this, 'Load on', all.load, jsonata('$inFlight'), { assign: left });
    for (const step of [load, loadOn]) step.addCatch(finish, { assign: { error: jsonata('$states.errorOutput') } });

    // What is being loaded is seen to its end first, also when the batch ahead of it could not be extracted.
    const settle = Choice.jsonata(this, 'Anything in flight?')
      .when(inFlight, loadOn)
      .when(hasFailed, finish)
      .when(Condition.jsonata(jsonata('$objects != null')), load)
      .otherwise(finish);
    // What the source did not hand over in time is cut anew, smaller; what is in flight is seen to its end first.
    const cutSmaller = Choice.jsonata(this, 'Too slow: anything in flight?').when(inFlight, loadOn).otherwise(split);
    extracts.addCatch(cutSmaller, { errors: TOO_SLOW, assign: { smaller: true, objects: jsonata('null') } });
    for (const step of [split, extracts])
      step.addCatch(settle, { assign: { error: jsonata('$states.errorOutput'), objects: jsonata('null') } });

    const loaded = Choice.jsonata(this, 'Loaded?')
      .when(Condition.jsonata(jsonata('$not($states.input.done) and $states.input.meanwhile')), split)
      .when(Condition.jsonata(jsonata('$not($states.input.done)')), loadOn)
      .when(hasFailed, finish)
      .when(Condition.jsonata(jsonata('$not($states.input.more)')), finish)
      .when(Condition.jsonata(jsonata('$objects != null')), load)
      .when(Condition.jsonata(jsonata(`$batches < ${BATCHES_PER_EXECUTION}`)), split)
      .otherwise(this.#successor(finish));
    load.next(loaded);
    loadOn.next(loaded);
    const ended = asFinished(this, 'TableFailed');
    finish.next(
      Choice.jsonata(this, 'Anybody waiting?')
        .when(Condition.jsonata(jsonata('$count($waiting) > 0')), this.#nextInLane().next(ended))
        .otherwise(ended),
    );

    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: NAMES.loadTable,
      timeout: LOADS_FOR,
      queryLanguage: QueryLanguage.JSONATA,
      definitionBody: DefinitionBody.fromChainable(
        begin.next(split).next(
          Choice.jsonata(this, 'Anything left?')
            .when(Condition.jsonata(jsonata("$split.next = 'load'")), extracts.next(settle))
            .otherwise(settle),
        ),
      ),
      tracingEnabled: true,
      logs: machineLogs(this),
    });
    accept(this.machine, { ...XRAY, ...versionsOf([all.split, all.extract, all.load, all.finish]) });
  }

  /** The next execution of the same table. */
  #successor(finish: State): StepFunctionsStartExecution {
    const name = jsonata("$lane & '-' & $string($turn) & '-' & $string($generation + 1)");
    const start = this.#startSelf('Start successor', name, {
      table: jsonata('$table'),
      owner: jsonata('$owner'),
      waiting: jsonata('$waiting'),
      turn: jsonata('$turn'),
      generation: jsonata('$generation + 1'),
    });
    start.addCatch(finish, { assign: { error: jsonata('$states.errorOutput') } });
    return start;
  }

  /** The execution of the table whose turn it is; the run's record waits for it as for all others. */
  #nextInLane(): StepFunctionsStartExecution {
    return this.#startSelf('Start next in lane', jsonata("$lane & '-' & $string($turn + 1) & '-0'"), {
      table: jsonata('$waiting[0]'),
      owner: jsonata("$runId & '/' & $waiting[0]"),
      waiting: jsonata('[$filter($waiting, function($_, $i) { $i > 0 })]'),
      turn: jsonata('$turn + 1'),
      generation: 0,
    });
  }

  /** This very machine: by its fixed name, since a reference would be circular. What comes in goes out again. */
  #startSelf(id: string, name: string, its: object): StepFunctionsStartExecution {
    const start = StepFunctionsStartExecution.jsonata(this, id, {
      stateMachine: StateMachine.fromStateMachineName(this, `Self: ${id}`, NAMES.loadTable),
      associateWithParent: false,
      name,
      input: TaskInput.fromObject({
        jobId: jsonata('$jobId'),
        runId: jsonata('$runId'),
        startedAt: jsonata('$startedAt'),
        connections: jsonata('$connections'),
        lane: jsonata('$lane'),
        ...its,
      }),
      outputs: jsonata('$states.input'),
    });
    startAgain(start);
    return start;
  }
}
