import pc from 'picocolors';
import type { CopyMode } from '../../shared/model/table.ts';
import { hanging } from './lines.ts';
import type { RenderOptions } from './report.ts';
import { plural } from './units.ts';

/** What setup guessed about one table. */
export interface SetupEntry {
  table: string;
  copyMode: CopyMode;
  primaryKey: string[];
  updatedKey: string | null;
  why: string;
  checks: string[];
  /** `column, column: what becomes of some values`. */
  notes?: string[];
}

/** What was guessed for every table, why, and what a person should check. Ends with a line end. @param whole what to check of the whole */
export function renderSetup(entries: SetupEntry[], { color, width }: RenderOptions, whole: string[] = []): string {
  const colors = pc.createColors(color);
  const { bold, dim, cyan, yellow } = colors;
  const checks = entries.reduce((total, entry) => total + entry.checks.length, whole.length);
  const toCheck = checks === 0 ? 'nothing to check' : yellow(`${plural(checks, 'thing')} to check`);
  const body = entries.flatMap((entry) => [
    '',
    `${bold(entry.table)}  ${cyan(entry.copyMode)}  ${keys(entry)}`,
    ...hanging('  ', entry.why, width - 2).map((line) => dim(line)),
    ...entry.checks.flatMap((check) => {
      const [first = '', ...rest] = hanging('  ! ', check, width - 2);
      return [yellow(first), ...rest.map((line) => yellow(line))];
    }),
  ]);
  const lines = [
    '',
    `${bold('Setup')}  ${plural(entries.length, 'new table')} · ${toCheck}`,
    ...body,
    ...conversions(entries, width).map((text) => (text === '' ? text : dim(text))),
    ...whole.flatMap((check) => ['', ...hanging('! ', check, width - 2)]),
  ];
  return `${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n`;
}

function keys({ primaryKey, updatedKey }: SetupEntry): string {
  const key = primaryKey.length === 0 ? 'no key' : `key ${primaryKey.join(', ')}`;
  return updatedKey === null ? key : `${key}, changes by ${updatedKey}`;
}

/** What becomes of values that can't stay as they are: each kind once, with how many tables it concerns. */
function conversions(entries: SetupEntry[], width: number): string[] {
  const kinds = entries.flatMap(({ notes = [] }) => [...new Set(notes.map((note) => note.replace(/^.*?: /s, '')))]);
  const tables = Map.groupBy(kinds, (kind) => kind);
  if (tables.size === 0) return [];
  const lines = [...tables].map(([kind, all]) => `${kind} (${plural(all.length, 'table')})`);
  return [
    '',
    'Conversions, where such values occur (docs/types.md):',
    ...lines.flatMap((text) => hanging('  ', text, width - 2)),
  ];
}
