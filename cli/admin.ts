import { Argument, Command, Option } from 'commander';
import { OPERATIONS, type OperationName } from '../functions/admin/operations.ts';
import { describeError } from '../shared/model/errors.ts';
import { withoutPasswords } from '../shared/model/redact.ts';
import { COMMANDS } from './commands.ts';
import { connect, type Where } from './connect.ts';
import { readConnectionString, VARIABLE } from './connection-string.ts';
import { argumentOf, type Field, fieldsOf, givenValue, optionsOf } from './fields.ts';
import { FOLLOWING, statusOf, untilEnded } from './follow.ts';
import { redrawing, tell } from './tell.ts';

/** Done; refused or failed; not understood. */
const EXIT = { done: 0, refused: 1, usage: 2 } as const;

interface Global extends Where {
  json: boolean;
}
type Options = Record<string, unknown>;

const NOUNS: Record<string, string> = {
  jobs: 'a source database and the destination that it is copied to',
  tables: 'the tables of a job',
  schedules: 'when a job runs',
  runs: 'what ran',
  installation: 'destinations, and a pause for everything',
};
const CONNECTION = new Option(
  '--connection-string-stdin',
  `read the connection string from stdin, not from ${VARIABLE} or the terminal; it never stands on a command line`,
);

const program = new Command('npm run admin --')
  .description('Administrates Redshift Loader: the deployed one, by your AWS configuration, or a local one.')
  .option('--local', 'the one that npm start -- --serve runs in .local')
  .option('--state <dir>', 'the one that npm start -- --serve --state <dir> runs')
  .option('--json', 'print the result as JSON', false);
configure(program);
for (const [noun, description] of Object.entries(NOUNS)) {
  const group = program.command(noun).description(description);
  configure(group);
  for (const operation of Object.keys(OPERATIONS) as OperationName[])
    if (operation.startsWith(`${noun}.`)) addCommand(group, operation);
}

function configure(command: Command): void {
  command
    .showHelpAfterError('(--help lists commands and options)')
    .configureOutput({ outputError: (text, write) => write(withoutPasswords(text)) })
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.done : EXIT.usage));
}

/** One command, made of the operation's own schema. */
function addCommand(group: Command, operation: OperationName): void {
  const { summary, input } = OPERATIONS[operation];
  const { args } = COMMANDS[operation];
  const fields = fieldsOf(input);
  const positional = args.flatMap((name) => fields.find((field) => field.name === name) ?? []);
  const flagged = fields.filter(({ name }) => !args.includes(name) && name !== 'connectionString');
  const takesConnection = fields.some(({ name }) => name === 'connectionString');

  const command = group.command(operation.split('.')[1] ?? operation).description(summary);
  configure(command);
  for (const { name, required, description } of positional) {
    const shown = argumentOf(name);
    command.addArgument(new Argument(required ? `<${shown}>` : `[${shown}]`, description));
  }
  for (const option of flagged.flatMap(optionsOf)) command.addOption(option);
  if (takesConnection) command.addOption(CONNECTION);
  const following = FOLLOWING[operation];
  if (following) command.option(following.flag, following.description);

  command.action(async () => {
    const options = command.opts<Options>();
    const typed = [
      ...positional.map(({ name }, i) => [name, command.args[i]]),
      ...flagged.map((field) => [field.name, givenValue(options[keyOf(field)])]),
    ];
    const given: Record<string, unknown> = Object.fromEntries(typed.filter(([, value]) => value !== undefined));
    const connectionString = takesConnection
      ? await readConnectionString(options.connectionStringStdin === true, asksFor(operation, given))
      : undefined;
    await perform(operation, connectionString === undefined ? given : { ...given, connectionString }, options);
  });
}

/** Whether a person at the terminal is asked for the connection string. */
const asksFor = (operation: OperationName, given: Record<string, unknown>): boolean =>
  operation === 'jobs.create' && given.secretArn === undefined;

const keyOf = (field: Field): string => optionsOf(field)[0]?.attributeName() ?? field.name;

async function perform(operation: OperationName, input: Record<string, unknown>, options: Options): Promise<void> {
  const { json, ...where } = program.opts<Global>();
  const ask = connect(where);
  const answer = await ask(operation, input);
  const following = FOLLOWING[operation];
  const goesOn = following?.always ? options.wait !== false : options.wait === true || options.watch === true;
  if (!answer.ok || !following || !goesOn) {
    process.exitCode = tell(operation, answer, json) ? EXIT.done : EXIT.refused;
    return;
  }
  const watch = options.watch === true && !json ? redrawing(following.operation) : null;
  const last = await untilEnded(
    ask,
    following.operation,
    following.input(answer.result, input),
    watch ?? (() => undefined),
  );
  if (watch && last.ok) watch(last);
  else tell(following.operation, last, json);
  const well = last.ok && statusOf(last) !== 'failed' && (following.isWhole?.(last.result) ?? true);
  process.exitCode = well ? EXIT.done : EXIT.refused;
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${withoutPasswords(describeError(error))}\n`);
  process.exitCode = EXIT.refused;
}
