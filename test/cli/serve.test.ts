import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Report } from '../../local/ui/report-schema.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-cli-'));
const script = fileURLToPath(new URL('../../local/start.ts', import.meta.url));
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

test('the first call is an initial run, the second an incremental one, both proved identical', async () => {
  const file = join(dir, 'first.json');
  const first = start('--report', file);
  const [code] = await once(first.child, 'exit');
  assert.equal(code, 0, first.output());
  const report = readReport(file);
  assert.equal(report.run, 'initial');
  assert.ok(report.tables.length >= 8);
  assert.match(first.output(), /identical/);

  const again = start('--verify', '--report', join(dir, 'second.json'));
  const [second] = await once(again.child, 'exit');
  assert.equal(second, 0, again.output());
  const { run, verification, tables } = readReport(join(dir, 'second.json'));
  assert.deepEqual(
    [run, verification?.status, verification?.tables.length],
    ['incremental', 'succeeded', tables.length],
  );
  assert.match(again.output(), /Incremental run/);
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

  const answer = await fetch(`${report.control}/run`, { method: 'POST' });
  assert.equal(answer.status, 200);
  const next = Report.parse(await answer.json());
  assert.equal(next.run, 'incremental');
  assert.ok(next.tables.every((table) => table.error === null && table.sourceChecksum === table.warehouseChecksum));
  assert.equal((await fetch(`${report.control}/elsewhere`)).status, 404);

  const descendants = processesOf(join(dir, 'state'));
  assert.ok(descendants > 0);
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  assert.equal(code, 130, output());
  assert.equal(processesOf(join(dir, 'state')), 0);
});

/** Servers whose data lie below the folder. */
function processesOf(folder: string): number {
  const marker = ['source', 'warehouse'].map((name) => join(folder, name, 'data', 'postmaster.pid'));
  return marker.filter((file) => existsSync(file) && alive(Number(readFileSync(file, 'utf8').split('\n')[0]))).length;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
