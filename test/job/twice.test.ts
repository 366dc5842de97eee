import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench } from './harness.ts';
import { Interruptions } from './interruptions.ts';
import { nothingLeft } from './nothing-left.ts';

const during = new Interruptions();
const server = bench(during.options);

type Call = Parameters<Parameters<Interruptions['atCall']>[0]>[0];
const resourceOf = ({ permissions }: Call) => permissions[0]?.resource ?? '';
const isInvocation = (call: Call, name: RegExp) =>
  call.service === 'lambda' && call.moment === 'before' && name.test(resourceOf(call));

interface Twins {
  /** The call of the first at which it waits, until the second has done all and `goesOn` comes. */
  held: (call: Call) => boolean;
  goesOn: (call: Call) => boolean;
  /** The call at which the first is cut off; it ends by itself where there is none. */
  cutOff?: (call: Call) => boolean;
  change?: () => Promise<unknown>;
}

/**
 * Delivers an invocation twice: the first is held at one of its calls while the source changes, the second does all of it, and
 * its answer is the one that counts; then the first goes on.
 * @returns whether it did
 */
function deliverTwice(invocation: (call: Call) => boolean, { held, goesOn, cutOff, change }: Twins): () => boolean {
  const [waits, released, ended] = [0, 1, 2].map(() => Promise.withResolvers<unknown>()) as [Gate, Gate, Gate];
  let wentOn = false;
  during.atCall(invocation, async (call) => {
    during.atCall(held, async () => {
      waits.resolve(null);
      await released.promise;
      if (cutOff)
        during.atCall(cutOff, () => {
          ended.resolve(null);
          throw new Error('cut off');
        });
    });
    // What the first says when it has done nobody waits for.
    call.repeat?.().then(ended.resolve, ended.resolve);
    await waits.promise;
    await change?.();
    during.atCall(goesOn, async () => {
      released.resolve(null);
      await ended.promise;
      wentOn = true;
    });
  });
  return () => wentOn;
}
type Gate = PromiseWithResolvers<unknown>;

const putsOf = (name: RegExp) => (call: Call) =>
  call.service === 's3' && call.action === 'PutObject' && call.moment === 'before' && name.test(resourceOf(call));
/** A full sync whose extract is delivered twice, the first being held at the PUT of one of its chunks while the first row goes. */
async function syncTwice(rows: number, chunkSize: number, heldAt: number): Promise<void> {
  const job = await server.job(
    `CREATE TABLE accounts (id int PRIMARY KEY); INSERT INTO accounts SELECT generate_series(1, ${rows}); ANALYZE`,
    { chunkSize },
  );
  await job.setup();
  await job.edit('accounts', { copyMode: 'FULL_DATA_SYNC' });
  const wentOn = deliverTwice((call) => isInvocation(call, /Functionsextract/), {
    held: putsOf(new RegExp(`-0-${heldAt}\\b`)),
    change: () => job.source.query('DELETE FROM accounts WHERE id = 1'),
    goesOn: (call) => isInvocation(call, /Functionsload/),
  });
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.ok(wentOn());
  assert.deepEqual(await job.differing(), []);
  await nothingLeft(server, job);
}

test('an extract of a full sync that is delivered twice, and cuts its chunks elsewhere, spoils none of the other', () =>
  syncTwice(100, 10, 1));

// More chunks than one call may cut: the table takes two.
test('where an extract of a full sync ends counts with its own objects, not with those of its twin', () =>
  syncTwice(1_250, 3, 399));

test('a comparison whose mending is staged twice mends by what one of the two staged', async () => {
  const job = await server.job(`CREATE TABLE notes (id int PRIMARY KEY, note text);
    INSERT INTO notes SELECT n, NULL FROM generate_series(1, 10) n; ANALYZE`);
  await job.setup();
  await job.edit('notes', { copyMode: 'FULL_DATA_SYNC' });
  await job.run();
  await job.warehouse.query(`DELETE FROM "${job.schema}".notes WHERE id = 5`);
  let looks = 0;
  const wentOn = deliverTwice((call) => isInvocation(call, /Functionsverifysource/) && ++looks === 3, {
    held: putsOf(/mend-verify-rows/),
    goesOn: (call) => isInvocation(call, /Functionsverifywarehouse/),
    cutOff: putsOf(/verify\/mend/),
  });
  const { tables } = await server.operator.verify(job.jobId, { repair: true });
  assert.deepEqual(
    tables.map(({ missing, status }) => [missing, status]),
    [[1, 'repaired']],
  );
  assert.ok(wentOn());
  assert.deepEqual(await job.rows('SELECT * FROM $.notes WHERE id = 5'), [{ id: 5, note: null }]);
  assert.deepEqual(await job.differing(), []);
});

test('a plan that is delivered twice loads what the other of the two took', async () => {
  const job =
    await server.job(`CREATE TABLE notes (id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON notes (updated_at); INSERT INTO notes SELECT n FROM generate_series(1, 10) n; ANALYZE`);
  await job.setup();
  await job.run();
  await job.source.query("ALTER TABLE notes ADD COLUMN more text; INSERT INTO notes VALUES (11, 'new', now(), 'more')");
  during.atCall(
    (call) => isInvocation(call, /Functionsplan/),
    (call) => during.atCall(putsOf(/delta-/), async () => void (await call.repeat?.())),
  );
  const run = await job.run();
  assert.equal(run.status, 'succeeded', JSON.stringify(run));
  assert.equal(run.tables.notes?.rows, 1);
  assert.deepEqual(await job.differing(), []);
  await nothingLeft(server, job);
});
