import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { bench, invoke, named, output } from './runner.ts';

const pass = (Output: unknown, rest: Record<string, unknown> = { End: true }) => ({ Type: 'Pass', Output, ...rest });
const inner = (state: Record<string, unknown>, name = 'Inner') => ({ StartAt: name, States: { [name]: state } });

test('Assign and Output see the variables as they were when the state was entered', async () => {
  const { run } = bench({
    StartAt: 'Set',
    States: {
      Set: { Type: 'Pass', Assign: { x: 3, a: 6 }, Next: 'Swap' },
      Swap: { Type: 'Pass', Assign: { x: '{% $a %}', nextX: '{% $x %}' }, Output: '{% $x %}', Next: 'Tell' },
      Tell: pass({ x: '{% $x %}', nextX: '{% $nextX %}', swapGave: '{% $states.input %}' }),
    },
  });
  assert.deepEqual(output(await run()), { x: 6, nextX: 3, swapGave: 3 });
});

test('a variable that no state has assigned yet is undefined, which fails by States.QueryEvaluationError', async () => {
  const { run, events } = bench({
    StartAt: 'Read',
    States: {
      Read: { Type: 'Pass', Assign: { y: '{% $x %}' }, Next: 'Set' },
      Set: { Type: 'Pass', Assign: { x: 1 }, End: true },
    },
  });
  const execution = await run();
  assert.equal(execution.error, 'States.QueryEvaluationError');
  assert.deepEqual((await events(execution.arn)).slice(-2), ['EvaluationFailed', 'ExecutionFailed']);
});

test('iterations read outer variables, keep their own apart, and leave none behind', async () => {
  const { run } = bench({
    StartAt: 'Set',
    States: {
      Set: { Type: 'Pass', Assign: { factor: 10 }, Next: 'Each' },
      Each: {
        Type: 'Map',
        Items: [1, 2, 3],
        ItemProcessor: {
          StartAt: 'Keep',
          States: {
            Keep: { Type: 'Pass', Assign: { own: '{% $states.input * $factor %}' }, Next: 'Give' },
            Give: pass('{% $own %}'),
          },
        },
        Assign: { factor: '{% $sum($states.result) %}' },
        Next: 'Tell',
      },
      Tell: pass(['{% $factor %}', '{% $states.input %}']),
    },
  });
  assert.deepEqual(output(await run()), [60, [10, 20, 30]]);
});

test('a Catch on a Map assigns in the outer scope', async () => {
  const { run } = bench(
    {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          Items: [1],
          ItemProcessor: inner(invoke('f')),
          Catch: [
            {
              ErrorEquals: ['Broken'],
              Assign: { why: '{% $states.errorOutput.Error %}' },
              Output: { kept: '{% $states.input.kept %}' },
              Next: 'Tell',
            },
          ],
          Next: 'Tell',
          Assign: { why: 'none' },
        },
        Tell: pass(['{% $why %}', '{% $states.input %}']),
      },
    },
    {
      lambdas: {
        f: () => {
          throw named('Broken');
        },
      },
    },
  );
  assert.deepEqual(output(await run({ kept: 1 })), ['Broken', { kept: 1 }]);
});

test('Step Functions’ own functions do what the guide says', async () => {
  const { run } = bench({
    StartAt: 'Call',
    States: {
      Call: pass({
        partition: '{% $partition([1,2,3,4,5], 2.9) %}',
        range: '{% $range(0, 10, 3) %}',
        down: '{% $range(3, 1, -1) %}',
        hash: '{% $hash("redshift", "MD5") %}',
        seeded: '{% $random(42) = $random(42) %}',
        random: '{% $random() < 1 %}',
        uuid: '{% $length($uuid()) %}',
        parse: '{% $parse("{\\"a\\": [1]}") %}',
      }),
    },
  });
  assert.deepEqual(output(await run()), {
    partition: [[1, 2], [3, 4], [5]],
    range: [0, 3, 6, 9],
    down: [3, 2, 1],
    hash: createHash('md5').update('redshift').digest('hex'),
    seeded: true,
    random: true,
    uuid: 36,
    parse: { a: [1] },
  });
});

test('an expression that loops for ever, recurses too deep or returns a function fails the state', async () => {
  const expressions: [string, RegExp][] = [
    ['($f := function($n){$f($n + 1)}; $f(0))', /timeout after 1000/],
    ['($f := function($n){1 + $f($n)}; $f(0))', /[Ss]tack overflow/],
    ['$sum', /returned a function|cannot hold/],
    ['function($x){$x}', /returned a function/],
    ['1 + "a"', /must be a number|must evaluate to a number/],
  ];
  for (const [expression, why] of expressions) {
    const { error, cause } = await bench({ StartAt: 'A', States: { A: pass(`{% ${expression} %}`) } }).run();
    assert.equal(error, 'States.QueryEvaluationError', expression);
    assert.match(cause ?? '', why);
  }
});

test('a list of one element stays a list on its way through variables, input and output', async () => {
  for (const items of [[5], [], [null], [{ a: 1 }]]) {
    const { run } = bench({
      StartAt: 'Set',
      States: {
        Set: { Type: 'Pass', Assign: { kept: '{% $states.input.items %}' }, Next: 'Tell' },
        Tell: pass(['{% $kept %}', '{% $states.input.items %}', '{% {"in": $kept}.in %}']),
      },
    });
    assert.deepEqual(output(await run({ items })), [items, items, items]);
  }
});
