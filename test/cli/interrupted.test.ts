import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { identityOf } from '../../local/processes.ts';
import { processesBelow } from './processes.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-cut-'));
const script = fileURLToPath(new URL('../../local/start.ts', import.meta.url));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGTERM');
  rmSync(dir, { recursive: true, force: true });
});

function start() {
  const child = spawn(process.execPath, [script, '--state', join(dir, 'state'), '--rows', '120000']);
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  return { child, output: () => output };
}

test('a first load that is killed, and then one that is stopped by Ctrl-C, keep nothing from the next', async () => {
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    const { child, output } = start();
    while (!/(Initial load|Incremental run)\n/.test(output()) && child.exitCode === null) await sleep(20);
    // Small tables are leased and extracted by now, or about to be.
    await sleep(1_200);
    const processes = new Map(processesBelow(child.pid ?? 0).map((pid) => [pid, identityOf(pid)]));
    child.kill(signal);
    const [code] = await once(child, 'close');
    const left = [...processes].filter(([pid, identity]) => identity !== undefined && identityOf(pid) === identity);
    if (signal === 'SIGINT') assert.deepEqual(left, [], 'no process is left');
    assert.doesNotMatch(output(), /All \d+ tables are identical/, 'it was cut off in the middle');
    if (signal === 'SIGINT') assert.match(output(), /\n\nStopping\n$/, 'what breaks thereby is no error');
    if (signal === 'SIGINT') assert.equal(code, 130);
  }
  const { child, output } = start();
  const [code] = await once(child, 'exit');
  assert.equal(code, 0, output());
});
