import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DescribeStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { type Cloud, startCloud } from '../../local/cloud.ts';
import { REGION } from '../../local/identity.ts';
import { DESTINATION } from '../../local/installation.ts';
import { hashOf, synthesize } from '../../local/synth.ts';

const Template = z.looseObject({
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }),
  ),
});
type Template = z.infer<typeof Template>;

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-assembly-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** The local cloud on the synthesized app, as another default in infra/ would have made it. */
async function changed(
  name: string,
  change: (template: Template) => void,
  onLog: (name: string, line: string) => void = () => undefined,
): Promise<Cloud> {
  const assembly = join(dir, name);
  cpSync(await synthesize({ destinations: [DESTINATION] }), assembly, { recursive: true });
  const file = join(assembly, 'RedshiftLoader.template.json');
  const template = Template.parse(JSON.parse(readFileSync(file, 'utf8')));
  change(template);
  writeFileSync(file, JSON.stringify(template));
  return startCloud({ assembly, state: join(dir, `${name}-state`), onLog });
}

function propertiesOf(template: Template, id: RegExp, type: string): Record<string, unknown> {
  const found = Object.entries(template.Resources).find(([key, one]) => id.test(key) && one.Type === type);
  assert.ok(found?.[1].Properties, `${type} ${id}`);
  return found[1].Properties;
}

const functionIn = (cloud: Cloud, id: RegExp) => {
  const resource = cloud.stack.of('AWS::Lambda::Function').find(({ logicalId }) => id.test(logicalId));
  const found = cloud.lambda.find(resource?.name ?? '');
  assert.ok(found, String(id));
  return found;
};

/** What finish is told of a table whose execution is over. */
const ENDED = {
  jobId: 'job',
  runId: 'run',
  table: 'orders',
  owner: 'run',
  startedAt: '2026-11-22T10:00:00Z',
  error: null,
};

test('whatever the template or its bundles are made from, another version of it is synthesized anew', () => {
  const copy = join(dir, 'repository');
  for (const part of ['infra', 'functions', 'shared', 'cdk.json', 'package-lock.json'])
    cpSync(join(import.meta.dirname, '../..', part), join(copy, part), { recursive: true });
  assert.equal(hashOf('context', copy), hashOf('context'), 'wherever it lies');
  const seen = new Set([hashOf('context', copy), hashOf('another', copy)]);
  const changed = ['infra/functions.ts', 'functions/plan.ts', 'shared/sql/quote.ts', 'cdk.json', 'package-lock.json'];
  for (const file of changed) {
    appendFileSync(join(copy, file), ' ');
    seen.add(hashOf('context', copy));
  }
  assert.equal(seen.size, 2 + changed.length);
});

test('what runs locally has its limits, variables and definitions from the template', async () => {
  const before = await changed('as-it-is', () => undefined);
  const plan = functionIn(before, /Functionsplan/);
  assert.deepEqual([plan.timeoutMs, plan.environment.NEW], [300_000, undefined]);
  assert.equal(functionIn(before, /Functionsload/).environment.DESTINATIONS, JSON.stringify([DESTINATION]));
  await before.stop();

  const cloud = await changed('changed', (template) => {
    const properties = propertiesOf(template, /^Functionsplan/, 'AWS::Lambda::Function');
    Object.assign(properties, { Timeout: 77, MemorySize: 512, Environment: { Variables: { NEW: 'yes' } } });
    const machine = propertiesOf(template, /^SetupJob/, 'AWS::StepFunctions::StateMachine');
    machine.DefinitionString = JSON.stringify({
      QueryLanguage: 'JSONata',
      StartAt: 'Another',
      States: { Another: { Type: 'Succeed' } },
    });
  });
  try {
    const { timeoutMs, memoryMb, environment } = functionIn(cloud, /Functionsplan/);
    assert.deepEqual([timeoutMs, memoryMb, environment.NEW], [77_000, 512, 'yes']);
    const states = new SFNClient({ endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials });
    const { definition = '' } = await states.send(
      new DescribeStateMachineCommand({ stateMachineArn: cloud.outputs.SetupJobArn }),
    );
    assert.match(definition, /"StartAt":"Another"/);
  } finally {
    await cloud.stop();
  }
});

test('a function that lacks a variable says so by name, rather than running on, and logs whose call it was', async () => {
  const lines: string[] = [];
  const cloud = await changed(
    'without',
    (template) => {
      const properties = propertiesOf(template, /^Functionsfinish/, 'AWS::Lambda::Function');
      properties.Environment = { Variables: { TABLE_NAME: 'any', POWERTOOLS_SERVICE_NAME: 'finish' } };
    },
    (_name, line) => lines.push(line),
  );
  try {
    const { arn } = functionIn(cloud, /Functionsfinish/);
    const { payload } = await cloud.lambda.invoke({ functionArn: arn, payload: JSON.stringify(ENDED) });
    const { errorType, errorMessage } = JSON.parse(payload);
    assert.equal(errorType, 'BadConfiguration', payload);
    assert.match(errorMessage, /the environment lacks BUCKET_NAME: deploy the stack again/);
    const { level, service, jobId, table, runId } = JSON.parse(
      lines.find((line) => line.includes('BUCKET_NAME')) ?? '{}',
    );
    assert.deepEqual([level, service, jobId, table, runId], ['ERROR', 'finish', 'job', 'orders', 'run']);

    const { runId: _, ...nameless } = ENDED;
    const refused = await cloud.lambda.invoke({ functionArn: arn, payload: JSON.stringify(nameless) });
    assert.match(JSON.parse(refused.payload).errorMessage, /^unexpected event: .*\n.*runId/);
  } finally {
    await cloud.stop();
  }
});

test('a right taken from the template is missed locally', async () => {
  const cloud = await changed('denied', (template) => {
    const policy = propertiesOf(template, /^FunctionsfinishServiceRoleDefaultPolicy/, 'AWS::IAM::Policy');
    policy.PolicyDocument = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'xray:PutTraceSegments', Resource: '*' }],
    };
  });
  try {
    const { arn } = functionIn(cloud, /Functionsfinish/);
    const { payload } = await cloud.lambda.invoke({ functionArn: arn, payload: JSON.stringify(ENDED) });
    assert.equal(JSON.parse(payload).errorType, 'AccessDeniedException', payload);
  } finally {
    await cloud.stop();
  }
});
