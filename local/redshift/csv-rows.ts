import type { Readable } from 'node:stream';

/** One field as it stood in the file. `text` has one character per byte (latin1), so that bad UTF-8 can be told. */
export interface CsvField {
  text: string;
  quoted: boolean;
}

export interface CsvRow {
  /** Line of the row's first character, from 1 */
  line: number;
  fields: CsvField[];
  /** Quotes that don't follow RFC 4180 */
  malformed: boolean;
}

/**
 * Reads RFC 4180 rows byte by byte: quotes double inside quotes, fields may span lines, rows end with LF or CRLF. Slow
 * and exact; the fast way is Postgres' own COPY.
 */
export async function* csvRows(bytes: Readable, delimiter: string, quote: string): AsyncGenerator<CsvRow> {
  const reader = new RowReader(delimiter, quote);
  for await (const chunk of bytes) {
    reader.read((chunk as Buffer).toString('latin1'));
    yield* reader.rows.splice(0);
  }
  reader.finish();
  yield* reader.rows.splice(0);
}

class RowReader {
  readonly rows: CsvRow[] = [];
  private readonly delimiter: string;
  private readonly quote: string;
  private line = 1;
  private rowLine = 1;
  private fields: CsvField[] = [];
  private text = '';
  private malformed = false;
  private state: 'start' | 'plain' | 'quoted' | 'closed' = 'start';
  private afterReturn = false;

  constructor(delimiter: string, quote: string) {
    this.delimiter = delimiter;
    this.quote = quote;
  }

  read(text: string): void {
    for (let at = 0; at < text.length; ) {
      if (this.state === 'quoted') at = this.readQuoted(text, at);
      else at = this.readOpen(text, at);
    }
  }

  /** Up to the next quote in one piece. */
  private readQuoted(text: string, at: number): number {
    const close = text.indexOf(this.quote, at);
    const piece = text.slice(at, close < 0 ? text.length : close);
    this.text += piece;
    for (let newline = piece.indexOf('\n'); newline >= 0; newline = piece.indexOf('\n', newline + 1)) this.line++;
    if (close < 0) return text.length;
    this.state = 'closed';
    return close + 1;
  }

  private readOpen(text: string, at: number): number {
    const char = text.charAt(at);
    if (char === '\n') {
      this.line++;
      this.endRow();
      this.rowLine = this.line;
      return at + 1;
    }
    if (this.afterReturn) {
      this.text += '\r';
      this.afterReturn = false;
    }
    if (char === this.delimiter) this.endField();
    else if (char === '\r') this.afterReturn = true;
    else if (char === this.quote) this.readQuote();
    else return this.readPlain(text, at);
    return at + 1;
  }

  private readPlain(text: string, at: number): number {
    if (this.state === 'closed') this.malformed = true;
    else this.state = 'plain';
    let end = at + 1;
    while (end < text.length && !this.ends(text.charAt(end))) end++;
    this.text += text.slice(at, end);
    return end;
  }

  private ends(char: string): boolean {
    return char === this.delimiter || char === this.quote || char === '\n' || char === '\r';
  }

  private readQuote(): void {
    if (this.state === 'closed') this.text += this.quote;
    else if (this.state === 'plain') this.malformed = true;
    this.state = 'quoted';
  }

  private endField(): void {
    this.fields.push({ text: this.text, quoted: this.state === 'closed' });
    this.text = '';
    this.state = 'start';
  }

  private endRow(): void {
    this.afterReturn = false;
    this.endField();
    this.rows.push({ line: this.rowLine, fields: this.fields, malformed: this.malformed });
    this.fields = [];
    this.malformed = false;
  }

  /** The last row may lack its newline; a quote still open is a fault. */
  finish(): void {
    if (this.state === 'quoted') this.malformed = true;
    if (this.state !== 'start' || this.fields.length > 0 || this.afterReturn) this.endRow();
  }
}
