import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteSecretCommand, DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { type Execution, type MachineName, Machines } from '../../shared/aws/machines.ts';
import { Scheduler } from '../../shared/aws/scheduler.ts';
import { readSecret } from '../../shared/aws/secrets.ts';
import { probeSource } from '../../shared/aws/source-probe.ts';
import { SourceSecrets } from '../../shared/aws/source-secrets.ts';
import type { Followed } from '../../shared/core/schedule/follow.ts';
import { services } from './services.ts';

const at = services(undefined, async () => {
  for (const name of schedules) await scheduler().remove(name);
  for (const SecretId of secrets)
    await at.secrets.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
});
const schedules: string[] = [];
const secrets: string[] = [];
const scheduler = () => new Scheduler(at.scheduling, at.scheduler);
const machines = () => new Machines(at.machines, at.states);

function followed(id: string, more: Partial<Followed> = {}): Followed {
  const name = `${at.prefix}.${id}`;
  schedules.push(name);
  const input = JSON.stringify({ jobId: at.prefix, scheduledTime: '<aws.scheduler.scheduled-time>' });
  // Once a year, at New Year's Eve: nothing of the tests ever ticks.
  return { name, expression: 'cron(59 23 31 12 ? *)', enabled: false, input, lifetime: 60, ...more };
}

const since = async (name: string): Promise<number | undefined> =>
  (await scheduler().list()).find((one) => one.name === name)?.since;

test('Scheduler holds what it was told, is told again only of what differs, and forgets what is removed', async () => {
  const wanted = followed('kept');
  await scheduler().put(wanted);
  const made = await since(wanted.name);
  assert.ok(made);
  await sleep(1_100);
  await scheduler().put(wanted);
  assert.equal(await since(wanted.name), made, 'nothing was written');
  for (const change of [
    { lifetime: 120 },
    { enabled: true },
    { expression: 'cron(58 23 31 12 ? *)' },
    { input: '{}' },
  ]) {
    // One schedule takes ten calls a second.
    await sleep(500);
    await scheduler().put({ ...wanted, ...change });
    assert.notEqual(await since(wanted.name), made, JSON.stringify(change));
  }
  await scheduler().remove(wanted.name);
  await scheduler().remove(wanted.name);
  assert.equal(await since(wanted.name), undefined);
});

test('an expression that Scheduler refuses is refused by the name that sync-schedules looks for', async () => {
  await assert.rejects(scheduler().put(followed('wrong', { expression: 'cron(0 9 * * * *)' })), {
    name: 'ValidationException',
  });
});

async function ended(machine: MachineName, name: string): Promise<Execution> {
  for (;;) {
    const found = (await machines().describe(machine, name)) ?? assert.fail('it is not there');
    if (found.status !== 'running') return found;
    await sleep(100);
  }
}

test('an execution is started once by its name, is found by its job, and can be stopped', async () => {
  const [jobId, name] = [`${at.prefix}-nobody`, `${at.prefix}-stopped`];
  assert.equal(await machines().describe('setupJob', name), null);
  await Promise.all([1, 2].map(() => machines().start('setupJob', name, { jobId })));
  let running = await machines().runningFor(jobId);
  // Lists of AWS lag behind.
  while (running.length === 0 && (await machines().describe('setupJob', name))?.status === 'running')
    running = await machines().runningFor(jobId);
  assert.deepEqual(running, [{ machine: 'setupJob', name }]);
  for (const one of running) await machines().stop(one, 'stopped by hand');
  const { status, error, output } = await ended('setupJob', name);
  assert.deepEqual([status, output], ['failed', null]);
  assert.match(error ?? '', /stopped by hand/);
  for (const one of running) await machines().stop(one, 'stopped again');
  assert.match((await ended('setupJob', name)).error ?? '', /stopped by hand/);
});

test("an execution that fails tells its step's own words", async () => {
  const name = `${at.prefix}-failed`;
  await machines().start('setupJob', name, { jobId: `${at.prefix}-nobody` });
  const { status, error } = await ended('setupJob', name);
  assert.equal(status, 'failed');
  assert.match(error ?? '', /^BadConfiguration: there is no job "contract-.*-nobody": create it first/);
});

test("a job's secret is made with its tag, of a new name each time, and removed for good", async () => {
  const adapter = new SourceSecrets(at.secrets);
  const arns = await Promise.all([1, 2].map((i) => adapter.create(`${at.prefix}-job`, `postgres://${i}`)));
  secrets.push(...arns);
  assert.notEqual(arns[0], arns[1]);
  const [arn = ''] = arns;
  assert.equal(await readSecret(arn), 'postgres://1');
  await adapter.check(arn);
  await adapter.remove(arn);
  await adapter.remove(arn);
  await assert.rejects(at.secrets.send(new DescribeSecretCommand({ SecretId: arn })), {
    name: /ResourceNotFoundException/,
  });
  await assert.rejects(adapter.check(arn), { name: 'BadConfiguration', message: /there is none of this ARN/ });
});

test('what the source side throws comes back by its name and in its words', async () => {
  await assert.rejects(probeSource(at.probe, `${at.prefix}-nobody`, at.lambda), {
    name: 'BadConfiguration',
    message: /there is no job "contract-.*-nobody": create it first/,
  });
});
