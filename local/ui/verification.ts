import pc from 'picocolors';
import * as z from 'zod';
import type { Verification, VerifiedTable } from '../../shared/model/verification.ts';
import { clip, padEnd, padStart, shorten, shown, wrap } from './lines.ts';
import { count, plural } from './units.ts';

type Colors = ReturnType<typeof pc.createColors>;

const MOST = 40;
const number = (rows: number | null): string => (rows === null ? '–' : count(rows));

const COLUMNS: { head: string; cell(table: VerifiedTable): string }[] = [
  { head: 'rows', cell: ({ rows }) => number(rows) },
  { head: 'missing', cell: ({ missing }) => number(missing) },
  { head: 'extra', cell: ({ extra }) => number(extra) },
  { head: 'different', cell: ({ different }) => number(different) },
];

function verdict({ status }: VerifiedTable, { green, red, yellow, bold }: Colors): string {
  switch (status) {
    case 'running':
      return yellow('comparing …');
    case 'identical':
      return green('identical ✓');
    case 'repaired':
      return yellow('repaired !');
    case 'different':
      return red(bold('DIFFERENT ✗'));
    case 'failed':
      return red(bold('FAILED ✗'));
  }
}

/** A verification for people: a line a table, below it what is wrong, and which rows. */
export function renderVerification(
  { status, tables }: Verification,
  { color, width }: { color: boolean; width: number },
  named = new Map<string, unknown[]>(),
): string {
  const colors = pc.createColors(color);
  const names = tables.map(({ table }) => shorten(table, MOST));
  const nameWidth = Math.max(5, ...names.map(shown));
  const widths = COLUMNS.map(({ head, cell }) => Math.max(shown(head), ...tables.map((one) => shown(cell(one)))));
  const line = (name: string, cells: string[], end: string) =>
    [padEnd(name, nameWidth), ...cells.map((cell, i) => padStart(cell, widths[i] ?? 0)), end].join('  ');
  const head = line(
    'table',
    COLUMNS.map((column) => column.head),
    '',
  );
  const rows = tables.map((one, i) =>
    line(
      names[i] ?? '',
      COLUMNS.map(({ cell }) => cell(one)),
      verdict(one, colors),
    ),
  );
  const lines = [
    '',
    head,
    colors.dim('─'.repeat(Math.max(...[head, ...rows].map(shown)))),
    ...rows,
    ...tables.flatMap((one) => told(one, named.get(one.table) ?? [], colors, width)),
    ...(status === 'running' ? [] : ['', conclusion(tables, colors)]),
  ];
  return `${lines.map((text) => (text === '' ? '' : `  ${text}`.trimEnd())).join('\n')}\n`;
}

/** Rows that are named here; the object has more. */
const NAMED = 20;

function told(
  { table, status, error, object, replaced, extra }: VerifiedTable,
  rows: unknown[],
  { red, yellow, bold }: Colors,
  width: number,
): string[] {
  if (status === 'identical') {
    const why = [
      ...(replaced > 0
        ? [
            `${plural(replaced, 'row')} differed until the run in between copied the table anew: changed at the source since its ` +
              'last sync, or wrong in the warehouse before',
          ]
        : []),
      ...(extra > 0
        ? [
            `${plural(extra, 'row')} only in the warehouse: it keeps what the source deleted (the table's deletes: ignore)`,
          ]
        : []),
    ];
    if (why.length === 0) return [];
    return [
      '',
      `${yellow('!')} ${bold(table)}`,
      ...why.flatMap((one) => wrap(one, width - 4).map((line) => `  ${line}`)),
    ];
  }
  if (error === null && object === null) return [];
  const lines = [
    ...(error === null ? [] : wrap(error, width - 4)),
    ...rows.slice(0, NAMED).map((row) => clip(rowText(row), width - 4)),
    ...(object === null || (rows.length > 0 && rows.length <= NAMED)
      ? []
      : wrap(`the rows are named in ${object} of the staging bucket: zstd, a row's JSON text a line`, width - 4)),
  ];
  return ['', `${red('✗')} ${bold(table)}`, ...lines.map((line) => `  ${line}`)];
}

/** A row as the comparison names it: by its key, or by its hash where the table has no key. */
const Named = z.union([
  z.object({ what: z.string(), key: z.record(z.string(), z.string().nullable()) }),
  z.object({ what: z.string(), row: z.string() }),
]);

function rowText(row: unknown): string {
  const named = Named.parse(row);
  const by =
    'key' in named
      ? Object.entries(named.key).map(([column, value]) => `${column} = ${JSON.stringify(value)}`)
      : [`the row whose hash is ${named.row}`];
  return `${named.what.padEnd('different'.length)}  ${by.join(', ')}`;
}

function conclusion(tables: VerifiedTable[], { green, red, yellow, bold }: Colors): string {
  const differed = tables.filter(({ status }) => status !== 'identical');
  const wrong = differed.filter(({ status }) => status !== 'repaired').length;
  const of = plural(tables.length, 'table');
  if (wrong > 0) {
    const mended = differed.some(({ status }) => status === 'different');
    return (
      red(bold(`✗ ${wrong} of ${of} not identical`)) + (mended ? ': jobs verify --repair replaces what differs.' : '.')
    );
  }
  if (differed.length > 0) return yellow(bold(`! ${differed.length} of ${of} differed: repaired, verify again.`));
  const rows = tables.reduce((sum, one) => sum + (one.rows ?? 0), 0);
  return green(bold(`✓ ${of} identical`)) + green(`, ${plural(rows, 'row')} compared on both sides.`);
}
