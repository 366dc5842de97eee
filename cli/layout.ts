import Table from 'cli-table3';
import pc from 'picocolors';
import { clip, hanging } from '../local/ui/lines.ts';
import type { Terminal } from '../local/ui/terminal.ts';

export type Style = Pick<Terminal, 'color' | 'width'>;

const NO_LINES = Object.fromEntries(
  [
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ]
    .flat()
    .map((part) => [part, part === 'middle' ? '  ' : '']),
);

export interface Column<Row> {
  head: string;
  cell(row: Row): string | number | null;
}

/** Rows under heads; numbers to the right, what is empty as a dash, texts cut at `most` letters. */
export function grid<Row>(rows: Row[], columns: Column<Row>[], { color }: Style, most = 60): string {
  if (rows.length === 0) return '  none\n';
  const { dim } = pc.createColors(color);
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const table = new Table({
    head: columns.map(({ head }) => dim(head)),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: columns.map((_, i) => (cells.some((line) => typeof line[i] === 'number') ? 'right' : 'left')),
  });
  for (const line of cells) table.push(line.map((value) => shown(value, most)));
  return `${indented(table.toString())}\n`;
}

const shown = (value: string | number | null, most: number): string =>
  value === null || value === '' ? '–' : typeof value === 'number' ? value.toLocaleString('en-US') : clip(value, most);

const indented = (text: string): string => text.replace(/^/gm, '  ').replace(/[^\S\n]+$/gm, '');

/** Names and values below each other; lists one entry a line. What is undefined is left out. */
export function details(values: Record<string, unknown>, { color, width }: Style): string {
  const { dim } = pc.createColors(color);
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  const wide = Math.max(...entries.map(([name]) => name.length)) + 2;
  const lines = entries.flatMap(([name, value]) =>
    texts(value).flatMap((text, i) => {
      const [first = '', ...rest] = hanging('', text, width - wide - 2);
      const label = i === 0 ? dim(name.padEnd(wide)) : ' '.repeat(wide);
      return [`${label}${first}`, ...rest.map((line) => `${' '.repeat(wide)}${line}`)];
    }),
  );
  return `${indented(lines.join('\n'))}\n`;
}

function texts(value: unknown): string[] {
  if (Array.isArray(value)) return value.length === 0 ? ['–'] : value.flatMap(texts);
  if (value === null || value === '') return ['–'];
  if (typeof value === 'number') return [value.toLocaleString('en-US')];
  if (typeof value === 'boolean') return [value ? 'yes' : 'no'];
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return [text === '{}' ? '–' : text];
}

/** `2026-11-24T15:04:05.678Z` as people read it: `2026-11-24 15:04:05`. */
export const moment = (iso: string | null | undefined): string | null =>
  iso ? iso.replace('T', ' ').replace(/(\.\d+)?Z$/, '') : null;
