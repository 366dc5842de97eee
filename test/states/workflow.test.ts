import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, functionArn, invoke, machineArn, output, ROLE } from './runner.ts';

const pass = (Output: unknown, rest: Record<string, unknown> = { End: true }) => ({ Type: 'Pass', Output, ...rest });

test('states hand their output on, and the last one is the output of the execution', async () => {
  const { run } = bench({
    StartAt: 'A',
    States: { A: pass({ n: '{% $states.input.n + 1 %}' }, { Next: 'B' }), B: pass('{% $states.input.n * 10 %}') },
  });
  const execution = await run({ n: 3 });
  assert.equal(execution.status, 'SUCCEEDED');
  assert.equal(output(execution), 40);
});

test('a state without Output passes its input on, whatever its type', async () => {
  const { run } = bench({
    StartAt: 'Pass',
    States: {
      Pass: { Type: 'Pass', Next: 'Wait' },
      Wait: { Type: 'Wait', Seconds: 5, Next: 'Choice' },
      Choice: { Type: 'Choice', Choices: [{ Condition: true, Next: 'Done' }] },
      Done: { Type: 'Succeed' },
    },
  });
  assert.deepEqual(output(await run({ a: [1] })), { a: [1] });
});

test('lambda:invoke wraps the result, a plain function ARN gives it bare', async () => {
  const double = ({ n }: { n: number }) => ({ n: n * 2 });
  const { run } = bench(
    {
      StartAt: 'Wrapped',
      States: {
        Wrapped: invoke('double', {
          Next: 'Bare',
          Output: '{% $merge([$states.result, {"n": $states.result.Payload.n}]) %}',
        }),
        Bare: { Type: 'Task', Resource: functionArn('double'), Assign: { was: '{% $states.input %}' }, Next: 'End' },
        End: pass({ was: '{% $was %}', now: '{% $states.input %}' }),
      },
    },
    { lambdas: { double } },
  );
  assert.deepEqual(output(await run({ n: 2 })), {
    was: { ExecutedVersion: '$LATEST', Payload: { n: 4 }, StatusCode: 200, n: 4 },
    now: { n: 8 },
  });
});

test('a Choice takes the first rule that is true, with that rule’s Assign and Output instead of its own', async () => {
  const { run } = bench({
    StartAt: 'Which',
    States: {
      Which: {
        Type: 'Choice',
        Assign: { way: 'default' },
        Output: 'own',
        Choices: [
          { Condition: '{% $states.input.n > 10 %}', Next: 'Tell', Assign: { way: 'big' }, Output: 'rule' },
          { Condition: '{% $states.input.n > 5 %}', Next: 'Tell', Assign: { way: 'middling' } },
        ],
        Default: 'Tell',
      },
      Tell: pass(['{% $way %}', '{% $states.input %}']),
    },
  });
  assert.deepEqual(output(await run({ n: 11 })), ['big', 'rule']);
  assert.deepEqual(output(await run({ n: 6 })), ['middling', { n: 6 }]);
  assert.deepEqual(output(await run({ n: 1 })), ['default', 'own']);
});

test('a Choice without a rule that fits fails by States.NoChoiceMatched, one with a Condition that is no boolean too', async () => {
  const choice = (Condition: string) => ({
    StartAt: 'Which',
    States: { Which: { Type: 'Choice', Choices: [{ Condition, Next: 'Done' }] }, Done: { Type: 'Succeed' } },
  });
  assert.equal((await bench(choice('{% $states.input.n = 1 %}')).run()).error, 'States.NoChoiceMatched');
  assert.equal((await bench(choice('{% "yes" %}')).run()).error, 'States.QueryEvaluationError');
});

test('a Map gives each iteration its item, or what ItemSelector makes of it, and keeps the order', async () => {
  const Items = '{% $states.input.items %}';
  const ItemProcessor = {
    ProcessorConfig: { Mode: 'INLINE' },
    StartAt: 'One',
    States: { One: invoke('echo', { Output: '{% $states.result.Payload %}' }) },
  };
  const { run } = bench(
    {
      StartAt: 'Plain',
      States: {
        Plain: {
          Type: 'Map',
          Items,
          ItemProcessor,
          Assign: { plain: '{% $states.result %}' },
          Output: '{% $states.input %}',
          Next: 'Selected',
        },
        Selected: {
          Type: 'Map',
          Items,
          ItemSelector: {
            i: '{% $states.context.Map.Item.Index %}',
            v: '{% $states.context.Map.Item.Value %}',
            all: '{% $count($states.input.items) %}',
          },
          ItemProcessor: { StartAt: 'Two', States: { Two: pass('{% $states.input %}') } },
          Output: { plain: '{% $plain %}', selected: '{% $states.result %}' },
          End: true,
        },
      },
    },
    { lambdas: { echo: async (x: number) => new Promise((done) => setTimeout(() => done(x), 10 - x)) } },
  );
  assert.deepEqual(output(await run({ items: [1, 5, 9] })), {
    plain: [1, 5, 9],
    selected: [1, 5, 9].map((v, i) => ({ i, v, all: 3 })),
  });
});

test('an empty Map succeeds with an empty array; Items that are no array fail', async () => {
  const map = (Items: unknown) => ({
    StartAt: 'Each',
    States: {
      Each: {
        Type: 'Map',
        Items,
        ItemProcessor: { StartAt: 'One', States: { One: { Type: 'Pass', End: true } } },
        End: true,
      },
    },
  });
  assert.deepEqual(output(await bench(map([])).run()), []);
  const single = await bench(map('{% $states.input.xs[a=1] %}')).run({ xs: [{ a: 1 }, { a: 2 }] });
  assert.equal(single.error, 'States.QueryEvaluationError');
  assert.match(single.cause ?? '', /Items must be an array/);
});

test('Parallel gives its branches the same input, or its Arguments, and returns their outputs in order', async () => {
  const branch = (name: string, factor: number) => ({
    StartAt: name,
    States: { [name]: pass(`{% $states.input.n * ${factor} %}`) },
  });
  const { run } = bench({
    StartAt: 'Both',
    States: {
      Both: {
        Type: 'Parallel',
        Branches: [branch('A', 2), branch('B', 3)],
        Next: 'Again',
        Output: { n: '{% $sum($states.result) %}' },
      },
      Again: {
        Type: 'Parallel',
        Arguments: { n: 1 },
        Branches: [branch('C', 2), branch('D', 3)],
        End: true,
        Output: ['{% $states.input.n %}', '{% $states.result %}'],
      },
    },
  });
  assert.deepEqual(output(await run({ n: 10 })), [50, [2, 3]]);
});

test('Fail names its error and cause, by expressions too', async () => {
  const { run } = bench({
    StartAt: 'No',
    States: { No: { Type: 'Fail', Error: 'TablesFailed', Cause: "{% $join($states.input.tables, ', ') %}" } },
  });
  const { status, error, cause } = await run({ tables: ['orders', 'lines'] });
  assert.deepEqual({ status, error, cause }, { status: 'FAILED', error: 'TablesFailed', cause: 'orders, lines' });
});

test('Wait sleeps for Seconds or until Timestamp', async () => {
  const { run, sleeps } = bench(
    {
      StartAt: 'Some',
      States: {
        Some: { Type: 'Wait', Seconds: '{% $states.input.s %}', Next: 'Until' },
        Until: { Type: 'Wait', Timestamp: '{% $states.input.t %}', Next: 'Past' },
        Past: { Type: 'Wait', Timestamp: '2020-01-01T00:00:00Z', End: true },
      },
    },
    { ports: { now: () => new Date('2026-03-14T01:00:00Z') } },
  );
  assert.equal((await run({ s: 7, t: '2026-03-14T01:00:30Z' })).status, 'SUCCEEDED');
  assert.deepEqual(sleeps, [7_000, 30_000]);
});

test('states:startExecution starts another machine and does not wait for it', async () => {
  let release = (): void => undefined;
  const gate = new Promise<void>((done) => {
    release = done;
  });
  const child = { StartAt: 'Wait', States: { Wait: invoke('gate', { Output: '{% $states.input %}' }) } };
  const start = {
    Type: 'Task',
    Resource: 'arn:aws:states:::states:startExecution',
    Arguments: {
      StateMachineArn: machineArn('child'),
      Name: '{% $states.input.name %}',
      Input: { from: '{% $states.context.Execution.Name %}' },
    },
    Catch: [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], Next: 'Exists' }],
    Next: 'Done',
  };
  const { call, service, changes } = bench(
    { StartAt: 'Start', States: { Start: start, Done: { Type: 'Succeed' }, Exists: pass('exists') } },
    { lambdas: { gate: () => gate }, others: { child } },
  );
  const first = await call('StartExecution', {
    stateMachineArn: machineArn('main'),
    name: 'p1',
    input: '{"name":"c"}',
  });
  while (service.execution(String(first.executionArn)).status === 'RUNNING') await new Promise(setImmediate);
  const { ExecutionArn } = output(service.execution(String(first.executionArn))) as { ExecutionArn: string };
  assert.equal(service.execution(ExecutionArn).status, 'RUNNING');
  release();
  await service.idle();
  assert.deepEqual(output(service.execution(ExecutionArn)), { from: 'p1' });
  const second = await call('StartExecution', {
    stateMachineArn: machineArn('main'),
    name: 'p2',
    input: '{"name":"c"}',
  });
  await service.idle();
  assert.equal(output(service.execution(String(second.executionArn))), 'exists');
  assert.deepEqual(
    changes.map((c) => `${c.name} ${c.status}`),
    ['p1 RUNNING', 'c RUNNING', 'p1 SUCCEEDED', 'c SUCCEEDED', 'p2 RUNNING', 'p2 SUCCEEDED'],
  );
});

test('aws-sdk integrations and sns:publish go through the port under the machine’s role', async () => {
  const calls: unknown[] = [];
  const { run } = bench(
    {
      StartAt: 'Submit',
      States: {
        Submit: {
          Type: 'Task',
          Resource: 'arn:aws:states:::aws-sdk:redshiftdata:batchExecuteStatement',
          Arguments: { Sqls: ['select 1'] },
          Next: 'Tell',
          Output: '{% $states.result.Id %}',
        },
        Tell: {
          Type: 'Task',
          Resource: 'arn:aws:states:::sns:publish',
          Arguments: { Message: '{% $states.input %}' },
          End: true,
        },
      },
    },
    {
      ports: {
        async callService(call) {
          calls.push(call);
          return { Id: 'abc' };
        },
      },
    },
  );
  assert.deepEqual(output(await run()), { Id: 'abc' });
  assert.deepEqual(calls, [
    { service: 'redshiftdata', action: 'batchExecuteStatement', input: { Sqls: ['select 1'] }, roleArn: ROLE },
    { service: 'sns', action: 'publish', input: { Message: 'abc' }, roleArn: ROLE },
  ]);
});

test('what the role may not do fails the task as States.Permissions and is not done', async () => {
  const asked: unknown[] = [];
  let invoked = 0;
  const { run } = bench(
    { StartAt: 'A', States: { A: invoke('f') } },
    {
      lambdas: { f: () => (invoked += 1) },
      ports: {
        authorize(role, permissions) {
          asked.push(role, permissions);
          throw new Error('not authorized to perform: lambda:InvokeFunction');
        },
      },
    },
  );
  const { error, cause } = await run();
  assert.equal(error, 'States.Permissions');
  assert.match(cause ?? '', /lambda:InvokeFunction/);
  assert.equal(invoked, 0);
  assert.deepEqual(asked, [ROLE, [{ action: 'lambda:InvokeFunction', resource: functionArn('f') }]]);
});

test('the context object tells execution, machine and state', async () => {
  const { run } = bench(
    { StartAt: 'Tell', States: { Tell: pass('{% $states.context %}') } },
    { ports: { now: () => new Date('2026-03-14T01:00:00Z') } },
  );
  const execution = await run({ a: 1 }, 'mine');
  assert.deepEqual(output(execution), {
    Execution: { Id: execution.arn, Input: { a: 1 }, Name: 'mine', RoleArn: ROLE, StartTime: '2026-03-14T01:00:00Z' },
    State: { EnteredTime: '2026-03-14T01:00:00Z', Name: 'Tell', RetryCount: 0 },
    StateMachine: { Id: machineArn('main'), Name: 'main' },
  });
});

test('sixty transitions take milliseconds', async () => {
  const { run } = bench(
    {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          Items: '{% [1..29] %}',
          ItemProcessor: {
            StartAt: 'Do',
            States: {
              Do: invoke('f', { Next: 'Then', Output: { n: '{% $states.result.Payload + 1 %}' } }),
              Then: pass('{% $states.input.n %}'),
            },
          },
          Next: 'Done',
        },
        Done: { Type: 'Succeed', Output: '{% $sum($states.input) %}' },
      },
    },
    { lambdas: { f: (n: number) => n } },
  );
  await run();
  const started = performance.now();
  const execution = await run();
  const ms = performance.now() - started;
  assert.equal(execution.transitions, 60);
  assert.equal(output(execution), (29 * 30) / 2 + 29);
  assert.ok(ms < 100, `${ms} ms`);
});
