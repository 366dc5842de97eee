import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { parseMachine } from '../../local/states/machine.ts';
import { functionArn, invoke } from './runner.ts';

type Fields = Record<string, unknown>;
// Typed by hand: the package has no declarations for its only export.
const validate = createRequire(import.meta.url)('asl-validator') as (definition: Fields) => {
  isValid: boolean;
  errorsText(): string;
};

const end = { End: true };
const machine = (States: Fields, rest: Fields = {}): Fields => ({
  QueryLanguage: 'JSONata',
  StartAt: Object.keys(States)[0],
  States,
  ...rest,
});
const only = (state: Fields): Fields => machine({ A: state });
const iterated = (state: Fields): Fields => ({ StartAt: 'I', States: { I: state } });
const refused = (definition: Fields, message: RegExp): void => {
  assert.throws(
    () => parseMachine(JSON.stringify(definition)),
    (error: Error) => error.name === 'InvalidDefinition' && message.test(error.message),
    JSON.stringify(definition),
  );
};

/** One machine with every state type and field that the interpreter runs. */
const complete = machine(
  {
    Pass: { Type: 'Pass', Comment: 'c', Assign: { x: 1 }, Output: { a: '{% $states.input.a %}' }, Next: 'Wait' },
    Wait: { Type: 'Wait', Seconds: '{% $x %}', Next: 'Choice' },
    Choice: {
      Type: 'Choice',
      Choices: [{ Condition: '{% $x = 1 %}', Assign: { y: 2 }, Next: 'Map' }],
      Default: 'Parallel',
    },
    Map: {
      Type: 'Map',
      Items: '{% $states.input %}',
      ItemSelector: { v: '{% $states.context.Map.Item.Value %}' },
      MaxConcurrency: 5,
      ItemProcessor: {
        ProcessorConfig: { Mode: 'INLINE' },
        ...iterated(
          invoke('f', {
            TimeoutSeconds: 9,
            Retry: [{ ErrorEquals: ['A'], MaxDelaySeconds: 60, JitterStrategy: 'FULL' }],
          }),
        ),
      },
      Catch: [{ ErrorEquals: ['States.ALL'], Output: '{% $states.errorOutput %}', Next: 'Fail' }],
      Next: 'Succeed',
    },
    Parallel: {
      Type: 'Parallel',
      Arguments: {},
      Branches: [{ StartAt: 'P', States: { P: { Type: 'Succeed' } } }],
      Next: 'Succeed',
    },
    Succeed: { Type: 'Succeed', Output: { done: true } },
    Fail: { Type: 'Fail', Error: 'E', Cause: '{% $string($x) %}' },
  },
  { Comment: 'all', Version: '1.0', TimeoutSeconds: 60 },
);

test('what this interpreter accepts, asl-validator accepts', () => {
  parseMachine(JSON.stringify(complete));
  const { isValid, errorsText } = validate(complete);
  assert.ok(isValid, isValid ? '' : errorsText());
});

test('JSONPath is refused, as a machine, as a state and by its fields', () => {
  refused({ StartAt: 'A', States: { A: { Type: 'Succeed' } } }, /JSONPath is not supported/);
  refused(machine({ A: { Type: 'Succeed' } }, { QueryLanguage: 'JSONPath' }), /JSONPath is not supported/);
  refused(only({ Type: 'Succeed', QueryLanguage: 'JSONPath' }), /JSONPath is not supported/);
  refused(only({ Type: 'Pass', ResultPath: '$.a', ...end }), /"ResultPath".*JSONPath.*\/States\/A/);
});

test('a state may say that it is JSONata where the machine does not', () => {
  parseMachine(JSON.stringify({ StartAt: 'A', States: { A: { Type: 'Succeed', QueryLanguage: 'JSONata' } } }));
});

test('fields and modes that are not run are refused, not ignored', () => {
  const map = { Type: 'Map', ItemProcessor: iterated({ Type: 'Pass', ...end }), ...end };
  parseMachine(JSON.stringify(only(map)));
  refused(only({ ...map, ItemReader: {} }), /ItemReader/);
  refused(only({ ...map, ToleratedFailureCount: 1 }), /ToleratedFailureCount/);
  refused(
    only({ ...map, ItemProcessor: { ...map.ItemProcessor, ProcessorConfig: { Mode: 'DISTRIBUTED' } } }),
    /only INLINE/,
  );
  refused(only({ ...invoke('f'), HeartbeatSeconds: 5 }), /HeartbeatSeconds/);
  refused(only({ ...invoke('f'), Credentials: {} }), /Credentials/);
  refused(only({ Type: 'Nothing' }), /States\/A/);
});

test('resources are refused unless they are run just as AWS runs them', () => {
  const task = (Resource: string, Arguments: unknown = {}): Fields =>
    only({ Type: 'Task', Resource, Arguments, ...end });
  refused(task('arn:aws:states:::states:startExecution.sync:2'), /\.sync:2 is not supported/);
  refused(task('arn:aws:states:::lambda:invoke.waitForTaskToken'), /waitForTaskToken is not supported/);
  refused(task('arn:aws:states:::ecs:runTask'), /is not supported/);
  refused(task('arn:aws:states:::aws-sdk:nosuch:thing'), /is not supported/);
  refused(task(`${functionArn('f')}:live`), /versions and aliases/);
  refused(task('arn:aws:states:::lambda:invoke'), /need FunctionName/);
  refused(task('arn:aws:states:::lambda:invoke', { FunctionName: 'f', InvocationType: 'Event' }), /RequestResponse/);
  refused(task('arn:aws:states:::states:startExecution', { StateMachineArn: 'a', TraceHeader: 'x' }), /TraceHeader/);
});

test('transitions must lead somewhere, and to every state', () => {
  refused(only({ Type: 'Pass' }), /needs Next or "End"/);
  refused(only({ Type: 'Pass', End: true, Next: 'A' }), /exactly one of Next and "End"/);
  refused(only({ Type: 'Pass', Next: 'B' }), /Next names no state: B/);
  refused(only(invoke('f', { Catch: [{ ErrorEquals: ['A'], Next: 'B' }] })), /Next names no state: B/);
  refused(machine({ A: { Type: 'Succeed' } }, { StartAt: 'B' }), /StartAt names no state: B/);
  refused(machine({ A: { Type: 'Succeed' }, B: { Type: 'Succeed' } }), /no transition leads to this state at \/B/);
  refused(
    machine({ A: { Type: 'Map', ItemProcessor: { StartAt: 'A', States: { A: { Type: 'Succeed' } } }, ...end } }),
    /must be unique/,
  );
});

test('expressions are checked where they stand', () => {
  const pass = (Output: unknown): Fields => only({ Type: 'Pass', Output, ...end });
  refused(pass('{% 1 + %}'), /not valid JSONata/);
  refused(pass([' {% 1 %}']), /must enclose the whole string/);
  refused(pass('{% $states.result %}'), /\$states\.result is not accessible/);
  refused(pass('{% $states.inputs %}'), /has no field inputs/);
  refused(pass('{% $states.context.Exec.Id %}'), /has no Exec/);
  refused(pass('{% $eval("1") %}'), /use \$parse/);
  refused(pass('{% $states.input ?? 1 %}'), /\?\? came after JSONata 2\.0\.6/);
  refused(pass('{% $states.input ?: 1 %}'), /\?: came after/);
  refused(only(invoke('f', {}, '{% $states.result %}')), /not accessible/);
  refused(only(invoke('f', { Output: '{% $states.errorOutput %}' })), /errorOutput is not accessible/);
  const inside = { Type: 'Pass', Output: '{% $states.context.Map.Item.Value %}', ...end };
  refused(only({ Type: 'Map', ItemProcessor: iterated(inside), ...end }), /in ItemSelector only/);
  parseMachine(
    JSON.stringify(pass('{% ($f := function($x){$x + 1}; $states.input.a@$v#$i.{"s": $f($v + $i) > 1 ? 1 : 2}) %}')),
  );
});

test('a variable must be assigned in scope, and only in one scope', () => {
  const set = (name: string, rest: Fields): Fields => ({ Type: 'Pass', Assign: { [name]: 1 }, ...rest });
  refused(only({ Type: 'Pass', Output: '{% $typo %}', ...end }), /no state in scope assigns the variable \$typo/);
  refused(
    machine({ A: set('x', { Next: 'B' }), B: { Type: 'Map', ItemProcessor: iterated(set('x', end)), ...end } }),
    /an outer workflow assigns the variable x already/,
  );
  const leaked = { Type: 'Pass', Output: '{% $y %}', ...end };
  refused(
    machine({ B: { Type: 'Map', ItemProcessor: iterated(set('y', end)), Next: 'C' }, C: leaked }),
    /the variable \$y/,
  );
  refused(only(set('x.y', end)), /identifier/);
  refused(only(set('states', end)), /reserved/);
});

test('Retry and Catch are checked', () => {
  const retry = (...Retry: Fields[]): Fields => only(invoke('f', { Retry }));
  refused(retry({ ErrorEquals: [] }), /Retry/);
  refused(retry({ ErrorEquals: ['States.ALL', 'A'] }), /must stand alone/);
  refused(retry({ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['A'] }), /last retrier/);
  refused(retry({ ErrorEquals: ['States.Typo'] }), /no such States/);
  refused(retry({ ErrorEquals: ['A'], BackoffRate: 0.5 }), /BackoffRate/);
  refused(retry({ ErrorEquals: ['A'], MaxDelay: 1 }), /MaxDelay/);
});

test('Wait takes exactly one of Seconds and Timestamp', () => {
  refused(only({ Type: 'Wait', ...end }), /exactly one of Seconds and Timestamp/);
  refused(only({ Type: 'Wait', Seconds: 1, Timestamp: '2026-01-01T00:00:00Z', ...end }), /exactly one/);
  refused(only({ Type: 'Wait', Timestamp: 'tomorrow', ...end }), /Timestamp/);
});
