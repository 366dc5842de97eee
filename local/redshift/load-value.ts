import { isUtf8 } from 'node:buffer';
import type { CopyStatement } from './copy-statement.ts';
import type { CopyColumn } from './copy-target.ts';
import type { CsvField } from './csv-rows.ts';

/** A field that Redshift refuses: error codes of "Load error reference" (r_Load_Error_Reference.md). */
export class ValueError extends Error {
  readonly code: number;
  readonly position: number;

  constructor(code: number, message: string, position = 0) {
    super(message);
    this.code = code;
    this.position = position;
  }
}

/**
 * A field as Postgres' column takes it, or null.
 * @throws ValueError in Redshift's words
 */
export function loadValue(field: CsvField, column: CopyColumn, copy: CopyStatement): string | null {
  const value = isNull(field, column, copy) ? null : convert(field.text, column, copy);
  if (value === null && column.notNull) throw new ValueError(1213, 'Missing data for not-null field');
  return value;
}

function isNull({ text, quoted }: CsvField, { family }: CopyColumn, copy: CopyStatement): boolean {
  if (!quoted && text === asLatin1(copy.nullAs)) return true;
  const isText = family === 'varchar' || family === 'char';
  if (text === '') return !isText || (copy.emptyAsNull && !quoted);
  if (/^\s+$/.test(text)) return !isText || copy.blanksAsNull;
  return false;
}

const asLatin1 = (text: string): string => (ASCII.test(text) ? text : Buffer.from(text).toString('latin1'));

function convert(raw: string, column: CopyColumn, copy: CopyStatement): string {
  switch (column.family) {
    case 'varchar':
    case 'char':
      return toText(raw, column, copy);
    case 'smallint':
      return toInteger(raw, 'Short', 15n);
    case 'integer':
      return toInteger(raw, 'Integer', 31n);
    case 'bigint':
      return toInteger(raw, 'Long', 63n);
    case 'decimal':
      return toDecimal(raw, column, copy.roundDecimals);
    case 'float':
      return toFloat(raw);
    case 'boolean':
      return toBoolean(raw);
    case 'varbyte':
      return toVarbyte(raw, column);
    case 'spatial':
      return toSpatial(raw, column);
    case 'super':
      return toSuper(decode(raw, undefined));
    default:
      return toTime(raw.trim(), column);
  }
}

const ASCII = /^\p{ASCII}*$/u;
const UTF8_OR_BYTE = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|./gs;

function decode(raw: string, replacement: string | undefined): string {
  if (ASCII.test(raw) && !raw.includes('\0')) return raw;
  const bytes = Buffer.from(raw, 'latin1');
  if (isUtf8(bytes) && !raw.includes('\0')) return bytes.toString();
  if (replacement === undefined) {
    const at = raw.search(/[\0\x80-\xff]/);
    const hex = bytes
      .subarray(at, at + 4)
      .toString('hex')
      .replace(/../g, ' $&');
    throw new ValueError(
      1220,
      `String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence:${hex} (error 3)`,
      at,
    );
  }
  // "a string of equal length": one replacement for each byte that is no part of a valid character.
  const repaired = raw.replace(UTF8_OR_BYTE, (piece) =>
    isUtf8(Buffer.from(piece, 'latin1')) && piece !== '\0' ? piece : replacement,
  );
  return Buffer.from(repaired, 'latin1').toString();
}

function toText(raw: string, column: CopyColumn, copy: CopyStatement): string {
  const text = decode(raw, column.family === 'varchar' ? copy.acceptInvalid : undefined);
  if (text.length * 3 <= column.length && column.family === 'varchar') return text;
  const multibyte = column.family === 'char' ? /[^\0-\x7f]/.exec(text) : null;
  if (multibyte) {
    const hex = Buffer.from(multibyte[0]).toString('hex').replace(/../g, '$& ').trim();
    throw new ValueError(
      1220,
      `Multibyte character not supported for CHAR (Hint: try using VARCHAR). Invalid char: ${hex}`,
      multibyte.index,
    );
  }
  const bytes = Buffer.from(text);
  if (bytes.length <= column.length) return text;
  if (!copy.truncateColumns) throw new ValueError(1204, 'String length exceeds DDL length');
  let end = column.length;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString();
}

function invalidDigit(text: string, type: string): ValueError {
  const at = Math.max(text.search(/[^\d+\-.]/), 0);
  return new ValueError(1207, `Invalid digit, Value '${text.charAt(at)}', Pos ${at}, Type: ${type} `, at);
}

function toInteger(raw: string, type: string, bits: bigint): string {
  const text = raw.trim();
  if (!/^[+-]?\d+$/.test(text)) throw invalidDigit(text, type);
  const value = BigInt(text.replace('+', ''));
  if (value >= 2n ** bits || value < -(2n ** bits)) throw new ValueError(1222, `Overflow, Type: ${type}`);
  return text;
}

/** "If a value has more digits than the column's scale, COPY truncates it" unless ROUNDEC (copy-parameters-data-conversion). */
function toDecimal(raw: string, { length, scale }: CopyColumn, round: boolean): string {
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(raw.trim());
  const [, sign = '', whole = '', fraction = ''] = parts ?? [];
  if (!parts || whole + fraction === '') throw invalidDigit(raw.trim(), 'Decimal');
  let digits = BigInt(`0${whole}${fraction.slice(0, scale).padEnd(scale, '0')}`);
  if (round && /^[5-9]/.test(fraction.slice(scale))) digits++;
  if (digits >= 10n ** BigInt(length))
    throw new ValueError(1204, 'Numeric data overflow (result precision), Type: Decimal');
  const text = digits.toString().padStart(scale + 1, '0');
  return `${sign}${text.slice(0, text.length - scale)}${scale ? `.${text.slice(-scale)}` : ''}`;
}

function toFloat(raw: string): string {
  const text = raw.trim();
  if (/^[+-]?(nan|inf|infinity)$/i.test(text)) return text;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw invalidDigit(text, 'Double');
  if (!Number.isFinite(Number(text))) throw new ValueError(1204, 'Overflow, Type: Double');
  return text;
}

function toBoolean(raw: string): string {
  const text = raw.trim();
  if (/^(t|true|y|yes|1)$/i.test(text)) return 't';
  if (/^(f|false|n|no|0)$/i.test(text)) return 'f';
  throw new ValueError(1210, 'Unknown boolean format');
}

function toVarbyte(raw: string, { length }: CopyColumn): string {
  if (!/^([0-9a-fA-F]{2})*$/.test(raw)) throw new ValueError(1219, 'Invalid hexadecimal value, Type: Varbyte');
  if (raw.length / 2 > length) throw new ValueError(1204, 'String length exceeds DDL length');
  return `\\x${raw}`;
}

/** Byte order, then the kind of shape, 1 (point) to 7 (collection), under flags for Z, M and SRID. */
const EWKB = /^(?:01(0[1-7])0000[0-9a-f]{2}|00[0-9a-f]{2}0000(0[1-7]))(?:[0-9a-f]{2})+$/i;

function toSpatial(raw: string, { length }: CopyColumn): string {
  if (!EWKB.test(raw)) throw new ValueError(1219, 'Parse WKB error: the value is no hexadecimal EWKB');
  if (raw.length / 2 > length) throw new ValueError(1204, 'Geometry size exceeds the maximum');
  return `\\x${raw}`;
}

const LONGEST_STRING = 65_535;
const DEEPEST = 1000;
const LARGEST_SUPER = 16 * 1024 * 1024;

function toSuper(text: string): string {
  let depth = 0;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ValueError(1224, `Invalid JSON value for SUPER: ${(error as Error).message}`);
  }
  let level = [value];
  while (level.length > 0) {
    if (level.some((part) => typeof part === 'string' && Buffer.byteLength(part) > LONGEST_STRING)) {
      throw new ValueError(1224, 'String value exceeds the max size of 65535 bytes in SUPER');
    }
    if (++depth > DEEPEST + 1) throw new ValueError(1224, `SUPER nesting exceeds ${DEEPEST} levels`);
    level = level.flatMap((part) => (part !== null && typeof part === 'object' ? Object.values(part) : []));
  }
  if (Buffer.byteLength(text) > LARGEST_SUPER) throw new ValueError(1224, 'SUPER value exceeds 16 MB');
  return text;
}

const DATE = /^(\d{4,6})-(\d\d)-(\d\d)( BC)?$/;
const TIMESTAMP =
  /^(\d{4,6})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,6})?)?)? ?(?:Z|UTC|[+-]\d\d(?::?\d\d)?)?( BC)?$/;
const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,6})?)? ?(?:Z|UTC|[+-]\d\d(?::?\d\d)?)?$/;

function toTime(text: string, { family }: CopyColumn): string {
  if (family === 'time') {
    const [, hours, minutes, seconds] = TIME.exec(text) ?? [];
    if (isTime(hours, minutes, seconds)) return text;
    throw new ValueError(1206, 'Invalid time format or value [HH24:MI:SS]');
  }
  const [whole, year, month, day, hours, minutes, seconds] = (family === 'date' ? DATE : TIMESTAMP).exec(text) ?? [];
  const valid = whole !== undefined && isDay(Number(year), Number(month), Number(day));
  if (family === 'date') {
    if (valid) return text;
    throw new ValueError(
      1205,
      text.length < 10 ? 'Invalid Date Format - length must be 10 or more' : 'Invalid Date Format or value',
    );
  }
  if (valid && (hours === undefined || isTime(hours, minutes, seconds ?? '00'))) return text;
  throw new ValueError(1206, 'Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]');
}

function isTime(hours = '99', minutes = '99', seconds = '00'): boolean {
  return Number(hours) <= 24 && Number(minutes) < 60 && Number(seconds) <= 60;
}

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year % 400, month - 1, day));
  return year <= 294_276 && month >= 1 && date.getUTCMonth() === month - 1 && day >= 1;
}
