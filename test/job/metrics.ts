import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './harness.ts';

/** What the functions of an installation have written of a metric, for CloudWatch to read in their logs. */
export function metricValues({ state }: Pick<Bench, 'state'>, name: string): number[] {
  const logs = join(state, 'aws', 'logs');
  const lines = readdirSync(logs).flatMap((file) => readFileSync(join(logs, file), 'utf8').split('\n'));
  return lines.flatMap((line) => {
    if (!line.includes('"_aws"')) return [];
    const entry = JSON.parse(line) as Record<string, number | number[]>;
    const found = entry[name];
    return found === undefined ? [] : [found].flat();
  });
}

export const metricSum = (bench: Pick<Bench, 'state'>, name: string): number =>
  metricValues(bench, name).reduce((sum, value) => sum + value, 0);
