import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../local/gate.ts';
import { done } from './admin-harness.ts';
import { bench, type TestJob } from './harness.ts';
import { ticking, time } from './ticking.ts';

/** Called at every call of a service, if a test sets it. */
let during: Fault | undefined;
const server = bench({ fault: (at) => during?.(at) });
const { at, start, ended, tick, stop, schedule, memory, history } = ticking(server);

const TABLES = ['good', 'bad']
  .map(
    (name) => `
  CREATE TABLE ${name} (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON ${name} (updated_at);
  INSERT INTO ${name} (note) VALUES ('one');`,
  )
  .join('');

/** A job that has loaded its tables, with a schedule of every five minutes. */
async function scheduled(sql = TABLES): Promise<TestJob> {
  const job = await server.job(sql);
  await job.setup();
  await job.run();
  await schedule(job);
  return job;
}

const count = async (job: TestJob, table: string): Promise<number> =>
  Number((await job.rows(`SELECT count(*) AS n FROM $.${table}`))[0]?.n);

/** Holds whoever comes until so many have come; later ones pass. */
function meeting(size: number) {
  let came = 0;
  const all = Promise.withResolvers<void>();
  return {
    arrived: () => came,
    arrive(): Promise<void> {
      came += 1;
      if (came >= size) all.resolve();
      return all.promise;
    },
  };
}

test('of two deliveries of one tick at once, one runs', async () => {
  const job = await scheduled();
  await job.source.query("INSERT INTO good (note) VALUES ('two')");
  // Neither claims before both have read that the tick is due: the conditional write alone decides.
  const asked = meeting(2);
  during = ({ action, moment, caller }) =>
    action === 'BatchGetItem' && moment === 'after' && caller.arn.includes('plan') ? asked.arrive() : undefined;
  const arns = await Promise.all([1, 2].map(() => start(job, 'main', time('10:00'))));
  const both = await Promise.all(arns.map(ended));
  during = undefined;
  assert.deepEqual(both.map(({ skipped }) => skipped).sort(), ['claimed', null]);
  const runs = (await server.operator.runs.list(job.jobId, 10)).filter(({ trigger }) => trigger === 'schedule');
  assert.equal(runs.length, 1, JSON.stringify(runs));
  assert.equal(runs[0]?.tables.good?.rows, 1);
  assert.equal((await tick(job, time('10:00'))).skipped, 'claimed', 'nor does one that comes later');
  assert.ok(asked.arrived() > 2, 'the one that lost has asked again');
  assert.deepEqual(await history(job), ['10:00 ran succeeded']);
  const { lastSuccess, open } = await memory(job);
  assert.deepEqual({ lastSuccess, open }, { lastSuccess: time('10:00'), open: [] });
});

test('a tick that is skipped costs one function and a few transitions, and asks neither source nor warehouse', async () => {
  const job = await scheduled();
  await tick(job, time('10:00'));
  // Whoever connects to the source now fails.
  await server.operator.edits.putJob({ ...(await job.read()).job, secretArn: 'arn:aws:secretsmanager:none' });
  await server.installation.cloud.idle();
  const before = job.calls();
  const skipped = await tick(job, time('10:01'));
  await server.installation.cloud.idle();
  const after = job.calls();
  assert.deepEqual([skipped.status, skipped.skipped], ['SUCCEEDED', 'too-soon']);
  assert.equal(after.lambda - before.lambda, 1);
  assert.equal(after.redshiftData - before.redshiftData, 0);
  assert.ok(after.transitions - before.transitions <= 8);
  // One read of what decides, one line of history.
  assert.equal(after.dynamodb - before.dynamodb, 2);
  assert.deepEqual(await history(job), ['10:00 ran succeeded', '10:01 skipped too-soon']);
});

test('a due tick that finds nothing new costs one function, and counts as a success', async () => {
  const job = await scheduled();
  await tick(job, time('10:00'));
  const before = job.calls();
  assert.equal((await tick(job, time('10:05'))).skipped, null);
  await server.installation.cloud.idle();
  const after = job.calls();
  assert.equal(after.lambda - before.lambda, 1);
  assert.equal(after.redshiftData - before.redshiftData, 0);
  assert.ok(after.transitions - before.transitions <= 8);
  assert.equal((await memory(job)).lastSuccess, time('10:05'));
});

test('a schedule that is edited, deleted and made anew makes no run early', async () => {
  const job = await scheduled();
  await tick(job, time('10:00'));
  const edited = await at().schedules.read(job.jobId, 'main');
  assert.ok(edited && !(edited.schedule instanceof Error));
  await at().schedules.replace({ ...edited.schedule, name: 'Edited' }, edited.revision);
  assert.equal((await tick(job, time('10:01'))).skipped, 'too-soon');
  await at().schedules.remove(job.jobId, 'main', edited.revision + 1);
  assert.equal((await tick(job, time('10:02'))).skipped, 'no-schedule');
  await schedule(job);
  assert.equal((await tick(job, time('10:03'))).skipped, 'too-soon');
  assert.equal((await tick(job, time('10:05'))).skipped, null);
});

test('a run that ends long after its tick makes no later tick late', async () => {
  // Every run here ends days after its scheduled time: only scheduled times may count.
  const job = await scheduled();
  for (const clock of ['10:00', '10:05', '10:10']) assert.equal((await tick(job, time(clock))).skipped, null, clock);
});

test('a broken table is tried again in growing pauses, and makes no tick due for the others', async () => {
  const job = await scheduled();
  await schedule(job, { scheduleId: 'hourly', name: 'Hourly', frequency: 3600 });
  await job.warehouse.query(`ALTER TABLE "${job.schema}".bad RENAME TO elsewhere`);
  await job.source.query("INSERT INTO bad (note) VALUES ('two')");
  assert.equal((await tick(job, time('10:00'), 'hourly')).status, 'FAILED');
  assert.equal((await memory(job, 'hourly')).failures?.everything, false);

  await job.source.query("INSERT INTO good (note) VALUES ('two')");
  assert.equal((await tick(job, time('10:04'), 'hourly')).skipped, 'retry-later');
  assert.equal((await tick(job, time('10:05'), 'hourly')).status, 'FAILED', 'the table is still broken');
  assert.equal(await count(job, 'good'), 1, 'the other table has had its tick');
  await job.warehouse.query(`ALTER TABLE "${job.schema}".elsewhere RENAME TO bad`);
  assert.equal((await tick(job, time('10:10'), 'hourly')).skipped, 'retry-later', 'the second pause is longer');
  assert.equal((await tick(job, time('10:15'), 'hourly')).status, 'SUCCEEDED');
  assert.equal(await count(job, 'bad'), 2);
  assert.equal(await count(job, 'good'), 1);
  // The retry has completed the tick of 10:00: the rhythm is what it was.
  assert.equal((await memory(job, 'hourly')).lastSuccess, time('10:00'));
  assert.equal((await tick(job, time('10:20'), 'hourly')).skipped, 'too-soon');
  assert.equal((await tick(job, time('11:00'), 'hourly')).skipped, null);
  assert.equal(await count(job, 'good'), 2);
});

test('while a large table loads, a tick starts only the tables that are free; its own tick ends with it', async () => {
  const job = await scheduled();
  await job.source.query("INSERT INTO bad (note) SELECT 'row ' || n FROM generate_series(1, 20000) n");
  await job.warehouse.query('BEGIN');
  await job.warehouse.query(`LOCK TABLE "${job.schema}".bad IN ACCESS EXCLUSIVE MODE`);
  const first = await tick(job, time('10:00'));
  assert.equal(first.status, 'SUCCEEDED', 'the job goes on without its large table');
  assert.deepEqual(
    (await memory(job)).open.map(({ runId }) => runId),
    [first.name],
  );
  assert.deepEqual(await history(job), [`10:00 due ${first.name}`]);
  for (let wait = 0; wait < 200 && !(await leaseOf(job, 'bad')); wait++) await sleep(50);

  await job.source.query("INSERT INTO good (note) VALUES ('two')");
  const second = await tick(job, time('10:05'));
  assert.deepEqual([second.status, second.skipped], ['SUCCEEDED', null]);
  assert.equal(await count(job, 'good'), 2);
  assert.equal((await memory(job)).lastSuccess, time('10:05'));

  await job.warehouse.query('COMMIT');
  await server.installation.cloud.idle();
  assert.equal(await count(job, 'bad'), 20_001);
  const { open, lastSuccess, failures } = await memory(job);
  assert.deepEqual({ open, lastSuccess, failures }, { open: [], lastSuccess: time('10:05'), failures: null });
  assert.deepEqual(await history(job), ['10:00 ran succeeded', '10:05 ran succeeded']);
});

const leaseOf = async (job: TestJob, table: string) => (await job.read()).states.get(table)?.value.lease;

test('a run that is stopped has failed as a whole: all its tables are tried again', async () => {
  const job = await scheduled();
  await schedule(job, { scheduleId: 'hourly', name: 'Hourly', frequency: 3600 });
  await job.source.query("INSERT INTO good (note) VALUES ('two')");
  await job.warehouse.query('BEGIN');
  await job.warehouse.query(`LOCK TABLE "${job.schema}".good IN ACCESS EXCLUSIVE MODE`);
  const arn = await start(job, 'hourly', time('10:00'));
  for (let wait = 0; wait < 200 && !(await leaseOf(job, 'good')); wait++) await sleep(50);
  await stop(arn);
  await ended(arn);
  await job.warehouse.query('COMMIT');
  await server.installation.cloud.idle();
  const { open, failures } = await memory(job, 'hourly');
  assert.deepEqual(open, []);
  assert.deepEqual([failures?.count, failures?.everything], [1, true]);
  assert.deepEqual(await history(job), ['10:00 ran broke-off']);
  await job.source.query("INSERT INTO bad (note) VALUES ('two')");
  assert.equal((await tick(job, time('10:05'), 'hourly')).status, 'SUCCEEDED');
  assert.deepEqual([await count(job, 'good'), await count(job, 'bad')], [2, 2]);
  assert.deepEqual(await job.differing(), []);
});

test('after a crash that left a lease behind, ticks go on with the free tables, and with all once it has run out', async () => {
  const job = await scheduled();
  await job.source.query("INSERT INTO good (note) VALUES ('two'); INSERT INTO bad (note) VALUES ('two')");
  const held = (until: number) =>
    server.operator.store
      .readState(job.jobId, 'bad')
      .then(({ value, revision }) =>
        server.operator.store.saveState(job.jobId, { ...value, lease: { owner: 'dead', until } }, revision),
      );
  await held(Math.floor(Date.now() / 1000) + 600);
  assert.equal((await tick(job, time('10:00'))).status, 'SUCCEEDED');
  assert.deepEqual([await count(job, 'good'), await count(job, 'bad')], [2, 1]);
  await held(Math.floor(Date.now() / 1000) - 1);
  assert.equal((await tick(job, time('10:05'))).status, 'SUCCEEDED');
  assert.equal(await count(job, 'bad'), 2);
});

function killPlan(): void {
  const { lambda, stack } = server.installation.cloud;
  lambda.kill(stack.of('AWS::Lambda::Function').find(({ name }) => /Functionsplan/.test(name))?.name ?? '');
}

test('a plan that dies after it has claimed its tick goes on with it', async () => {
  const job = await scheduled();
  await job.source.query("INSERT INTO good (note) VALUES ('two')");
  let killed = false;
  during = ({ action, moment, caller }) => {
    if (killed || action !== 'UpdateItem' || moment !== 'after' || !caller.arn.includes('plan')) return;
    killed = true;
    killPlan();
  };
  const ran = await tick(job, time('10:00'));
  during = undefined;
  assert.ok(killed);
  assert.deepEqual([ran.status, ran.skipped], ['SUCCEEDED', null]);
  assert.equal(await count(job, 'good'), 2);
  assert.deepEqual(await history(job), ['10:00 ran succeeded']);
});

test('a plan that dies when it has taken a table gives it back where it finds nothing new the next time', async () => {
  const job = await scheduled();
  await job.source.query("INSERT INTO good (note) VALUES ('two')");
  let taken: unknown;
  during = async ({ action, moment, caller }) => {
    if (taken || action !== 'PutItem' || moment !== 'after' || !caller.arn.includes('plan')) return;
    taken = true;
    taken = (await job.read()).states.get('good')?.value.lease;
    await job.source.query("DELETE FROM good WHERE note = 'two'");
    killPlan();
  };
  await tick(job, time('10:00'));
  during = undefined;
  assert.ok(taken && taken !== true, 'it had the lease');
  const { lease, pass, batch } = (await job.read()).states.get('good')?.value ?? {};
  assert.deepEqual([lease, pass, batch], [undefined, undefined, undefined]);
});

test('a plan that dies when all was written but its answer leaves the comparison that it claimed to the next tick', async () => {
  const job = await scheduled();
  await job.edit('bad', { disabled: true });
  await job.edit('good', { verifyEvery: 1 });
  const { comparisons } = at();
  const due = () => comparisons.change(job.jobId, 'good', { verifyBegun: undefined, verifyEnded: undefined });
  /** @param last the write after which it dies; never where absent. @returns how many it made */
  const writes = async (scheduledTime: string, last = Number.POSITIVE_INFINITY) => {
    let made = 0;
    during = ({ service, action, moment, caller }) => {
      const writing = service === 'dynamodb' && /^(Put|Update)Item$/.test(action);
      if (!writing || moment !== 'after' || !caller.arn.includes('plan') || ++made !== last) return;
      killPlan();
    };
    await tick(job, scheduledTime);
    during = undefined;
    await server.operator.compared();
    return made;
  };
  const all = await writes(time('10:00'));
  assert.ok((await comparisons.read(job.jobId, 'good')).verifyEnded, 'a tick that finds it due begins it');
  await due();
  assert.equal(await writes(time('10:05'), all), all + 1, 'called once more it gives the claim back, no more');
  const left = await comparisons.read(job.jobId, 'good');
  assert.deepEqual([left.claimedBy, left.verifyEnded], [undefined, undefined]);
  await tick(job, time('10:10'));
  await server.operator.compared();
  assert.ok((await comparisons.read(job.jobId, 'good')).verifyEnded);
});

test('ticks are skipped with the reason: paused, disabled, no such schedule, one that makes no sense', async () => {
  const job = await scheduled();
  await at().schedules.pause('moving house', new Date());
  assert.equal((await tick(job, time('10:00'))).skipped, 'paused');
  assert.equal((await job.run()).status, 'idle', 'a run by hand still runs');
  await at().schedules.resume();
  const { job: item } = await job.read();
  await server.operator.edits.putJob({ ...item, disabled: true });
  assert.equal((await tick(job, time('10:05'))).skipped, 'job-disabled');
  await server.operator.edits.putJob(item);
  assert.equal((await tick(job, time('10:10'), 'none')).skipped, 'no-schedule');
  await schedule(job, { scheduleId: 'off', name: 'Off', enabled: false });
  assert.equal((await tick(job, time('10:15'), 'off')).skipped, 'disabled');
  assert.deepEqual(await history(job), [
    '10:00 skipped paused',
    '10:05 skipped job-disabled',
    '10:15 skipped disabled',
  ]);
  assert.equal((await memory(job)).version, 0, 'a run by hand leaves no trace in the gate');
});

test('what comes next is told from the ticks that were, and why nothing comes', async () => {
  const job = await scheduled();
  const { jobId } = job;
  await schedule(job, { scheduleId: 'hourly', name: 'Hourly', frequency: 3600 });
  const next = async () => {
    const shown = await done<{ next: string[]; rests: string | null }>(server, 'schedules.show', {
      jobId,
      schedule: 'hourly',
    });
    return { first: Date.parse(shown.next[0] ?? ''), count: shown.next.length, rests: shown.rests };
  };
  const FIVE = 300_000;
  const last = Math.floor(Date.now() / FIVE) * FIVE;
  assert.ok((await next()).first <= last + 2 * FIVE, 'the first tick comes as soon as it can');
  assert.equal((await tick(job, new Date(last).toISOString(), 'hourly')).skipped, null);
  assert.deepEqual(await next(), { first: last + 3_600_000, count: 10, rests: null });
  const { schedules } = await done<{ schedules: { schedule: string; next: string }[] }>(server, 'schedules.list', {
    jobId,
  });
  assert.equal(Date.parse(schedules.find((one) => one.schedule === 'hourly')?.next ?? ''), last + 3_600_000);
  const shown = await done<{ ticks: { status: string }[] }>(server, 'schedules.show', { jobId, schedule: 'hourly' });
  assert.deepEqual(
    shown.ticks.map(({ status }) => status),
    ['ran'],
    'its last ticks are told as well',
  );
  const edited = await done<{ next: string[] }>(server, 'schedules.edit', {
    jobId,
    schedule: 'hourly',
    frequency: 7200,
  });
  assert.equal(Date.parse(edited.next[0] ?? ''), last + 7_200_000, 'an edit makes no tick early');
  await done(server, 'jobs.pause', { jobId });
  assert.deepEqual([(await next()).count, (await next()).rests], [0, 'the job is paused']);
  await done(server, 'jobs.resume', { jobId });
  await done(server, 'installation.pause', {});
  assert.equal((await next()).rests, 'the installation is paused');
  await done(server, 'installation.resume', {});
  assert.equal((await next()).rests, null);
});
