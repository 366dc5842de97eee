import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { startInstallation } from '../../local/installation.ts';
import { startPostgres } from '../../local/postgres.ts';
import { converge, SCHEMA, SERVER } from './converge.ts';
import { type Ordeal, sufferAll } from './faults/ordeal.ts';
import { SCENARIOS } from './faults/suffer.ts';

const command = new Command('npm run torture --')
  .description(
    'Writers commit through transactions of every kind while ticks run; both sides have to end up the same. ' +
      'With --faults: every call, state and statement at the source fails in every way, one at a time, then several at once; ' +
      'afterwards both sides have to be the same, and nothing may be left behind.',
  )
  .option('--seeds <n>', 'how many schedules: 500, or 200 of faults')
  .option('--from <n>', 'the first seed', '1')
  .option('--faults', 'faults instead of writers')
  .option('--part <n/m>', 'only every mth fault and schedule, from the nth', '1/1')
  .option('--scenario <name>', `only faults of this one: ${SCENARIOS.map(({ name }) => name).join(', ')}`)
  .option('--only <pattern>', 'only single faults that this regular expression fits, e.g. "load .*killed"');
const { seeds, from, faults, part, scenario, only } = command.parse().opts<{
  seeds?: string;
  from: string;
  faults?: true;
  part: string;
  scenario?: string;
  only?: string;
}>();

if (faults) await sufferFaults();
else await convergeAll(Number(seeds ?? 500));

async function sufferFaults(): Promise<void> {
  const [, nth = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(part) ?? []).map(Number);
  if (nth < 1 || nth > of) command.error(`--part is ${part}: give one such as 1/3`);
  if (scenario && !SCENARIOS.some(({ name }) => name === scenario)) command.error(`there is no scenario ${scenario}`);
  const ordeal: Ordeal = { part: nth, of, seeds: Number(seeds ?? 200) };
  if (scenario) ordeal.scenario = scenario;
  if (only) ordeal.only = new RegExp(only);
  const { struck, unmet, complaints } = await sufferAll(ordeal, console.log);
  if (unmet.length > 0) console.log(`never met, and so not proved: ${unmet.length}\n${unmet.join('\n')}`);
  if (complaints.length > 0) console.log(`not recovered from:\n${complaints.join('\n')}`);
  console.log(`${struck} faults and schedules came into play, ${complaints.length} were not recovered from`);
  process.exitCode = complaints.length > 0 || struck === 0 ? 1 : 0;
}

async function convergeAll(count: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-torture-'));
  const source = await startPostgres({ dir: join(dir, 'source'), name: 'source', settings: SERVER });
  const installation = await startInstallation({ state: join(dir, 'state'), schemas: [SCHEMA] });
  const failed: number[] = [];
  try {
    for (let seed = Number(from); seed < Number(from) + count; seed++) {
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
    failed.length > 0 ? `lost rows, or failed: seeds ${failed.join(', ')}` : `all ${count} seeds are identical`,
  );
  process.exitCode = failed.length > 0 ? 1 : 0;
}
