import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { asSourceError, type CopyFile } from './copy-files.ts';
import type { CopyStatement } from './copy-statement.ts';
import type { CopyTarget } from './copy-target.ts';
import { type CsvRow, csvRows } from './csv-rows.ts';
import { type LoadError, LoadFailed } from './load-error.ts';
import { loadValue, ValueError } from './load-value.ts';
import { quoteName, quoteRelation } from './names.ts';
import type { Session } from './sessions.ts';

/** One COPY with everything it needs. */
export interface Load {
  copy: CopyStatement;
  session: Session;
  target: CopyTarget;
  files: CopyFile[];
  open(file: CopyFile): Promise<Readable | undefined>;
}

export interface Loaded {
  rows: number;
  /** Rows left out, fewer than MAXERROR */
  errors: LoadError[];
}

/**
 * Loads value by value, with Redshift's own conversions and complaints.
 * @throws LoadFailed when as many rows are wrong as MAXERROR says
 */
export async function loadCarefully(load: Load): Promise<Loaded> {
  const { copy, session, target } = load;
  const names = target.columns.map((column) => quoteName(column.name)).join(', ');
  const errors: LoadError[] = [];
  let rows = 0;
  for (const file of load.files) {
    const bytes = await load.open(file);
    if (!bytes) continue;
    const sink = session.client.query(copyFrom(`COPY ${quoteRelation(copy.table)} (${names}) FROM STDIN`));
    try {
      await pipeline(bytes, (source) => lines(source as Readable, file, load, errors), sink);
    } catch (error) {
      throw asSourceError(error, file, copy);
    }
    rows += sink.rowCount;
  }
  return { rows, errors };
}

const PIECE = 64 * 1024;

/** Rows in the text format of Postgres' COPY. */
async function* lines(bytes: Readable, file: CopyFile, load: Load, errors: LoadError[]): AsyncGenerator<string> {
  const { copy, target } = load;
  let toSkip = copy.ignoreHeader;
  let piece = '';
  for await (const row of csvRows(bytes, copy.delimiter, copy.quote)) {
    if (toSkip-- > 0) continue;
    const line = lineOf(row, load, file);
    if (typeof line === 'string') piece += line;
    else if (errors.push(line) >= Math.max(1, copy.maxErrors))
      throw new LoadFailed(copy.table.name, target.tableId, errors);
    if (piece.length >= PIECE) {
      yield piece;
      piece = '';
    }
  }
  yield piece;
}

function lineOf(row: CsvRow, { copy, target: { columns } }: Load, file: CopyFile): string | LoadError {
  const fault = { file: `s3://${file.bucket}/${file.key}`, line: row.line };
  if (row.malformed) return { ...fault, code: 1214, message: 'Invalid quote formatting for CSV' };
  const values: string[] = [];
  for (const [at, column] of columns.entries()) {
    const field = row.fields[at];
    const where = { ...fault, column: column.name, type: column.type, length: String(column.length) };
    if (!field) return { ...where, code: 1214, message: 'Delimiter not found' };
    try {
      const value = loadValue(field, column, copy);
      values.push(value === null ? '\\N' : escaped(value));
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      return { ...where, position: error.position, code: error.code, message: error.message };
    }
  }
  if (row.fields.length > columns.length) return { ...fault, code: 1202, message: 'Extra column(s) found' };
  return `${values.join('\t')}\n`;
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(value: string): string {
  return value.replace(/[\\\n\r\t]/g, (char) => ESCAPES[char] ?? char);
}
