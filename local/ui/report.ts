import Table from 'cli-table3';
import pc from 'picocolors';
import { changedValues } from './changed.ts';
import { hanging, padStart, shorten, shown, wrap } from './lines.ts';
import { isIdentical, type Report, type TableReport } from './report-schema.ts';
import { count, duration, plural, size } from './units.ts';

export interface RenderOptions {
  color: boolean;
  /** Characters in a line. */
  width: number;
}

type Colors = ReturnType<typeof pc.createColors>;

const INDENT = 2;
const GAP = 2;
const NAME = { least: 12, most: 40 };

/** The closing table of a run, for people: what was copied, and whether both sides hold the same. Ends with a line end. */
export function renderReport(report: Report, { color, width }: RenderOptions): string {
  const colors = pc.createColors(color);
  const lines = [
    '',
    ...headline(report, colors),
    '',
    ...grid(report.tables, colors, width),
    ...troubles(report.tables, colors, width),
    ...changes(report.tables, colors, width),
    '',
    verdict(report.tables, colors),
    '',
    ...facts(report, colors, width),
  ];
  return `${lines.map((line) => (line === '' ? '' : `  ${line}`.replace(/\s+$/, ''))).join('\n')}\n`;
}

const sum = (tables: TableReport[], of: (table: TableReport) => number): number =>
  tables.reduce((total, table) => total + of(table), 0);

function headline({ run, tables, seconds }: Report, colors: Colors): string[] {
  const rows = sum(tables, (table) => table.rows);
  const copied = `${plural(rows, 'row')} · ${plural(tables.length, 'table')} · ${size(sum(tables, (table) => table.bytes))}`;
  const time = seconds === undefined ? '' : ` · ${duration(seconds)}`;
  return [`${colors.bold(run === 'initial' ? 'Initial run' : 'Incremental run')}  ${copied}${time}`];
}

const MODES = { INSERT_ONLY: 'insert only', INSERT_AND_UPDATE: 'insert, update', FULL_DATA_SYNC: 'full sync' };

interface Column {
  head: string;
  align: 'left' | 'right';
  cell(table: TableReport, colors: Colors): string;
}

const unknown = '–';
const counted = (rows: number | null) => (rows === null ? unknown : count(rows));

const mode: Column = { head: 'copy mode', align: 'left', cell: ({ mode }, { dim }) => dim(mode) };
const shortMode: Column = { ...mode, cell: ({ mode }, { dim }) => dim(MODES[mode]) };
const figures: Column[] = [
  {
    head: 'rows',
    align: 'right',
    cell: ({ rows, unchanged }, { dim }) => (rows === 0 ? dim(unchanged ? 'unchanged' : '0') : count(rows)),
  },
  { head: 'size', align: 'right', cell: ({ bytes }, { dim }) => (bytes === 0 ? dim('0 B') : size(bytes)) },
  { head: 'time', align: 'right', cell: ({ seconds }) => duration(seconds) },
];
const sides: Column[] = [
  { head: 'source', align: 'right', cell: ({ sourceRows }) => counted(sourceRows) },
  { head: 'warehouse', align: 'right', cell: ({ warehouseRows }) => counted(warehouseRows) },
];
const proof: Column = { head: '', align: 'left', cell: (table, colors) => badge(table, colors) };

/** From the fullest to the one that fits everywhere: where both sides' counts are left out, they are equal or shown below. */
const LAYOUTS: Column[][] = [
  [mode, ...figures, ...sides, proof],
  [mode, ...figures, proof],
  [shortMode, ...figures, proof],
];

function badge(table: TableReport, { green, red, yellow, bold }: Colors): string {
  if (table.error !== null) return red(bold('FAILED ✗'));
  if (isIdentical(table)) return green('identical ✓');
  return table.sourceRows === null || table.warehouseRows === null ? yellow('not compared') : red(bold('DIFFERENT ✗'));
}

const NOTHING = '';
/** No frame: a thin line under the head only. */
const FRAMELESS = {
  top: NOTHING,
  'top-mid': NOTHING,
  'top-left': NOTHING,
  'top-right': NOTHING,
  bottom: NOTHING,
  'bottom-mid': NOTHING,
  'bottom-left': NOTHING,
  'bottom-right': NOTHING,
  left: NOTHING,
  'left-mid': NOTHING,
  mid: NOTHING,
  'mid-mid': NOTHING,
  right: NOTHING,
  'right-mid': NOTHING,
  middle: NOTHING,
};

function grid(tables: TableReport[], colors: Colors, width: number): string[] {
  const longest = Math.min(Math.max(...tables.map(({ name }) => shown(name)), NAME.least), NAME.most);
  const laidOut = LAYOUTS.map((columns) => {
    const cells = [
      columns.map(({ head }) => head),
      ...tables.map((table) => columns.map(({ cell }) => cell(table, colors))),
    ];
    const widths = columns.map((_, i) => Math.max(...cells.map((row) => shown(row[i] ?? ''))));
    return { columns, room: width - INDENT - widths.reduce((total, one) => total + GAP + one, 0) };
  });
  const { columns, room } = laidOut.find((one) => one.room >= longest) ?? (laidOut.at(-1) as (typeof laidOut)[number]);
  const nameWidth = Math.max(Math.min(longest, room), NAME.least);
  const table = new Table({
    chars: FRAMELESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
    colAligns: ['left', ...columns.map(({ align }) => align)],
  });
  table.push(['table', ...columns.map(({ head }) => head)].map((head) => (head === '' ? head : colors.dim(head))));
  for (const one of tables) table.push([shorten(one.name, nameWidth), ...columns.map(({ cell }) => cell(one, colors))]);
  const [head = '', ...rows] = table.toString().split('\n');
  return [head, colors.dim('─'.repeat(Math.max(...rows.map((row) => shown(row.trimEnd())), 0))), ...rows];
}

/** Below the table, whole: errors, and what exactly differs. */
function troubles(tables: TableReport[], colors: Colors, width: number): string[] {
  return tables.flatMap((table) => {
    const lines = table.error !== null ? wrap(table.error, width - INDENT - 2) : difference(table);
    if (lines.length === 0) return [];
    return ['', `${colors.red('✗')} ${colors.bold(table.name)}`, ...lines.map((line) => `  ${line}`)];
  });
}

/**
 * Values that are not what they were at the source: identical tables may have them, by a policy that somebody chose. And
 * rows that were not all there at the same moment.
 */
function changes(tables: TableReport[], { yellow, bold }: Colors, width: number): string[] {
  return tables.flatMap(({ name, changed, changedColumns, snapshots }) => {
    const told = [
      ...changedValues(changed, changedColumns),
      ...(snapshots
        ? [`its rows come from ${snapshots} snapshots: one function's time was too short for them all`]
        : []),
    ];
    if (told.length === 0) return [];
    const lines = told.flatMap((line) => wrap(line, width - INDENT - 2));
    return ['', `${yellow('!')} ${bold(name)}`, ...lines.map((line) => `  ${line}`)];
  });
}

function difference(table: TableReport): string[] {
  const { sourceRows, warehouseRows } = table;
  if (isIdentical(table) || sourceRows === null || warehouseRows === null) return [];
  const [source, warehouse] = [plural(sourceRows, 'row'), plural(warehouseRows, 'row')];
  const width = Math.max(shown(source), shown(warehouse));
  return [
    `source     ${padStart(source, width)}  checksum ${table.sourceChecksum ?? unknown}`,
    `warehouse  ${padStart(warehouse, width)}  checksum ${table.warehouseChecksum ?? unknown}`,
  ];
}

function verdict(tables: TableReport[], { green, red, yellow, bold }: Colors): string {
  const identical = tables.filter(isIdentical);
  if (tables.length === 0) return yellow('No table was copied.');
  if (identical.length === tables.length) {
    const rows = sum(tables, ({ sourceRows }) => sourceRows ?? 0);
    const which = tables.length === 1 ? 'The table is' : `All ${tables.length} tables are`;
    return green(bold(`✓ ${which} identical`)) + green(`, ${plural(rows, 'row')} compared on both sides.`);
  }
  return red(bold(`✗ ${tables.length - identical.length} of ${plural(tables.length, 'table')} not proved identical.`));
}

function facts({ calls, warehouse, control }: Report, { dim }: Colors, width: number): string[] {
  const made = [
    `${count(calls.lambda)} Lambda`,
    `${count(calls.redshiftData)} Redshift`,
    `${count(calls.s3)} S3`,
    `${count(calls.dynamodb)} DynamoDB`,
    plural(calls.transitions, 'transition'),
  ].join(' · ');
  return [
    ...hanging('AWS calls  ', made, width - INDENT),
    // Without a control address nothing stays up, and there would be nobody to connect to.
    ...(control === undefined ? [] : [`Warehouse  ${warehouse}`, `Control    ${control}`]),
  ].map((line) => dim(line.slice(0, 11)) + line.slice(11));
}
