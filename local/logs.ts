import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Writes lines to `<dir>/<name>.log`, as CloudWatch would keep them in log groups. */
export function createLogs(
  dir: string,
  onLog?: (name: string, line: string) => void,
): (name: string, line: string) => void {
  mkdirSync(dir, { recursive: true });
  return (name, line) => {
    appendFileSync(join(dir, `${name}.log`), `${line}\n`);
    onLog?.(name, line);
  };
}
