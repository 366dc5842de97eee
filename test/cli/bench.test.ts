import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-bench-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const script = fileURLToPath(new URL('../../local/bench.ts', import.meta.url));

test('the bench moves its rows both ways, and writes the ratios', async (t) => {
  for (const tool of ['psql', 'zstd'])
    if (spawnSync(tool, ['--version']).error) return t.skip(`${tool} is not installed`);
  const file = join(dir, 'figures.json');
  const run = promisify(execFile)(process.execPath, [script, '--rows', '100000', '--rounds', '1', '--json', file]);
  const { stdout } = await run;
  assert.match(stdout, /Extract of 100,000 rows[\s\S]+ × CPU[\s\S]+Initial load[\s\S]+ × wall/);
  const { extract, load, rows } = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(rows, 100_000);
  for (const figure of [extract.cpuRatio, extract.wallRatio, extract.rowsPerSecond, load.wallRatio])
    assert.ok(Number.isFinite(figure) && figure > 0, JSON.stringify({ extract, load }));
});
