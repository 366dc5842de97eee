import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';
import { OPERATIONS, type OperationName } from '../functions/admin/operations.ts';
import { hanging } from '../local/ui/lines.ts';
import { terminalOf } from '../local/ui/terminal.ts';
import type { Answer, Refusal } from '../shared/model/answer.ts';
import type { Problem } from '../shared/model/problems.ts';
import { COMMANDS, type Command } from './commands.ts';
import { argumentOf, fieldsOf, flagOf } from './fields.ts';

/** Prints an answer: what was done to stdout, why not to stderr. @returns whether it was done */
export function tell(operation: OperationName, answer: Answer, json: boolean): boolean {
  if (answer.ok)
    process.stdout.write(json ? `${JSON.stringify(answer.result, null, 2)}\n` : shown(operation, answer.result));
  else
    process.stderr.write(
      json ? `${JSON.stringify({ error: answer.error }, null, 2)}\n` : refusal(operation, answer.error),
    );
  return answer.ok;
}

function shown(operation: OperationName, result: unknown): string {
  // The table of commands says that each shows its own operation's result.
  const { show } = COMMANDS[operation] as Command<OperationName>;
  return show(result as never, terminalOf(process.stdout, process.env));
}

function refusal(operation: OperationName, { name, message, problems }: Refusal): string {
  const { color, width } = terminalOf(process.stderr, process.env);
  const lines =
    problems.length > 0
      ? problems.flatMap((problem) => hanging('  ', typedProblem(operation, problem), width))
      : hanging('  ', message, width);
  return `${pc.createColors(color).red(name)}\n${lines.join('\n')}\n`;
}

/** What is wrong with a field, by the names that were typed: `--treat: email is "x": choose …`. */
function typedProblem(operation: OperationName, { field, message }: Problem): string {
  const typed = (name: string) => (COMMANDS[operation].args.includes(name) ? `<${argumentOf(name)}>` : flagOf(name));
  const [name = '', ...within] = field.split('.');
  // Words that no sentence has: rowLimit is a field, name may be anything.
  const names = fieldsOf(OPERATIONS[operation].input).flatMap((one) => (/[A-Z]/.test(one.name) ? [one.name] : []));
  const words = message.replace(/\b[a-z]+[A-Z]\w*\b/g, (word) => (names.includes(word) ? typed(word) : word));
  if (name === '') return `${words} (${operation.replace('.', ' ')} --help lists the options)`;
  if (words.startsWith(`${typed(name)} `)) return words;
  const where = within.length > 0 ? `${typed(name)}: ${within.join('.')}` : typed(name);
  // Some say what the field does wrong, others are a sentence of their own.
  return /^(the|[A-Z]\w+) /.test(words) ? `${where}: ${words}` : `${where} ${words}`;
}

/** Shows each answer in the place of the one before, where lines can be drawn over; below it, where they can't. */
export function redrawing(operation: OperationName): (answer: Answer) => void {
  const { live } = terminalOf(process.stdout, process.env);
  let before = '';
  return (answer) => {
    if (!answer.ok) return;
    const text = shown(operation, answer.result);
    if (text === before) return;
    const lines = stripVTControlCharacters(before).split('\n').length - 1;
    process.stdout.write(live && lines > 0 ? `\u001b[${lines}A\u001b[0J${text}` : text);
    before = text;
  };
}
