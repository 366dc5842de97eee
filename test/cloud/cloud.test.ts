import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { OPERATOR } from '../../local/gate.ts';
import { identityOf } from '../../local/processes.ts';
import { ServiceError } from '../../local/service.ts';
import { fixtureAssembly } from './fixture.ts';
import { type FixtureCloud, fixtureCloud } from './fixture-cloud.ts';

async function execute(cloud: FixtureCloud, input: Record<string, unknown>) {
  const client = new SFNClient(cloud.client);
  const stateMachineArn = cloud.outputs.MachineArn;
  const { executionArn } = await client.send(
    new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
  );
  await cloud.idle();
  const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
  client.destroy();
  return execution;
}

test('a function may do what its role allows, and is refused the rest in the words of AWS', async () => {
  await using cloud = await fixtureCloud();
  await cloud.probe({ does: 'put-object', key: 'allowed/1' });
  await cloud.probe({ does: 'put-item', key: 'a' });
  const refusal =
    /^User: arn:aws:sts::000000000000:assumed-role\/\S+\/\S+ is not authorized to perform: (\S+) on resource: "(\S+)" because no identity-based policy allows the \1 action$/;
  await assert.rejects(cloud.probe({ does: 'put-object', key: 'elsewhere/1' }), {
    name: 'AccessDenied',
    message: refusal,
  });
  await assert.rejects(cloud.probe({ does: 'get-item', table: 'other', key: 'a' }), {
    name: 'AccessDeniedException',
    message: refusal,
  });
  const start = cloud.probe({ does: 'start-execution', key: cloud.outputs.MachineArn });
  await assert.rejects(start, { name: 'AccessDeniedException', message: refusal });
});

test('a function in a VPC reaches the services that have an endpoint there, and no other, whatever its role allows', async () => {
  await using cloud = await fixtureCloud();
  const functionArn = cloud.functionName('Inside');
  const invoke = async (event: unknown) => cloud.lambda.invoke({ functionArn, payload: JSON.stringify(event) });
  assert.equal((await invoke({ does: 'put-item', key: 'a' })).functionError, undefined);
  const { payload } = await invoke({ does: 'start-execution', key: cloud.outputs.MachineArn });
  assert.equal(JSON.parse(payload).errorType, 'VpcUnreachable');
  assert.match(JSON.parse(payload).errorMessage, /^states can't be reached: .* is in a VPC without a NAT gateway/);
});

test('a machine runs its functions, and a rule tells a function of its failure', async () => {
  await using cloud = await fixtureCloud();
  const good = await execute(cloud, { does: 'nothing' });
  assert.equal(good.status, 'SUCCEEDED', good.cause);
  const bad = await execute(cloud, { fail: true });
  assert.equal(bad.status, 'FAILED');
  const events = cloud.lines
    .filter(({ line }) => line.startsWith('EVENT '))
    .map(({ line }) => JSON.parse(line.slice(6)));
  assert.deepEqual(events, [{ execution: bad.executionArn, was: 'FAILED' }]);
});

test("calls by functions and machines are counted, the operator's are not, and each execution's apart", async () => {
  await using cloud = await fixtureCloud();
  const client = new DynamoDBClient(cloud.client);
  await client.send(new GetItemCommand({ TableName: cloud.table, Key: { pk: { S: 'a' } } }));
  client.destroy();
  assert.deepEqual(cloud.counts(), {
    lambda: 0,
    redshiftData: 0,
    s3: 0,
    dynamodb: 0,
    secretsManager: 0,
    transitions: 0,
  });
  await execute(cloud, { does: 'put-item', key: 'a' });
  const counted = { lambda: 1, redshiftData: 0, s3: 0, dynamodb: 1, secretsManager: 0, transitions: 3 };
  assert.deepEqual(cloud.counts(), counted);
  // Two at once, by processes of one function: neither is told of the other's calls.
  const [item, object] = await Promise.all([
    execute(cloud, { does: 'put-item', key: 'b' }),
    execute(cloud, { does: 'put-object', key: 'allowed/a' }),
  ]);
  assert.deepEqual(cloud.counts(), { ...counted, lambda: 3, s3: 1, dynamodb: 2, transitions: 9 });
  assert.deepEqual(cloud.countsOf(item.executionArn ?? ''), counted);
  assert.deepEqual(cloud.countsOf(object.executionArn ?? ''), { ...counted, dynamodb: 0, s3: 1 });
});

test('a request without a signature, by a stranger or with a wrong secret is refused', async () => {
  await using cloud = await fixtureCloud();
  const unsigned = await fetch(cloud.endpoint, {
    method: 'POST',
    headers: { 'x-amz-target': 'secretsmanager.ListSecrets' },
  });
  assert.equal(unsigned.status, 403);
  assert.match(await unsigned.text(), /MissingAuthenticationToken/);
  const read = async (accessKeyId: string, secretAccessKey: string) => {
    const client = new SecretsManagerClient({ ...cloud.client, credentials: { accessKeyId, secretAccessKey } });
    await client.send(new GetSecretValueCommand({ SecretId: 'x' })).finally(() => client.destroy());
  };
  await assert.rejects(read('stranger', 'x'), { name: 'UnrecognizedClientException' });
  await assert.rejects(read(OPERATOR, 'guessed'), { name: 'InvalidSignatureException' });
  await assert.rejects(read(OPERATOR, cloud.credentials.secretAccessKey), { name: 'ResourceNotFoundException' });

  const s3 = async (accessKeyId: string, secretAccessKey: string) => {
    const client = new S3Client({ ...cloud.client, credentials: { accessKeyId, secretAccessKey } });
    await client
      .send(new ListObjectsV2Command({ Bucket: cloud.bucket, Prefix: "ä b'*(1)" }))
      .finally(() => client.destroy());
  };
  await assert.rejects(s3('stranger', 'x'), { name: 'InvalidAccessKeyId' });
  await assert.rejects(s3(OPERATOR, 'guessed'), { name: 'SignatureDoesNotMatch' });
  await s3(OPERATOR, cloud.credentials.secretAccessKey);
});

test('a fault injected before a call prevents it, one after it only loses the answer', async () => {
  let fault: 'before' | 'after' | undefined;
  let refusal: Error = new Error('cable cut');
  await using cloud = await fixtureCloud({
    fault: ({ service, action, moment }) => {
      if (service === 's3' && action === 'PutObject' && moment === fault) throw refusal;
    },
  });
  const client = new S3Client({ ...cloud.client, maxAttempts: 1 });
  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: 'x' }));
  fault = 'before';
  await assert.rejects(put('before'), /socket hang up|ECONNRESET/);
  fault = 'after';
  await assert.rejects(put('after'), /socket hang up|ECONNRESET/);
  refusal = new ServiceError('SlowDown', 'Please reduce your request rate.', 503);
  await assert.rejects(put('slow'), { name: 'SlowDown' });
  fault = undefined;
  await put('well');
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: cloud.bucket }));
  assert.deepEqual(
    Contents?.map(({ Key }) => Key),
    ['after', 'slow', 'well'],
  );
  client.destroy();
});

test("outputs, parameters and logs are the template's", async () => {
  await using cloud = await fixtureCloud({ parameters: { Greeting: 'good day' } });
  assert.equal(cloud.outputs.Where, 'us-east-1/000000000000');
  const { env } = (await cloud.probe({ does: 'environment' })) as { env: Record<string, string> };
  assert.equal(env.GREETING, 'good day');
  const log = readFileSync(join(cloud.state, 'logs', `${cloud.functionName('Probe')}.log`), 'utf8');
  assert.match(log, /REPORT RequestId: .*Max Memory Used/);
});

test('a port in use is named', async () => {
  await using cloud = await fixtureCloud();
  const port = Number(new URL(cloud.endpoint).port);
  await assert.rejects(fixtureCloud({ port }), new RegExp(`PortTaken: port ${port}`));
});

// A function that spins hears nothing: it has to be killed. After a SIGKILL of ours nobody is left to do that.
for (const [signal, does] of [
  ['SIGINT', 'spin'],
  ['SIGKILL', 'sleep'],
] as const) {
  test(`functions end when the cloud's process ends by ${signal}`, async () => {
    const state = mkdtempSync(join(tmpdir(), 'redshift-loader-cloud-'));
    const local = join(import.meta.dirname, '../../local/cloud.ts');
    const code = `import { startCloud } from ${JSON.stringify(local)};
      const cloud = await startCloud({ assembly: ${JSON.stringify(await fixtureAssembly())}, state: ${JSON.stringify(state)} });
      const functionArn = cloud.stack.of('AWS::Lambda::Function')[0].arn;
      const { payload } = await cloud.lambda.invoke({ functionArn, payload: '{"does":"nothing"}' });
      cloud.lambda.invoke({ functionArn, payload: '{"does":"${does}"}' });
      await new Promise((done) => setTimeout(done, 200));
      console.log(JSON.parse(payload).pid);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(String((await once(child.stdout, 'data'))[0]));
    assert.notEqual(identityOf(pid), undefined);
    child.kill(signal);
    await once(child, 'exit');
    for (let i = 0; identityOf(pid) !== undefined; i++) {
      assert.ok(i < 100, `function process ${pid} is still alive`);
      await sleep(20);
    }
    rmSync(state, { recursive: true });
  });
}
