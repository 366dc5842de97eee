import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  RedriveExecutionCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { ServiceError } from '../../local/service.ts';
import { bench, invoke, machineArn, named, ROLE } from './runner.ts';

let broken = false;
const { service } = bench(
  { StartAt: 'A', States: { A: invoke('f', { Assign: { x: 1 }, Output: '{% $states.result.Payload %}' }) } },
  {
    lambdas: {
      f: (input: { wait?: boolean }) => {
        if (broken) throw named('Broken');
        return input.wait ? new Promise(() => undefined) : input;
      },
    },
  },
);

/** AWS JSON 1.0 in front of the service, as the local cloud's endpoint has it. */
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const action = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
  const input = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
  const answer = await service
    .handle({ action, input, caller: { arn: 'test', accessKeyId: 'test' } })
    .then((body) => ({ status: 200, body }))
    .catch((error: ServiceError) => ({ status: error.status, body: { __type: error.code, message: error.message } }));
  response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer.body));
});
let client: SFNClient;

before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new SFNClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
});
after(async () => {
  client.destroy();
  server.close();
  await service.stop();
});

const stateMachineArn = machineArn('main');
const started = async (name: string, input: unknown = {}) => {
  const { executionArn } = await client.send(
    new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }),
  );
  return String(executionArn);
};

test('StartExecution and DescribeExecution speak the SDK’s language', async () => {
  const executionArn = await started('first', { a: 1 });
  await service.idle();
  const found = await client.send(new DescribeExecutionCommand({ executionArn }));
  assert.equal(executionArn, 'arn:aws:states:us-east-1:000000000000:execution:main:first');
  assert.equal(found.status, 'SUCCEEDED');
  assert.equal(found.output, '{"a":1}');
  assert.equal(found.input, '{"a":1}');
  assert.equal(found.stateMachineArn, stateMachineArn);
  assert.equal(found.redriveStatus, 'NOT_REDRIVABLE');
  assert.ok(found.startDate instanceof Date && Math.abs(found.startDate.getTime() - Date.now()) < 60_000);
  assert.ok(found.stopDate && found.stopDate >= found.startDate);
});

test('GetExecutionHistory pages forwards and backwards through linked events', async () => {
  const executionArn = await started('history', { a: 1 });
  await service.idle();
  const history = async (input: object) => client.send(new GetExecutionHistoryCommand({ executionArn, ...input }));
  const { events = [] } = await history({});
  assert.deepEqual(
    events.map(({ id, previousEventId, type }) => [id, previousEventId, type]),
    [
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ].map((type, i) => [i + 1, i, type]),
  );
  assert.equal(events[0]?.executionStartedEventDetails?.roleArn, ROLE);
  assert.deepEqual(events[1]?.stateEnteredEventDetails, { name: 'A', input: '{"a":1}' });
  assert.equal(events[2]?.taskScheduledEventDetails?.resource, 'invoke');
  assert.equal(events[2]?.taskScheduledEventDetails?.resourceType, 'lambda');
  assert.deepEqual(events[5]?.stateExitedEventDetails, { name: 'A', output: '{"a":1}', assignedVariables: { x: '1' } });
  assert.equal(events[6]?.executionSucceededEventDetails?.output, '{"a":1}');
  const ids: (number | undefined)[] = [];
  let nextToken: string | undefined;
  do {
    const page = await history({ reverseOrder: true, maxResults: 3, nextToken });
    ids.push(...(page.events ?? []).map((event) => event.id));
    nextToken = page.nextToken;
  } while (nextToken);
  assert.deepEqual(ids, [7, 6, 5, 4, 3, 2, 1]);
  const bare = await history({ includeExecutionData: false });
  assert.deepEqual(bare.events?.[1]?.stateEnteredEventDetails, { name: 'A' });
  await assert.rejects(history({ nextToken: 'nonsense' }), { name: 'InvalidToken' });
});

test('ListExecutions lists newest first, by status and by page', async () => {
  const executionArn = await started('waiting', { wait: true });
  const list = async (input: object) => client.send(new ListExecutionsCommand({ stateMachineArn, ...input }));
  assert.deepEqual(
    (await list({})).executions?.map((one) => one.name),
    ['waiting', 'history', 'first'],
  );
  assert.deepEqual(
    (await list({ statusFilter: 'RUNNING' })).executions?.map((one) => one.name),
    ['waiting'],
  );
  const { executions, nextToken } = await list({ maxResults: 2 });
  assert.equal(executions?.length, 2);
  assert.deepEqual(
    (await list({ maxResults: 2, nextToken })).executions?.map((one) => one.name),
    ['first'],
  );
  const { stopDate } = await client.send(new StopExecutionCommand({ executionArn, error: 'E', cause: 'C' }));
  assert.ok(stopDate instanceof Date);
  const stopped = await client.send(new DescribeExecutionCommand({ executionArn }));
  assert.deepEqual(
    [stopped.status, stopped.error, stopped.cause, stopped.redriveStatus],
    ['ABORTED', 'E', 'C', 'REDRIVABLE'],
  );
});

test('RedriveExecution restarts a failed execution', async () => {
  broken = true;
  const executionArn = await started('failing', {});
  await service.idle();
  broken = false;
  const { redriveDate } = await client.send(new RedriveExecutionCommand({ executionArn }));
  assert.ok(redriveDate instanceof Date);
  await service.idle();
  const found = await client.send(new DescribeExecutionCommand({ executionArn }));
  assert.deepEqual([found.status, found.redriveCount], ['SUCCEEDED', 1]);
});

test('DescribeStateMachine gives the definition back', async () => {
  const found = await client.send(new DescribeStateMachineCommand({ stateMachineArn }));
  assert.deepEqual([found.name, found.type, found.status, found.roleArn], ['main', 'STANDARD', 'ACTIVE', ROLE]);
  assert.equal(JSON.parse(found.definition ?? '').StartAt, 'A');
});

test('errors have the names that the SDK knows', async () => {
  const missing = 'arn:aws:states:us-east-1:000000000000:execution:main:none';
  const send = (name: string, stateMachineArn: string, input = '{}') =>
    client.send(new StartExecutionCommand({ stateMachineArn, name, input }));
  await assert.rejects(client.send(new DescribeExecutionCommand({ executionArn: missing })), {
    name: 'ExecutionDoesNotExist',
  });
  await assert.rejects(client.send(new DescribeExecutionCommand({ executionArn: 'nonsense' })), { name: 'InvalidArn' });
  await assert.rejects(send('x', machineArn('none')), { name: 'StateMachineDoesNotExist' });
  await assert.rejects(send('a b', stateMachineArn), { name: 'InvalidName' });
  await assert.rejects(send('x', stateMachineArn, 'nonsense'), { name: 'InvalidExecutionInput' });
  await assert.rejects(send('first', stateMachineArn), { name: 'ExecutionAlreadyExists' });
  await assert.rejects(client.send(new RedriveExecutionCommand({ executionArn: await started('fine') })), {
    name: 'ExecutionNotRedrivable',
  });
});

test('each call needs permission on the machine or the execution that it names', () => {
  const asked = (action: string, input: Record<string, unknown>) =>
    service.permissions({ action, input, caller: { arn: '', accessKeyId: '' } });
  assert.deepEqual(asked('StartExecution', { stateMachineArn: 'm' }), [
    { action: 'states:StartExecution', resource: 'm' },
  ]);
  assert.deepEqual(asked('StopExecution', { executionArn: 'e' }), [{ action: 'states:StopExecution', resource: 'e' }]);
});

test('an unknown action is refused', async () => {
  const call = service.handle({ action: 'CreateActivity', input: {}, caller: { arn: '', accessKeyId: '' } });
  await assert.rejects(
    call,
    (error: Error) => error instanceof ServiceError && error.name === 'UnknownOperationException',
  );
});
