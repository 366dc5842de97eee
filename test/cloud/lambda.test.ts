import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { identityOf } from '../../local/processes.ts';
import { fixtureAssembly } from './fixture.ts';
import { type FixtureCloud, fixtureCloud } from './fixture-cloud.ts';

let cloud: FixtureCloud;
before(async () => {
  cloud = await fixtureCloud({ retryAfterMs: [10, 10] });
});
after(() => cloud[Symbol.asyncDispose]());

const pidOf = async () => ((await cloud.probe({ does: 'nothing' })) as { pid: number }).pid;

test('a process is used again for the next event', async () => {
  assert.equal(await pidOf(), await pidOf());
});

test('a function leaves the CPU to the servers that it waits for', async () => {
  assert.equal(getPriority(await pidOf()), constants.priority.PRIORITY_BELOW_NORMAL);
});

test('a function sees the environment of its template and of Lambda, and nothing of ours', async () => {
  process.env.SECRET_OF_OURS = 'x';
  const answer = (await cloud.probe({ does: 'environment' })) as {
    env: Record<string, string>;
    cwd: string;
    ms: number;
    arn: string;
  };
  const { env } = answer;
  assert.equal(env.GREETING, 'hello');
  assert.equal(env.TABLE, cloud.table);
  assert.equal(env.AWS_ENDPOINT_URL, cloud.endpoint);
  assert.equal(env.AWS_REGION, 'us-east-1');
  assert.equal(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, '256');
  assert.equal(env.TZ, 'UTC');
  assert.equal(env.LAMBDA_TASK_ROOT, answer.cwd);
  assert.ok(answer.arn.endsWith(`:function:${cloud.functionName('Probe')}`));
  assert.ok(answer.ms > 1_500 && answer.ms <= 2_000, `${answer.ms} ms are left of 2 s`);
  for (const name of ['SECRET_OF_OURS', 'NODE_OPTIONS', 'HOME', 'npm_config_cache'])
    assert.equal(env[name], undefined, name);
});

test('code runs outside of the repository, so a package left out of the bundle is missing', async () => {
  // Where cdk.out usually is: below the folder whose node_modules has the package.
  const assembly = join(import.meta.dirname, '../../node_modules/.cache', `redshift-loader-assembly-${process.pid}`);
  cpSync(await fixtureAssembly(), assembly, { recursive: true });
  await using inside = await fixtureCloud({ assembly });
  const functionArn = inside.functionName('Incomplete');
  const { functionError, payload } = await inside.lambda.invoke({ functionArn, payload: '{}' });
  rmSync(assembly, { recursive: true });
  assert.equal(functionError, 'Unhandled');
  assert.equal(JSON.parse(payload).errorType, 'Runtime.ImportModuleError');
  assert.match(JSON.parse(payload).errorMessage, /Cannot find (module|package) 'pg'/);
});

test('an error keeps its name', async () => {
  await assert.rejects(cloud.probe({ does: 'throw' }), { name: 'SourceUnavailable', message: 'the reason' });
});

test('a process that exits, or leaves a rejection unhandled, fails its event and is not used again', async () => {
  const first = await pidOf();
  await assert.rejects(cloud.probe({ does: 'exit' }), { name: 'Runtime.ExitError', message: /exit status 7$/ });
  const second = await pidOf();
  assert.notEqual(second, first);
  await assert.rejects(cloud.probe({ does: 'reject' }), { name: 'Runtime.UnhandledPromiseRejection' });
  assert.notEqual(await pidOf(), second);
});

for (const does of ['sleep', 'spin']) {
  test(`a function that takes longer than its timeout is killed: ${does}`, async () => {
    const pid = await pidOf();
    await assert.rejects(cloud.probe({ does }), {
      name: 'Sandbox.Timedout',
      message: /Task timed out after 2\.00 seconds$/,
    });
    assert.equal(identityOf(pid), undefined);
    assert.notEqual(await pidOf(), pid);
  });
}

test('a killed function fails its event', async () => {
  const before = cloud.lines.length;
  const running = assert.rejects(cloud.probe({ does: 'sleep' }), {
    name: 'Runtime.ExitError',
    message: /signal: killed$/,
  });
  while (!cloud.lines.slice(before).some(({ line }) => line === 'sleeping'))
    await new Promise((done) => setTimeout(done, 10));
  cloud.lambda.kill(cloud.functionName('Probe'));
  await running;
});

test('no more run at the same time than are reserved', async () => {
  const calls = Array.from({ length: 4 }, () => cloud.probe({ does: 'sleep', ms: 300 }));
  const outcomes = await Promise.allSettled(calls);
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.deepEqual(
    refused.map(({ reason }) => reason.name),
    ['TooManyRequestsException'],
  );
  const pids = outcomes.flatMap((outcome) =>
    outcome.status === 'fulfilled' ? [(outcome.value as { pid: number }).pid] : [],
  );
  assert.equal(new Set(pids).size, 3, 'each in a process of its own');
});

test('an answer above 6 MB is an error', async () => {
  await assert.rejects(cloud.probe({ does: 'answer', mb: 6 }), { name: 'Function.ResponseSizeTooLarge' });
  const answer = await cloud.probe({ does: 'answer', mb: 5 });
  assert.equal((answer as string).length, 5 * 1024 * 1024);
});

test('the most memory that a function has held is known', { skip: process.platform !== 'linux' }, async () => {
  await cloud.probe({ does: 'allocate', mb: 80 });
  const peak = cloud.lambda.peakRss(cloud.functionName('Probe')) ?? 0;
  assert.ok(peak > 100 * 1024 * 1024 && peak < 400 * 1024 * 1024, `${peak}`);
});

test('a payload above the limit is refused', async () => {
  await assert.rejects(cloud.probe({ does: 'nothing', pad: 'x'.repeat(6 * 1024 * 1024) }), {
    name: 'RequestTooLargeException',
  });
});

test('SDK clients invoke: with an answer, with an error, without waiting, and only what exists', async () => {
  const client = new LambdaClient(cloud.client);
  const invoke = (event: unknown, InvocationType: 'RequestResponse' | 'Event' | 'DryRun' = 'RequestResponse') =>
    client.send(
      new InvokeCommand({ FunctionName: cloud.functionName('Probe'), InvocationType, Payload: JSON.stringify(event) }),
    );

  const good = await invoke({ does: 'nothing' });
  assert.equal(good.StatusCode, 200);
  assert.ok(JSON.parse(good.Payload?.transformToString() ?? '').calls > 0);

  const bad = await invoke({ does: 'throw' });
  assert.equal(bad.FunctionError, 'Unhandled');
  assert.equal(JSON.parse(bad.Payload?.transformToString() ?? '').errorType, 'SourceUnavailable');

  assert.equal((await invoke({ does: 'throw' }, 'DryRun')).StatusCode, 204);
  const tries = () => cloud.lines.filter(({ line }) => line.includes('"the reason"')).length;
  const earlier = tries();
  assert.equal((await invoke({ does: 'throw' }, 'Event')).StatusCode, 202);
  await cloud.idle();
  assert.equal(tries() - earlier, 3, 'an asynchronous event is tried three times');

  const missing = client.send(new InvokeCommand({ FunctionName: 'no-such-function' }));
  await assert.rejects(missing, { name: 'ResourceNotFoundException' });
  client.destroy();
});

test('no process is left after a stop', async () => {
  const own = await fixtureCloud();
  const functionArn = own.functionName('Probe');
  const { payload } = await own.lambda.invoke({ functionArn, payload: '{"does":"nothing"}' });
  const sleeping = own.lambda.invoke({ functionArn, payload: '{"does":"sleep"}' });
  await own[Symbol.asyncDispose]();
  assert.equal(identityOf(JSON.parse(payload).pid), undefined);
  assert.equal((await sleeping).functionError, 'Unhandled');
});
