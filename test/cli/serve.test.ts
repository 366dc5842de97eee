import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { startPostgres } from '../../local/postgres.ts';
import { commandOf, identityOf } from '../../local/processes.ts';
import { Report } from '../../local/ui/report-schema.ts';
import { processesBelow } from './processes.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-cli-'));
const script = fileURLToPath(new URL('../../local/start.ts', import.meta.url));
const admin = fileURLToPath(new URL('../../cli/admin.ts', import.meta.url));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGTERM');
  rmSync(dir, { recursive: true, force: true });
});

function start(...args: string[]) {
  const child = spawn(process.execPath, [script, '--state', join(dir, 'state'), '--rows', '6000', ...args]);
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  return { child, output: () => output };
}

const readReport = (file: string) => Report.parse(JSON.parse(readFileSync(file, 'utf8')));

/** Does something to the warehouse while nothing is up. */
async function inWarehouse(sql: string): Promise<void> {
  const postgres = await startPostgres({ dir: join(dir, 'state', 'warehouse'), name: 'warehouse' });
  const client = new pg.Client({ connectionString: await postgres.createDatabase('warehouse') });
  await client.connect();
  await client.query(sql);
  await client.end();
  await postgres.stop();
}

test('the first call is an initial run, the second an incremental one; the exit code tells whether all is identical', async () => {
  const file = join(dir, 'first.json');
  const first = start('--report', file);
  const [code] = await once(first.child, 'exit');
  assert.equal(code, 0, first.output());
  const report = readReport(file);
  assert.equal(report.run, 'initial');
  assert.ok(report.tables.length >= 8);
  assert.match(first.output(), /The shop does business: [1-9]/);
  assert.match(first.output(), /All \d+ tables are identical/);
  // Copied whole, by the first load and by the run that brought what the shop did.
  const stock = report.tables.find((table) => table.name === 'stock');
  assert.ok(stock && stock.rows > 1.5 * (stock.sourceRows ?? 0), JSON.stringify(stock));

  const wrong = 'UPDATE customers SET full_name = reverse(full_name) WHERE id = 7';
  await inWarehouse(wrong);
  const again = start('--verify', '--report', join(dir, 'second.json'));
  const [second] = await once(again.child, 'exit');
  assert.equal(second, 1, again.output());
  const { run, verification, tables } = readReport(join(dir, 'second.json'));
  assert.deepEqual([run, verification?.status], ['incremental', 'failed']);
  assert.deepEqual(
    tables.flatMap((table) => (table.sourceChecksum === table.warehouseChecksum ? [] : [table.name])),
    ['customers'],
  );
  assert.match(again.output(), /Incremental run\n/);
  assert.match(again.output(), /1 of \d+ tables not proved identical/);
  assert.match(again.output(), /customers\n +different +id = "7"\n/);

  const fresh = start('--fresh', '--report', join(dir, 'fresh.json'));
  assert.deepEqual(await once(fresh.child, 'exit'), [0, null], fresh.output());
  assert.equal(readReport(join(dir, 'fresh.json')).run, 'initial');
});

test('--serve keeps the warehouse readable and runs the job on request; Ctrl-C leaves no process behind', async () => {
  const file = join(dir, 'serve.json');
  const { child, output } = start('--serve', '--report', file);
  for (let i = 0; !existsSync(file) && child.exitCode === null && i < 1200; i++) await sleep(100);
  assert.ok(existsSync(file), output());
  const report = readReport(file);
  const warehouse = new pg.Client({ connectionString: report.warehouse });
  await warehouse.connect();
  const { rows } = await warehouse.query('SELECT count(*)::int AS n FROM orders');
  assert.equal(rows[0].n, report.tables.find(({ name }) => name === 'orders')?.sourceRows);
  await warehouse.end();
  const shop = new pg.Client({ connectionString: /Source {5}(postgres:\S+)/.exec(output())?.[1] });
  await shop.connect();
  assert.deepEqual((await shop.query('SELECT count(*)::int AS n FROM orders')).rows, rows);

  const change = (id: number) => shop.query('UPDATE customers SET updated_at = now() WHERE id = $1', [id]);
  await change(8);
  const answer = await fetch(`${report.control}/run`, { method: 'POST' });
  assert.equal(answer.status, 200);
  const next = Report.parse(await answer.json());
  assert.equal(next.run, 'incremental');
  assert.ok(next.tables.every((table) => table.error === null && table.sourceChecksum === table.warehouseChecksum));
  assert.equal((await fetch(`${report.control}/elsewhere`)).status, 404);
  assert.match(output(), /\d\d:\d\d:\d\d {2}POST \/run: incremental, \d+ rows?, .*, identical ✓\n/);

  await change(7);
  await shop.end();
  await promisify(execFile)(process.execPath, [admin, '--state', join(dir, 'state'), 'jobs', 'run', 'shop', '--wait']);
  for (let i = 0; !/by hand/.test(output()) && i < 50; i++) await sleep(100);
  assert.match(output(), /\d\d:\d\d:\d\d {2}shop by hand: 1 row, .* s, succeeded ✓\n/);
  assert.equal(output().match(/by hand/g)?.length, 1, 'POST /run is told with its report');

  const processes = new Map(processesBelow(child.pid ?? 0).map((pid) => [pid, identityOf(pid)]));
  const commands = [...processes.keys()].map(commandOf).join('\n');
  if (processes.size > 0)
    for (const part of [/bootstrap\.mjs/, /source\/data/, /warehouse\/data/]) assert.match(commands, part);
  assert.ok(servers() > 0);
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  assert.equal(code, 130, output());
  assert.equal(servers(), 0);
  const left = [...processes].filter(([pid, identity]) => identity !== undefined && identityOf(pid) === identity);
  assert.deepEqual(left, [], commands);
});

/** Servers whose data lie below the folder. */
function servers(): number {
  const marker = ['source', 'warehouse'].map((name) => join(dir, 'state', name, 'data', 'postmaster.pid'));
  const pids = marker.flatMap((file) => (existsSync(file) ? [Number(readFileSync(file, 'utf8').split('\n')[0])] : []));
  return pids.filter((pid) => identityOf(pid) !== undefined).length;
}
