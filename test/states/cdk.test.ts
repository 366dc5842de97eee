import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke, StepFunctionsStartExecution } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { bench, functionArn, machineArn, output } from './runner.ts';

const outdir = mkdtempSync(join(tmpdir(), 'states-cdk-'));
after(() => rmSync(outdir, { recursive: true }));

/** A machine as a CDK app writes it, with what the template leaves to CloudFormation filled in. */
function synthesized(build: (stack: Stack) => sfn.IChainable): Record<string, unknown> {
  const stack = new Stack(new App({ analyticsReporting: false, treeMetadata: false, outdir }), 'Test');
  new sfn.StateMachine(stack, 'Machine', {
    queryLanguage: sfn.QueryLanguage.JSONATA,
    definitionBody: sfn.DefinitionBody.fromChainable(build(stack)),
    timeout: Duration.hours(1),
  });
  const [machine] = Object.values(Template.fromStack(stack).findResources('AWS::StepFunctions::StateMachine'));
  const definition = machine?.Properties.DefinitionString as string | { 'Fn::Join': [string, unknown[]] };
  if (typeof definition === 'string') return JSON.parse(definition);
  const parts = definition['Fn::Join'][1].map((part) => {
    if (typeof part === 'string') return part;
    const found = part as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
    return found.Ref === 'AWS::Partition' ? 'aws' : functionArn('worker');
  });
  return JSON.parse(parts.join(''));
}

test('a machine that CDK wrote in JSONata runs as it stands', async () => {
  const definition = synthesized((stack) => {
    const worker = new LambdaFunction(stack, 'Worker', {
      runtime: Runtime.NODEJS_22_X,
      handler: 'a.b',
      code: Code.fromInline('0'),
    });
    const plan = LambdaInvoke.jsonata(stack, 'Plan', {
      lambdaFunction: worker,
      payload: sfn.TaskInput.fromObject({ job: '{% $states.input.job %}' }),
      assign: { loads: '{% $states.result.Payload.loads %}' },
      outputs: '{% $states.result.Payload %}',
      taskTimeout: sfn.Timeout.duration(Duration.minutes(1)),
    });
    const load = LambdaInvoke.jsonata(stack, 'Load', {
      lambdaFunction: worker,
      payload: sfn.TaskInput.fromObject({ load: '{% $states.input %}' }),
      outputs: '{% $states.result.Payload %}',
    });
    const failed = sfn.Fail.jsonata(stack, 'Failed', { error: 'LoadFailed', cause: '{% $states.input.Cause %}' });
    const large = StepFunctionsStartExecution.jsonata(stack, 'Large', {
      stateMachine: sfn.StateMachine.fromStateMachineArn(stack, 'Other', machineArn('other')),
      name: "{% 'large-' & $states.context.Execution.Name %}",
      input: sfn.TaskInput.fromObject({ loads: '{% $loads %}' }),
      outputs: '{% $states.input %}',
    });
    const again = sfn.Choice.jsonata(stack, 'More?');
    const loads = sfn.Map.jsonata(stack, 'Loads', {
      items: sfn.ProvideItems.jsonata('{% $loads %}'),
      maxConcurrency: 4,
    });
    loads.itemProcessor(
      load.next(
        again
          .when(sfn.Condition.jsonata("{% $states.input.state = 'running' %}"), load)
          .otherwise(sfn.Succeed.jsonata(stack, 'Loaded')),
      ),
    );
    loads.addCatch(failed, { errors: ['States.ALL'] });
    const done = sfn.Succeed.jsonata(stack, 'Done', { outputs: { loads: '{% $states.input %}' } });
    const idle = sfn.Choice.jsonata(stack, 'Nothing to do?').when(
      sfn.Condition.jsonata('{% $count($loads) = 0 %}'),
      sfn.Succeed.jsonata(stack, 'Idle'),
    );
    return plan.next(idle.otherwise(large.next(loads).next(done)));
  });
  const seen: unknown[] = [];
  const worker = (payload: { job?: string; load?: number }) => {
    seen.push(payload);
    if (payload.job) return { loads: payload.job === 'idle' ? [] : [1, 2] };
    return { state: seen.length < 5 ? 'running' : 'done' };
  };
  const others = { other: { StartAt: 'End', States: { End: { Type: 'Succeed' } } } };
  const { run, service } = bench(definition, { lambdas: { worker }, others });
  const idle = await run({ job: 'idle' });
  assert.equal(idle.status, 'SUCCEEDED', idle.cause);
  assert.equal(idle.transitions, 3);
  const busy = await run({ job: 'orders' }, 'tick');
  assert.equal(busy.status, 'SUCCEEDED', busy.cause);
  assert.deepEqual(output(busy), { loads: [{ state: 'done' }, { state: 'done' }] });
  const other = machineArn('other').replace('stateMachine', 'execution');
  assert.deepEqual(JSON.parse(service.execution(`${other}:large-tick`).input), { loads: [1, 2] });
});
