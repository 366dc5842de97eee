import { text } from 'node:stream/consumers';

/** Read where no other process can see it: what stands on a command line, `ps` shows to everybody. */
export const VARIABLE = 'LOADER_CONNECTION_STRING';

/**
 * A connection string from stdin, from the environment, or asked for without showing what is typed.
 * @param needed whether to ask a person at the terminal if neither has it
 * @returns undefined where there is none
 */
export async function readConnectionString(fromStdin: boolean, needed: boolean): Promise<string | undefined> {
  if (fromStdin) return (await text(process.stdin)).trim();
  const kept = process.env[VARIABLE];
  if (kept) return kept;
  return needed && process.stdin.isTTY ? ask('Connection string (not shown): ') : undefined;
}

/** One line from the terminal, which shows nothing of it. */
function ask(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  return new Promise((resolve) => {
    let line = '';
    stderr.write(prompt);
    stdin.setRawMode(true);
    const end = () => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off('data', read);
      stderr.write('\n');
    };
    const read = (data: Buffer) => {
      for (const letter of data.toString('utf8')) {
        if (letter === '\r' || letter === '\n') {
          end();
          return resolve(line.trim());
        }
        if (letter === '\u0003') {
          end();
          process.exit(130);
        }
        line = letter === '\u007f' || letter === '\b' ? line.slice(0, -1) : line + letter;
      }
    };
    stdin.on('data', read);
    stdin.resume();
  });
}
