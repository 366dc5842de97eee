import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, invoke, machineArn, named, output } from './runner.ts';

/** Something that a function waits for until the test lets it go on. */
function gate() {
  let open = (): void => undefined;
  let reached = (): void => undefined;
  const opened = new Promise<void>((done) => {
    open = done;
  });
  const arrived = new Promise<void>((done) => {
    reached = done;
  });
  return { opened, arrived, open, reached };
}

const start = (name: string, input: unknown = {}) => ({
  stateMachineArn: machineArn('main'),
  name,
  input: JSON.stringify(input),
});
const failure = (status: string, error: string, cause: string) => ({ status, error, cause });

test('stopping aborts at once, and what the running task returns later is ignored', async () => {
  const { opened, arrived, open, reached } = gate();
  let second = 0;
  const lambdas = {
    slow: async () => {
      reached();
      await opened;
    },
    next: () => (second += 1),
  };
  const catching = {
    Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }],
    Retry: [{ ErrorEquals: ['States.ALL'] }],
    Next: 'B',
  };
  const { call, service, events, changes } = bench(
    { StartAt: 'A', States: { A: invoke('slow', catching), B: invoke('next') } },
    { lambdas },
  );
  const { executionArn } = await call('StartExecution', start('e'));
  await arrived;
  const { stopDate } = await call('StopExecution', { executionArn, error: 'Enough', cause: 'an operator said so' });
  assert.equal(typeof stopDate, 'number');
  const { status, error, cause } = service.execution(String(executionArn));
  assert.deepEqual({ status, error, cause }, failure('ABORTED', 'Enough', 'an operator said so'));
  open();
  await new Promise((done) => setTimeout(done, 10));
  assert.equal(second, 0);
  assert.deepEqual((await events(String(executionArn))).slice(-2), ['TaskStateAborted', 'ExecutionAborted']);
  assert.deepEqual(
    changes.map((change) => change.status),
    ['RUNNING', 'ABORTED'],
  );
  assert.deepEqual(await call('StopExecution', { executionArn }), { stopDate }, 'stopping twice changes nothing');
});

test('a machine’s TimeoutSeconds ends the execution as TIMED_OUT, whatever it waits for', async () => {
  const sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((done) => {
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', () => clearTimeout(timer));
    });
  const { run, changes } = bench(
    { StartAt: 'A', TimeoutSeconds: 1, States: { A: { Type: 'Wait', Seconds: 60, End: true } } },
    { ports: { sleep } },
  );
  const started = Date.now();
  assert.equal((await run()).status, 'TIMED_OUT');
  assert.ok(Date.now() - started < 2_000);
  assert.equal(changes.at(-1)?.status, 'TIMED_OUT');
});

test('a redrive goes on at the failed state with its input and variables, and repeats nothing that succeeded', async () => {
  const calls: string[] = [];
  let broken = true;
  const lambdas = {
    a: () => void calls.push('a'),
    b: (input: unknown) => {
      calls.push('b');
      if (broken) throw named('Broken');
      return input;
    },
  };
  const retrying = {
    Retry: [{ ErrorEquals: ['Broken'], MaxAttempts: 1 }],
    Output: '{% [$states.result.Payload, $kept] %}',
  };
  const { run, call, service, events, sleeps } = bench(
    {
      StartAt: 'A',
      States: { A: invoke('a', { Assign: { kept: 7 }, Output: { n: 1 }, Next: 'B' }), B: invoke('b', retrying) },
    },
    { lambdas },
  );
  const execution = await run();
  assert.equal(execution.status, 'FAILED');
  broken = false;
  const { redriveDate } = await call('RedriveExecution', { executionArn: execution.arn, clientToken: 't1' });
  assert.equal(typeof redriveDate, 'number');
  await service.idle();
  const again = service.execution(execution.arn);
  assert.equal(again.status, 'SUCCEEDED');
  assert.deepEqual(output(again), [{ n: 1 }, 7]);
  assert.deepEqual(calls, ['a', 'b', 'b', 'b']);
  assert.equal(sleeps.length, 1, 'the retries begin anew');
  assert.equal(again.transitions, 2 + 1 + 1, 'two states, one retry, one redrive');
  assert.deepEqual((await events(execution.arn)).slice(-7), [
    'ExecutionFailed',
    'ExecutionRedriven',
    'TaskScheduled',
    'TaskStarted',
    'TaskSucceeded',
    'TaskStateExited',
    'ExecutionSucceeded',
  ]);
  assert.deepEqual(
    await call('RedriveExecution', { executionArn: execution.arn, clientToken: 't1' }),
    { redriveDate },
    'idempotent by token',
  );
  await assert.rejects(call('RedriveExecution', { executionArn: execution.arn }), { name: 'ExecutionNotRedrivable' });
});

test('a redrive repeats only those iterations and branches that failed or were aborted', async () => {
  const calls: number[] = [];
  let broken = true;
  const f = (n: number) => {
    calls.push(n);
    if (broken && n === 3) throw named('Broken');
    return n * 10;
  };
  const Each = {
    Type: 'Map',
    Items: '{% $states.input %}',
    MaxConcurrency: 1,
    ItemProcessor: { StartAt: 'One', States: { One: invoke('f', { Output: '{% $states.result.Payload %}' }) } },
    End: true,
  };
  const Both = {
    Type: 'Parallel',
    Branches: [
      { StartAt: 'Each', States: { Each } },
      { StartAt: 'Other', States: { Other: invoke('f', { Output: 'other' }, 0) } },
    ],
    End: true,
  };
  const { run, call, service, events } = bench({ StartAt: 'Both', States: { Both } }, { lambdas: { f } });
  const execution = await run([1, 2, 3, 4]);
  const count = async (type: string) => (await events(execution.arn)).filter((one) => one === type).length;
  assert.equal(await count('MapIterationStarted'), 3, 'what has not begun when a sibling fails does not begin');
  assert.equal(execution.error, 'Broken');
  assert.deepEqual(calls.toSorted(), [0, 1, 2, 3]);
  broken = false;
  calls.length = 0;
  await call('RedriveExecution', { executionArn: execution.arn });
  await service.idle();
  assert.deepEqual(calls, [3, 4]);
  assert.equal(await count('MapIterationSucceeded'), 4);
  assert.deepEqual(output(service.execution(execution.arn)), [[10, 20, 30, 40], 'other']);
});

test('an aborted execution can be redriven, too', async () => {
  const { opened, arrived, open, reached } = gate();
  let calls = 0;
  const f = async () => {
    reached();
    if (calls++ === 0) await opened;
    return calls;
  };
  const { call, service } = bench(
    { StartAt: 'A', States: { A: invoke('f', { Output: '{% $states.result.Payload %}' }) } },
    { lambdas: { f } },
  );
  const { executionArn } = await call('StartExecution', start('e'));
  await arrived;
  await call('StopExecution', { executionArn });
  await call('RedriveExecution', { executionArn });
  await service.idle();
  open();
  assert.equal(output(service.execution(String(executionArn))), 2);
});

test('an aborted execution that is redriven and fails has failed, not been aborted', async () => {
  const { opened, arrived, open, reached } = gate();
  let calls = 0;
  const f = async () => {
    reached();
    if (calls++ > 0) throw named('Broken');
    await opened;
  };
  const { call, service } = bench({ StartAt: 'A', States: { A: invoke('f') } }, { lambdas: { f } });
  const { executionArn } = await call('StartExecution', start('e'));
  await arrived;
  await call('StopExecution', { executionArn, error: 'Stopped' });
  await call('RedriveExecution', { executionArn });
  await service.idle();
  open();
  const { status, error } = service.execution(String(executionArn));
  assert.deepEqual([status, error], ['FAILED', 'Broken']);
});

test('executions run side by side', async () => {
  const { opened, open } = gate();
  let running = 0;
  const f = async () => {
    running += 1;
    if (running === 3) open();
    await opened;
  };
  const { call, service } = bench({ StartAt: 'A', States: { A: invoke('f') } }, { lambdas: { f } });
  for (const name of ['a', 'b', 'c']) await call('StartExecution', start(name));
  await service.idle();
  assert.equal(running, 3);
});

test('status changes carry what EventBridge’s detail carries', async () => {
  const { run, changes } = bench(
    {
      StartAt: 'A',
      States: {
        A: { Type: 'Choice', Choices: [{ Condition: '{% $states.input.ok %}', Next: 'Yes' }], Default: 'No' },
        Yes: { Type: 'Succeed', Output: 1 },
        No: { Type: 'Fail', Error: 'E', Cause: 'C' },
      },
    },
    { ports: { now: () => new Date(1_000_500) } },
  );
  await run({ ok: true }, 'good');
  await run({ ok: false }, 'bad');
  const common = { stateMachineArn: machineArn('main'), startDate: 1_000_500 };
  const arn = (name: string) => `${machineArn('main').replace('stateMachine', 'execution')}:${name}`;
  assert.deepEqual(changes, [
    {
      ...common,
      executionArn: arn('good'),
      name: 'good',
      status: 'RUNNING',
      stopDate: null,
      input: '{"ok":true}',
      output: null,
    },
    {
      ...common,
      executionArn: arn('good'),
      name: 'good',
      status: 'SUCCEEDED',
      stopDate: 1_000_500,
      input: '{"ok":true}',
      output: '1',
    },
    {
      ...common,
      executionArn: arn('bad'),
      name: 'bad',
      status: 'RUNNING',
      stopDate: null,
      input: '{"ok":false}',
      output: null,
    },
    {
      ...common,
      executionArn: arn('bad'),
      name: 'bad',
      status: 'FAILED',
      stopDate: 1_000_500,
      input: '{"ok":false}',
      output: null,
      error: 'E',
      cause: 'C',
    },
  ]);
});

test('stop() ends everything without a word, and nothing starts after it', async () => {
  const { call, service, changes } = bench(
    { StartAt: 'A', States: { A: invoke('f') } },
    { lambdas: { f: () => new Promise(() => undefined) } },
  );
  await call('StartExecution', start('e'));
  await service.stop();
  await service.idle();
  assert.deepEqual(
    changes.map((change) => change.status),
    ['RUNNING'],
  );
  await assert.rejects(call('StartExecution', start('f')), { name: 'ServiceUnavailable' });
});
