import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import pg from 'pg';
import { describeError, errors } from '../shared/model/errors.ts';
import { type Installation, startInstallation } from './installation.ts';
import { Operator } from './operator.ts';
import { startPostgres } from './postgres.ts';

/** Wall-clock and CPU seconds of one way to do the work. */
interface Cost {
  wall: number;
  cpu: number;
}

const command = new Command('npm run bench --')
  .description('Measures extract and initial load against the practical limit, on the same servers in one run.')
  .option('--rows <n>', 'rows of the table that is moved', '3000000')
  .option('--rounds <n>', 'rounds; the median counts', '3')
  .option('--json <file>', 'write the figures as JSON');

const CLOCK_TICKS = 100;

/** Runs a pipeline in bash, whose `time` counts the CPU of everything in it but the servers'. */
function timed(pipeline: string): Cost {
  const script = `set -o pipefail; TIMEFORMAT='%R %U %S'; time { ${pipeline}; }`;
  const output = execFileSync('bash', ['-c', `{ ${script} ; } 2>&1`], { encoding: 'utf8' });
  const [wall = 0, user = 0, system = 0] = (output.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  return { wall, cpu: user + system };
}

/** CPU seconds that a function's processes have used: what Lambda would bill by. Linux only. */
function cpuOf(functionName: string): number {
  const ours = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isFunction(pid, functionName));
  return ours.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
  }, 0);
}

function isFunction(pid: string, name: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`AWS_LAMBDA_FUNCTION_NAME=${name}`);
  } catch {
    return false;
  }
}

const median = (costs: Cost[], of: (cost: Cost) => number): number =>
  costs.map(of).sort((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0;

/** One large table's chunk, through the deployed extract function into the stage. */
async function extractOnce(installation: Installation, operator: Operator, jobId: string): Promise<Cost> {
  const { lambda, stack } = installation.cloud;
  const nameOf = (part: string) =>
    stack.of('AWS::Lambda::Function').find(({ name }) => name.includes(`Functions${part}`)) ?? { name: '', arn: '' };
  const invoke = async (part: string, event: object) => {
    const { payload, functionError } = await lambda.invoke({
      functionArn: nameOf(part).arn,
      payload: JSON.stringify(event),
    });
    if (functionError) throw new Error(payload);
    return JSON.parse(payload);
  };
  const event = { jobId, runId: 'bench', table: 'readings', owner: 'bench' };
  const startedAt = new Date().toISOString();
  const { extracts } = await invoke('split', { ...event, startedAt, connections: 1 });
  const [cpu, started] = [cpuOf(nameOf('extract').name), performance.now()];
  await invoke('extract', { ...event, extract: extracts[0] });
  const cost = { wall: (performance.now() - started) / 1000, cpu: cpuOf(nameOf('extract').name) - cpu };
  const { value, revision } = await operator.store.readState(jobId, 'readings');
  await operator.store.saveState(jobId, { sourceName: value.sourceName }, revision);
  return cost;
}

async function main({ rows, rounds, json }: { rows: string; rounds: string; json?: string }): Promise<void> {
  for (const tool of ['psql', 'zstd'])
    try {
      execFileSync(tool, ['--version']);
    } catch {
      throw errors.badConfiguration(`${tool} is not installed: the bench measures against psql and zstd`);
    }
  const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-bench-'));
  const source = await startPostgres({ dir: join(dir, 'source'), name: 'source' });
  const schemas = Array.from({ length: Number(rounds) + 1 }, (_, i) => `b${i}`);
  const installation = await startInstallation({ state: join(dir, 'state'), schemas });
  try {
    const operator = new Operator(installation.cloud);
    const url = await source.createDatabase('bench');
    await prepare(url, Number(rows));
    const target = new pg.Client({ connectionString: installation.warehouse });
    // What fails is told by who waits for it; the servers are stopped before this session ends.
    target.on('error', () => undefined);
    await target.connect();
    // What autovacuum does to it later would be done at the expense of what is measured then.
    await target.query(
      `CREATE SCHEMA plain; CREATE TABLE plain.readings (id bigint, sensor int, value numeric(10,2), note text, updated_at timestamptz)
         WITH (autovacuum_enabled = off)`,
    );

    const copyOut = `psql -q ${url} -c "COPY readings TO STDOUT (FORMAT csv)"`;
    const found = { limit: [] as Cost[], extract: [] as Cost[], pipe: [] as Cost[], load: [] as Cost[] };
    const whole = { rowLimit: Number(rows), chunkSize: Number(rows) };
    await operator.createJob('extract', url, { destination: schemas[0], ...whole });
    await operator.setup('extract');
    await extractOnce(installation, operator, 'extract');
    for (let round = 1; round <= Number(rounds); round++) {
      found.limit.push(timed(`${copyOut} | zstd -1 -q > ${dir}/limit.zst`));
      found.extract.push(await extractOnce(installation, operator, 'extract'));
      await target.query('TRUNCATE plain.readings');
      found.pipe.push(
        timed(`${copyOut} | psql -q ${installation.warehouse} -c "COPY plain.readings FROM STDIN (FORMAT csv)"`),
      );
      await operator.createJob(`load-${round}`, url, { destination: schemas[round] });
      await operator.setup(`load-${round}`);
      const started = performance.now();
      const run = await operator.run(`load-${round}`);
      if (run.tables.readings?.rows !== Number(rows)) throw new Error(`the load went wrong: ${JSON.stringify(run)}`);
      found.load.push({ wall: (performance.now() - started) / 1000, cpu: 0 });
      await target.query(`TRUNCATE ${schemas[round]}.readings`);
    }
    await target.end();
    report(found, Number(rows), json);
  } finally {
    await installation.stop();
    await source.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function prepare(url: string, rows: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`
    CREATE TABLE readings AS
      SELECT n::bigint AS id, (n % 1000)::int AS sensor, (n * 0.25)::numeric(10,2) AS value,
             'reading ' || md5(n::text) || md5((n * 7)::text) || ' of a sensor somewhere' AS note,
             timestamptz '2026-01-01' + n * interval '1 s' AS updated_at
        FROM generate_series(1, ${rows}) n;
    ALTER TABLE readings ADD PRIMARY KEY (id);
    CREATE INDEX ON readings (updated_at)`);
  // As a table is that has been there for a while: autovacuum would else come in the middle, and the first readers do its work.
  await client.query('VACUUM ANALYZE readings');
  await client.end();
}

function report(
  found: Record<'limit' | 'extract' | 'pipe' | 'load', Cost[]>,
  rows: number,
  json: string | undefined,
): void {
  const of = (name: keyof typeof found) => ({
    wall: median(found[name], (cost) => cost.wall),
    cpu: median(found[name], (cost) => cost.cpu),
  });
  const [limit, extract, pipe, load] = [of('limit'), of('extract'), of('pipe'), of('load')];
  const figures = {
    extract: {
      cpuRatio: extract.cpu / limit.cpu,
      wallRatio: extract.wall / limit.wall,
      rowsPerSecond: rows / extract.wall,
      ours: extract,
      limit,
    },
    load: { wallRatio: load.wall / pipe.wall, ours: load.wall, limit: pipe.wall },
    rows,
  };
  const line = (what: string, { wall, cpu }: Cost) =>
    console.log(
      `  ${what.padEnd(46)} ${wall.toFixed(2).padStart(7)} s wall ${cpu > 0 ? `${cpu.toFixed(2).padStart(7)} s CPU` : ''}`,
    );
  console.log(`\n  Extract of ${rows.toLocaleString('en-US')} rows`);
  line('psql COPY TO STDOUT | zstd -1', limit);
  line('extract, into the stage', extract);
  console.log(
    `  → ${figures.extract.cpuRatio.toFixed(2)} × CPU, ${figures.extract.wallRatio.toFixed(2)} × wall, ${Math.round(figures.extract.rowsPerSecond).toLocaleString('en-US')} rows/s`,
  );
  console.log('\n  Initial load');
  line('psql COPY out | psql COPY in', pipe);
  line('plan, split, extract, load, finish', load);
  console.log(`  → ${figures.load.wallRatio.toFixed(2)} × wall\n`);
  if (json) writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`);
}

try {
  await main(command.parse().opts());
} catch (error) {
  process.stderr.write(`\n${describeError(error)}\n`);
  process.exitCode = 2;
}
