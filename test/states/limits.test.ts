import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, functionArn, invoke, machineArn, named, output } from './runner.ts';

const LIMIT = 262_144;
/** A string whose JSON has exactly this many bytes. */
const sized = (bytes: number): string => 'x'.repeat(bytes - 2);
const fits = { Type: 'Succeed', Output: 'fits' };

const plain = (rest: Record<string, unknown>) => ({ Type: 'Task', Resource: functionArn('f'), ...rest });

test('a task’s result may have 256 KiB and not a byte more', async () => {
  const definition = { StartAt: 'A', States: { A: plain({ Next: 'B' }), B: fits } };
  assert.equal(output(await bench(definition, { lambdas: { f: () => sized(LIMIT) } }).run()), 'fits');
  const over = await bench(definition, { lambdas: { f: () => sized(LIMIT + 1) } }).run();
  assert.equal(over.error, 'States.DataLimitExceeded');
  assert.match(over.cause ?? '', /result of state A has 262145 bytes/);
});

test('bytes are counted, not characters', async () => {
  const definition = { StartAt: 'A', States: { A: plain({ Next: 'B' }), B: fits } };
  const f = () => 'ü'.repeat(LIMIT / 2);
  assert.equal((await bench(definition, { lambdas: { f } }).run()).error, 'States.DataLimitExceeded');
});

test('arguments, output, items, a Map’s collected results and one Assign are held to the same size', async () => {
  const half = sized(LIMIT / 2);
  const twice = ['{% $states.input.x %}', '{% $states.input.x %}'];
  const map = (rest: Record<string, unknown>) => ({
    Type: 'Map',
    Items: [1, 2],
    ItemProcessor: { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } },
    Next: 'B',
    ...rest,
  });
  const tooMuch: Record<string, Record<string, unknown>> = {
    'arguments of state A': plain({ Arguments: twice, Next: 'B' }),
    'output of state A': { Type: 'Pass', Output: twice, Next: 'B' },
    'what state A assigns': { Type: 'Pass', Assign: { one: twice[0], two: twice[1] }, Output: 1, Next: 'B' },
    'item 0 of state A': map({ ItemSelector: twice }),
    'result of state A': map({ ItemSelector: twice[0], Output: 1 }),
  };
  for (const [what, A] of Object.entries(tooMuch)) {
    const { error, cause } = await bench({ StartAt: 'A', States: { A, B: fits } }, { lambdas: { f: () => 1 } }).run({
      x: half,
    });
    assert.equal(error, 'States.DataLimitExceeded', what);
    assert.match(cause ?? '', new RegExp(what));
  }
});

test('too much data is not caught by States.ALL, but by its name', async () => {
  const caught = (name: string) => ({
    StartAt: 'A',
    States: { A: plain({ Catch: [{ ErrorEquals: [name], Next: 'B' }], Next: 'B' }), B: fits },
  });
  const lambdas = { f: () => sized(LIMIT + 1) };
  assert.equal((await bench(caught('States.ALL'), { lambdas }).run()).status, 'FAILED');
  assert.equal((await bench(caught('States.DataLimitExceeded'), { lambdas }).run()).status, 'SUCCEEDED');
});

test('all variables of an execution together have at most 10 MiB', async () => {
  const names = Array.from({ length: 42 }, (_, i) => `V${i}`);
  const States = Object.fromEntries(
    names.map((name, i) => [
      name,
      { Type: 'Pass', Assign: { [name]: '{% $states.input %}' }, Next: names[i + 1] ?? 'B' },
    ]),
  );
  const { error, cause } = await bench({ StartAt: 'V0', States: { ...States, B: fits } }).run(sized(LIMIT - 20));
  assert.equal(error, 'States.DataLimitExceeded');
  assert.match(cause ?? '', /all variables together/);
});

test('an execution fails at 25,000 events, and neither Retry nor Catch can save it', async () => {
  const inner = { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } };
  const { run, call } = bench({
    StartAt: 'Loop',
    States: {
      Loop: {
        Type: 'Parallel',
        Branches: [inner],
        Output: {},
        Retry: [{ ErrorEquals: ['States.ALL'] }],
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Loop' }],
        Next: 'Loop',
      },
    },
  });
  const execution = await run();
  assert.equal(execution.error, 'States.Runtime');
  assert.equal(execution.cause, 'The execution reached the maximum number of history events (25000).');
  assert.equal(execution.events, 25_000);
  const { events } = await call('GetExecutionHistory', {
    executionArn: execution.arn,
    reverseOrder: true,
    maxResults: 1,
  });
  assert.deepEqual(
    (events as { id: number; type: string }[]).map(({ id, type }) => [id, type]),
    [[25_000, 'ExecutionFailed']],
  );
  await assert.rejects(call('RedriveExecution', { executionArn: execution.arn }), { name: 'ExecutionNotRedrivable' });
});

test('a Map runs at most 40 iterations at a time, or as many as MaxConcurrency says', async () => {
  for (const [MaxConcurrency, expected] of [
    [0, 40],
    [100, 40],
    ['{% $states.input.most %}', 3],
    [1, 1],
  ] as const) {
    let now = 0;
    let most = 0;
    const f = async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((done) => setTimeout(done, 2));
      now -= 1;
    };
    const Each = {
      Type: 'Map',
      Items: '{% [1..60] %}',
      MaxConcurrency,
      ItemProcessor: { StartAt: 'I', States: { I: invoke('f') } },
      End: true,
    };
    assert.equal(
      (await bench({ StartAt: 'Each', States: { Each } }, { lambdas: { f } }).run({ most: 3 })).status,
      'SUCCEEDED',
    );
    assert.equal(most, expected);
  }
});

test('names are checked, and a name is used once: the same start while it runs is the same execution', async () => {
  const { call, service } = bench(
    { StartAt: 'A', States: { A: invoke('f') } },
    { lambdas: { f: () => new Promise((done) => setTimeout(done, 20)) } },
  );
  const start = (name: string, input = '{}') =>
    call('StartExecution', { stateMachineArn: machineArn('main'), name, input });
  for (const bad of ['a b', 'a:b', 'a/b', 'a*', 'a\u0007'])
    await assert.rejects(start(bad), { name: 'InvalidName' }, bad);
  for (const length of [0, 81]) await assert.rejects(start('x'.repeat(length)), { name: 'ValidationException' });
  await assert.rejects(start('bad', '{'), { name: 'InvalidExecutionInput' });
  await assert.rejects(start('big', JSON.stringify(sized(LIMIT + 1))), { name: 'ValidationException' });
  const first = await start('x'.repeat(80), '{"a":1}');
  assert.deepEqual(await start('x'.repeat(80), '{"a":1}'), first);
  await assert.rejects(start('x'.repeat(80), '{"a":2}'), { name: 'ExecutionAlreadyExists' });
  await service.idle();
  await assert.rejects(start('x'.repeat(80), '{"a":1}'), { name: 'ExecutionAlreadyExists' });
  assert.equal(service.transitions(), 1);
});

test('every state entered and every retry counts as a transition', async () => {
  let calls = 0;
  const f = () => {
    if (++calls < 3) throw named('Again');
  };
  const { run, service } = bench(
    {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          Items: [1, 2],
          MaxConcurrency: 1,
          ItemProcessor: { StartAt: 'I', States: { I: invoke('f', { Retry: [{ ErrorEquals: ['Again'] }] }) } },
          Next: 'Done',
        },
        Done: { Type: 'Succeed' },
      },
    },
    { lambdas: { f } },
  );
  assert.equal((await run()).transitions, 1 + 2 + 2 + 1);
  assert.equal(service.transitions(), 6);
});
