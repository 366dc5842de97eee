import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { startInstallation } from '../../local/installation.ts';
import { startPostgres } from '../../local/postgres.ts';
import { converge, SCHEMA, SERVER } from './converge.ts';

const command = new Command('npm run torture --')
  .description('Writers commit through transactions of every kind while ticks run; both sides have to end up the same.')
  .option('--seeds <n>', 'how many schedules', '500')
  .option('--from <n>', 'the first seed', '1');
const { seeds, from } = command.parse().opts<{ seeds: string; from: string }>();

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-torture-'));
const source = await startPostgres({ dir: join(dir, 'source'), name: 'source', settings: SERVER });
const installation = await startInstallation({ state: join(dir, 'state'), schemas: [SCHEMA] });
const failed: number[] = [];
try {
  for (let seed = Number(from); seed < Number(from) + Number(seeds); seed++) {
    const outcome = await converge({ installation, source }, seed).then(
      (differing) => (differing.length > 0 ? `differ: ${differing.join(', ')}` : ''),
      (error: Error) => error.stack ?? error.message,
    );
    if (outcome) failed.push(seed);
    console.log(`seed ${seed}: ${outcome || 'identical'}`);
  }
} finally {
  await installation.stop();
  await source.stop();
  rmSync(dir, { recursive: true, force: true });
}
console.log(
  failed.length > 0 ? `lost rows, or failed: seeds ${failed.join(', ')}` : `all ${seeds} seeds are identical`,
);
process.exitCode = failed.length > 0 ? 1 : 0;
