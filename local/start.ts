import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { Command, InvalidArgumentError, Option } from 'commander';
import pg from 'pg';
import { errors } from '../shared/model/errors.ts';
import { withoutPasswords } from '../shared/model/redact.ts';
import type { Run } from '../shared/model/run.ts';
import type { Verification } from '../shared/model/verification.ts';
import { connectSource } from '../shared/source/connect.ts';
import { checkSchema } from '../shared/source/schema.ts';
import { writeAddress } from './admin-address.ts';
import { type Control, startControl } from './control.ts';
import { changeShop } from './demo/changes.ts';
import { createShop, SMALLEST } from './demo/shop.ts';
import { atEnd, isStopping, runToEnd, writesTo } from './ending.ts';
import { checkPort } from './endpoint.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { Session, together, whereOf } from './session.ts';
import { openStateFolder, type StateFolder } from './state-folder.ts';
import { createProgress } from './ui/progress.ts';
import { renderReport } from './ui/report.ts';
import { allIdentical, type Report } from './ui/report-schema.ts';
import { renderSetup } from './ui/setup.ts';
import { terminalOf } from './ui/terminal.ts';
import { count, duration, plural } from './ui/units.ts';
import { renderVerification } from './ui/verification.ts';

const whole = (text: string): number => {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('Give a whole number above 0.');
  return Number(text);
};

const shopSize = (text: string): number => {
  if (whole(text) < SMALLEST) throw new InvalidArgumentError(`Give at least ${SMALLEST}.`);
  return Number(text);
};

const portNumber = (text: string): number => {
  if (!/^[1-9]\d*$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('Give a port from 1 to 65535.');
  return Number(text);
};

interface Options {
  source?: string;
  schema?: string;
  serve: boolean;
  state?: string;
  fresh: boolean;
  verify: boolean;
  report?: string;
  rows: number;
  port?: number;
}

/** What stands on a command line, `ps` shows to everybody. */
const SOURCE_VARIABLE = 'LOADER_SOURCE';

const command = new Command('npm start --')
  .description('Replicates a Postgres database into a local Redshift, on the very template that is deployed.')
  .addOption(
    new Option('--source <url>', 'your own database, postgres://user:password@host:5432/database (only read)').env(
      SOURCE_VARIABLE,
    ),
  )
  .option('--schema <name>', "the source's schema", 'public')
  .option('--serve', 'keep warehouse and local cloud up; POST /run on the control address runs the job again', false)
  .option('--state <dir>', 'folder kept between calls (default: one for each source, in .local)')
  .option('--fresh', 'start over: forget what the folder holds', false)
  .option('--report <file>', 'write the report as JSON when the run has ended')
  .option('--verify', 'then verify every table as the deployed app does, and name the rows that differ', false)
  .option('--rows <n>', `rows of the demo's database, when it is made: ${SMALLEST} or more`, shopSize, 1_000_000)
  .option('--port <n>', 'port of the local AWS endpoint (default: any free one)', portNumber)
  .showHelpAfterError('(npm start -- --help lists the options)')
  .configureOutput({ outputError: (text, write) => write(withoutPasswords(text)) })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

/** The report names the warehouse with its password. */
const OWNERS_ONLY = { mode: 0o600 };

const terminal = terminalOf(process.stdout, process.env);

/** What is said in the course of things: once a signal has come, what goes on only breaks off, and is nobody's news. */
const output = new Writable({
  write: (chunk, _encoding, done) => {
    if (!isStopping()) process.stdout.write(chunk);
    done();
  },
});
const say = (line: string): void => void output.write(`${line}\n`);

const isGiven = (option: keyof Options): boolean => command.getOptionValueSource(option) === 'cli';

/** Where `--` is left out, npm takes options for its own, and tells us by the environment alone. */
function refuseTakenByNpm(): void {
  if (process.env.npm_lifecycle_event !== 'start') return;
  const taken = command.options.filter(({ long }) => process.env[`npm_config_${long?.slice(2)}`] !== undefined);
  if (taken.length === 0) return;
  const flags = taken.map(({ flags: written }) => written).join(' ');
  throw errors.badConfiguration(`npm has kept ${flags} for itself: write npm start -- ${flags}`);
}

async function main(options: Options): Promise<boolean> {
  if (options.source === '') {
    const name = command.getOptionValueSource('source') === 'env' ? SOURCE_VARIABLE : '--source';
    throw errors.badConfiguration(`${name} is empty: write postgres://user:password@host:5432/database`);
  }
  if (!options.source && options.schema !== 'public')
    throw errors.badConfiguration('--schema needs a --source: the demo shop has the schema public alone');
  if (options.source && isGiven('rows'))
    throw errors.badConfiguration(
      '--rows is for the demo shop, which a --source takes the place of: leave one of them out',
    );
  if (options.port) await checkPort(options.port);
  if (options.report) checkReport(resolve(options.report));
  if (options.source) await lookAt(options.source, options.schema);
  const schema = options.schema === 'public' ? '' : `, schema ${options.schema}`;
  const what = options.source ? `${whereOf(options.source)}${schema}` : 'the demo shop';
  const ownFolder = options.source ? what.replaceAll(/[^\w.-]+/g, '_') : 'shop';
  const folder = openStateFolder(options.state ?? join('.local', ownFolder), what, options.fresh);
  atEnd(async () => folder.release());
  writesTo(folder.dir);
  const source = options.source ? Promise.resolve(options.source) : openShop(folder, options.rows);
  source.catch(() => undefined);
  say(options.source ? `Source: ${whereOf(options.source)}` : 'Source: the demo shop');
  say('Synthesizing the stack, and starting it');
  const session = await Session.open(folder, options.source ? 'source' : 'shop', source, options);
  atEnd(() => session.close());
  const { entries, checks } = await session.setup();
  if (await session.isEmpty()) throw noTables(await source, options.schema);
  if (entries.length + checks.length > 0) output.write(renderSetup(entries, terminal, checks));

  let report = await runOnce(session);
  if (!options.source) report = await demonstrate(session, await source, report);
  const control = options.serve ? await serve(session, folder) : null;
  if (control) report = { ...report, control: control.url };
  output.write(renderReport(report, terminal));
  for (const warning of report.warnings ?? []) if (!checks.includes(warning)) say(`\n  ! ${warning}`);
  const verification = options.verify ? await verified(session) : null;
  if (verification) report = { ...report, verification };
  if (options.report) writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`, OWNERS_ONLY);
  if (control) {
    if (!options.source) say(`  Source     ${await source}`);
    say(`  Run again  curl -X POST ${control.url}/run`);
    say(`  Commands   npm run admin -- --state ${relative('', folder.dir) || '.'} --help`);
    say('\n  Ctrl-C stops.');
    await new Promise(() => undefined);
  }
  if (!options.source) say(NEXT);
  return allIdentical(report) && verification?.status !== 'failed' && (await session.isWhole());
}

/**
 * Before the folder is bound to it: a source or schema that is mistyped leaves nothing behind.
 * @throws LoaderError SourceUnavailable, SourceRefused, BadConfiguration
 */
async function lookAt(source: string, schema = 'public'): Promise<void> {
  const client = await connectSource(source);
  try {
    await checkSchema(client, schema, 'name with --schema');
  } finally {
    await client.end();
  }
}

const noTables = (source: string, schema = 'public'): Error =>
  errors.badConfiguration(
    `schema ${schema} of ${whereOf(source)} shows no tables to this user: name another with --schema`,
  );

/** @throws LoaderError BadConfiguration before the run, not after it */
function checkReport(file: string): void {
  const folder = dirname(file);
  const fail = (why: string) => errors.badConfiguration(`--report ${file} can't be written: ${why}`);
  if (!existsSync(folder)) throw fail(`${folder} does not exist: create it, or name another file`);
  if (existsSync(file) && !statSync(file).isFile()) throw fail('it is no file: name another');
  try {
    accessSync(existsSync(file) ? file : folder, constants.W_OK);
  } catch (error) {
    throw fail(`${(error as NodeJS.ErrnoException).code}: name another file`);
  }
}

/** What there is to do after the first minute. */
const NEXT = [
  '',
  '  Your own database  npm start -- --source postgres://user:password@host:5432/database',
  '  Keep it up         npm start -- --serve',
  '  Deploy it          README.md, "Deploy"',
].join('\n');

async function runOnce(session: Session): Promise<Report> {
  say(`\n${(await session.isInitial()) ? 'Initial load' : 'Incremental run'}`);
  const progress = createProgress({ stream: output, terminal, now: () => performance.now() });
  return session.run(progress, () => say('Comparing both sides'));
}

async function verified(session: Session): Promise<Verification> {
  say('\nVerifying');
  const { verification, named } = await session.verify();
  output.write(renderVerification(verification, terminal, named));
  return verification;
}

/** The demo goes on: the shop does business, and the next run brings what it changed. */
async function demonstrate(session: Session, url: string, first: Report): Promise<Report> {
  if (first.run !== 'initial') return first;
  await trade(url);
  return together(first, await runOnce(session));
}

async function trade(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const changes = await changeShop(client, { now: new Date() });
    const total = (kind: 'inserted' | 'updated' | 'deleted') => changes.reduce((sum, one) => sum + one[kind], 0);
    say(
      `\nThe shop does business: ${plural(total('inserted'), 'row')} inserted, ${count(total('updated'))} updated, ${count(total('deleted'))} deleted`,
    );
  } finally {
    await client.end();
  }
}

/** The embedded source; at later calls it has gone on trading since the last run. */
async function openShop(folder: StateFolder, rows: number): Promise<string> {
  const postgres: Postgres = await startPostgres({
    dir: join(folder.dir, 'source'),
    name: 'source',
    settings: { max_prepared_transactions: '10' },
  });
  atEnd(() => postgres.stop());
  const url = await postgres.createDatabase('shop');
  const client = new pg.Client({ connectionString: url });
  // The query that is under way fails with the same cause.
  client.on('error', () => undefined);
  await client.connect();
  const { rows: found } = await client.query("SELECT to_regclass('public.orders') IS NOT NULL AS there");
  try {
    if (!found[0].there) {
      say(`Creating a shop of ${plural(rows, 'row')}`);
      await createShop(client, { rows, now: new Date() });
      return url;
    }
  } finally {
    await client.end();
  }
  if (isGiven('rows')) say('The shop is there already, whatever --rows says: --fresh makes another');
  await trade(url);
  return url;
}

async function serve(session: Session, folder: StateFolder): Promise<Control> {
  const told = (line: string) => say(`  ${new Date().toLocaleTimeString('en-GB')}  ${line}`);
  session.startSchedules((jobId, run) => told(endedText(jobId, run)));
  let control: Control | undefined;
  control = await startControl(async () => {
    const report = { ...(await session.run(null)), control: control?.url };
    told(runText(report));
    return report;
  });
  atEnd(() => control.stop());
  const forget = writeAddress(folder.dir, session.address);
  atEnd(async () => forget());
  return control;
}

/** A run that a schedule or a command began, in a line. */
function endedText(jobId: string, { runId, trigger, status, tables, startedAt, finishedAt }: Run): string {
  const rows = Object.values(tables).reduce((sum, table) => sum + table.rows, 0);
  const took = duration((Date.parse(finishedAt ?? startedAt) - Date.parse(startedAt)) / 1000);
  const end = status === 'failed' ? `failed ✗: runs show ${jobId} ${runId} tells why` : 'succeeded ✓';
  return `${jobId} by ${trigger}: ${plural(rows, 'row')}, ${took}, ${end}`;
}

/** A run that somebody asked for, in a line. */
function runText(report: Report): string {
  const rows = report.tables.reduce((sum, table) => sum + table.rows, 0);
  const end = allIdentical(report) ? 'identical ✓' : 'NOT proved identical ✗';
  return `POST /run: ${report.run}, ${plural(rows, 'row')}, ${duration(report.seconds ?? 0)}, ${end}`;
}

await runToEnd(async () => {
  refuseTakenByNpm();
  return main(command.parse().opts<Options>());
});
