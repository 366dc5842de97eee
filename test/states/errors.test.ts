import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { matches } from '../../local/states/errors.ts';
import { nextRetry } from '../../local/states/retry.ts';
import { bench, invoke, named, output } from './runner.ts';

const pass = (Output: unknown) => ({ Type: 'Pass', Output, End: true });

/** A function that throws these errors one after the other, then answers with the number of calls. */
const failing = (...errors: string[]) => {
  let calls = 0;
  return () => {
    const error = errors[calls++];
    if (error) throw named(error, `because of ${error}`);
    return calls;
  };
};

test('States.ALL matches everything but the terminal errors, States.TaskFailed all but a timeout', () => {
  const cases: [string[], string, boolean][] = [
    [['States.ALL'], 'Anything', true],
    [['States.ALL'], 'States.Timeout', true],
    [['States.ALL'], 'States.DataLimitExceeded', false],
    [['States.DataLimitExceeded'], 'States.DataLimitExceeded', true],
    [['States.ALL'], 'States.Runtime', false],
    [['States.TaskFailed'], 'Anything', true],
    [['States.TaskFailed'], 'States.Timeout', false],
    [['Other', 'Mine'], 'Mine', true],
    [['Other'], 'Mine', false],
  ];
  for (const [names, error, expected] of cases) assert.equal(matches(names, error), expected, `${names} ${error}`);
});

test('waits grow by the rate up to the maximum, and full jitter shortens them', () => {
  const retrier = { ErrorEquals: ['A'], IntervalSeconds: 3, MaxAttempts: 9, BackoffRate: 2, MaxDelaySeconds: 10 };
  const waits = (JitterStrategy: 'NONE' | 'FULL') =>
    [0, 1, 2].map((spent) => nextRetry([{ ...retrier, JitterStrategy }], new Map([[0, spent]]), 'A', 0.5)?.waitMs);
  assert.deepEqual(waits('NONE'), [3_000, 6_000, 10_000]);
  assert.deepEqual(waits('FULL'), [1_500, 3_000, 5_000]);
});

test('each retrier has its own budget over all attempts, then the catcher takes over', async () => {
  const retrying = invoke('f', {
    Retry: [
      { ErrorEquals: ['ErrorA', 'ErrorB'], IntervalSeconds: 1, BackoffRate: 2, MaxAttempts: 2 },
      { ErrorEquals: ['ErrorC'], IntervalSeconds: 5 },
    ],
    Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Z' }],
    Next: 'Y',
  });
  const definition = {
    StartAt: 'X',
    States: { X: retrying, Y: pass('{% $states.input.Payload %}'), Z: { Type: 'Succeed' } },
  };
  const caught = bench(definition, { lambdas: { f: failing('ErrorA', 'ErrorB', 'ErrorC', 'ErrorB') } });
  const execution = await caught.run();
  assert.deepEqual(output(execution), {
    Error: 'ErrorB',
    Cause: '{"errorType":"ErrorB","errorMessage":"because of ErrorB"}',
  });
  assert.deepEqual(caught.sleeps, [1_000, 2_000, 5_000]);
  assert.equal(execution.transitions, 5, 'two states entered and three retries');
  assert.equal(output(await bench(definition, { lambdas: { f: failing('ErrorA', 'ErrorC') } }).run()), 3);
});

test('a retry sees how many went before', async () => {
  const seen: number[] = [];
  const f = ({ n }: { n: number }) => {
    seen.push(n);
    if (seen.length < 3) throw named('Again');
  };
  const state = invoke(
    'f',
    { Retry: [{ ErrorEquals: ['States.ALL'] }] },
    { n: '{% $states.context.State.RetryCount %}' },
  );
  await bench({ StartAt: 'A', States: { A: state } }, { lambdas: { f } }).run();
  assert.deepEqual(seen, [0, 1, 2]);
});

test('an error of the Lambda service, one without a type, and one of another service have AWS’s names', async () => {
  const throwing = (name: string) => ({
    invokeFunction: async () => {
      throw named(name);
    },
  });
  const task = { StartAt: 'A', States: { A: invoke('f') } };
  assert.equal((await bench(task).run()).error, 'Lambda.ResourceNotFoundException');
  const ports = throwing('TooManyRequestsException');
  assert.equal((await bench(task, { ports }).run()).error, 'Lambda.TooManyRequestsException');
  const unknown = { invokeFunction: async () => ({ payload: '"exit 1"', functionError: 'Unhandled' }) };
  assert.equal((await bench(task, { ports: unknown }).run()).error, 'Lambda.Unknown');
  const call = (Resource: string) => ({ StartAt: 'A', States: { A: { Type: 'Task', Resource, End: true } } });
  const callService = async () => {
    throw named('NoSuchKey');
  };
  const { error } = await bench(call('arn:aws:states:::aws-sdk:s3:getObject'), { ports: { callService } }).run();
  assert.equal(error, 'S3.NoSuchKeyException');
});

test('an expression that fails in a Task can be retried and caught', async () => {
  let calls = 0;
  const state = invoke('f', {
    Output: '{% $states.result.Payload.found %}',
    Retry: [{ ErrorEquals: ['States.QueryEvaluationError'], MaxAttempts: 1 }],
    Catch: [{ ErrorEquals: ['States.QueryEvaluationError'], Next: 'Z' }],
    Next: 'Z',
  });
  const { run } = bench(
    { StartAt: 'A', States: { A: state, Z: { Type: 'Succeed', Output: 'caught' } } },
    { lambdas: { f: () => (calls += 1) } },
  );
  assert.equal(output(await run()), 'caught');
  assert.equal(calls, 2);
});

test('one failed iteration stops the others and fails the Map by its own error, and a retry repeats all of them', async () => {
  const calls: number[] = [];
  const f = async (n: number) => {
    calls.push(n);
    if (n === 2 && calls.length < 4) throw named('Broken');
    await delay(20);
    return n;
  };
  const definition = (Retry: unknown[]) => ({
    StartAt: 'Each',
    States: {
      Each: {
        Type: 'Map',
        Items: [1, 2, 3],
        ItemProcessor: {
          StartAt: 'One',
          States: {
            One: invoke('f', { Next: 'Two' }),
            Two: invoke('f', { End: true }, '{% $states.input.Payload * 10 %}'),
          },
        },
        Retry,
        End: true,
        Output: '{% $states.result.Payload %}',
      },
    },
  });
  const failed = bench(definition([]), { lambdas: { f } });
  const execution = await failed.run();
  assert.equal(execution.error, 'Broken');
  assert.deepEqual(calls, [1, 2, 3], 'no iteration goes on to its second state');
  assert.deepEqual((await failed.events(execution.arn)).slice(-6), [
    'TaskStateAborted',
    'TaskStateAborted',
    'MapIterationAborted',
    'MapIterationAborted',
    'MapStateFailed',
    'ExecutionFailed',
  ]);
  calls.length = 0;
  const retried = await bench(definition([{ ErrorEquals: ['Broken'] }]), { lambdas: { f } }).run();
  assert.deepEqual(output(retried), [10, 20, 30]);
  assert.deepEqual(calls.slice(0, 6), [1, 2, 3, 1, 2, 3]);
});

test('a Task that outlasts TimeoutSeconds fails by States.Timeout, and its late result is ignored', async () => {
  const state = invoke('slow', {
    TimeoutSeconds: 1,
    Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'Late' }],
    Next: 'Late',
  });
  const slow = async () => {
    await delay(1_100);
    return 'done';
  };
  const { run, events } = bench(
    { StartAt: 'A', States: { A: state, Late: { Type: 'Succeed', Output: '{% $states.input.Error %}' } } },
    { lambdas: { slow } },
  );
  const execution = await run();
  assert.equal(output(execution), 'States.Timeout');
  assert.ok((await events(execution.arn)).includes('TaskTimedOut'));
  await delay(150);
  assert.equal(output(execution), 'States.Timeout');
});

test('an injected fault is an error like any other: at the exit the work is done, and a retry does it again', async () => {
  for (const moment of ['enter', 'exit'] as const) {
    let calls = 0;
    let faults = 0;
    const { run } = bench(
      {
        StartAt: 'A',
        States: { A: invoke('f', { Retry: [{ ErrorEquals: ['Crash'] }], Output: '{% $states.result.Payload %}' }) },
      },
      {
        lambdas: { f: () => (calls += 1) },
        ports: {
          async fault(at) {
            if (at.moment === moment && at.state === 'A' && faults++ === 0) throw named('Crash');
          },
        },
      },
    );
    const execution = await run();
    assert.equal(output(execution), moment === 'enter' ? 1 : 2);
    assert.equal(execution.transitions, 2, 'the state and one retry');
  }
});

test('a retry of a Map repeats the iterations that had succeeded, too', async () => {
  const calls: number[] = [];
  const f = (n: number) => {
    calls.push(n);
    if (n === 2 && calls.length < 3) throw named('Broken');
  };
  const Each = {
    Type: 'Map',
    Items: [1, 2],
    MaxConcurrency: 1,
    ItemProcessor: { StartAt: 'One', States: { One: invoke('f') } },
    Retry: [{ ErrorEquals: ['Broken'] }],
    End: true,
  };
  await bench({ StartAt: 'Each', States: { Each } }, { lambdas: { f } }).run();
  assert.deepEqual(calls, [1, 2, 1, 2]);
});

test('a Task that ends in time leaves no timer behind', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await bench({ StartAt: 'A', States: { A: invoke('f', { TimeoutSeconds: 60 }) } }, { lambdas: { f: () => 1 } }).run();
  assert.equal(timers(), before);
});
