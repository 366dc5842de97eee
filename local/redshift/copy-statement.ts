import { DialectError, StandInLimit } from './dialect-error.ts';
import type { Reader, RelationName } from './reader.ts';

/** A COPY from S3 in CSV, with every option decided. */
export interface CopyStatement {
  table: RelationName;
  columns: string[] | undefined;
  bucket: string;
  /** A key prefix, or the manifest's key */
  key: string;
  manifest: boolean;
  role: string;
  compression: 'none' | 'gzip' | 'zstd';
  delimiter: string;
  quote: string;
  /** Unquoted fields that become NULL */
  nullAs: string;
  emptyAsNull: boolean;
  blanksAsNull: boolean;
  truncateColumns: boolean;
  acceptInvalid: string | undefined;
  maxErrors: number;
  ignoreHeader: number;
  roundDecimals: boolean;
  region: string | undefined;
}

/** Documented options of COPY that the stand-in doesn't follow: refused by name. */
const NOT_DONE = [
  'json',
  'avro',
  'parquet',
  'orc',
  'shapefile',
  'fixedwidth',
  'bzip2',
  'lzop',
  'encrypted',
  'master_symmetric_key',
  'encoding',
  'escape',
  'removequotes',
  'fillrecord',
  'ignoreblanklines',
  'ignoreallerrors',
  'explicit_ids',
  'noload',
  'trimblanks',
  'comprows',
  'readratio',
  'ssh',
  'access_key_id',
  'secret_access_key',
  'session_token',
  'credentials',
  'acceptanydate',
];

/** `COPY t (columns) FROM 's3://…' IAM_ROLE … FORMAT AS CSV …` (r_COPY.md and its parameter pages). */
export function copyStatement(reader: Reader): CopyStatement {
  reader.expect('copy');
  const table = reader.relation();
  const columns = reader.sees('(') ? reader.list(() => reader.name()) : undefined;
  reader.expect('from');
  const source = reader.string();
  if (/^(emr|dynamodb|ssh):/.test(source)) throw new StandInLimit(`COPY from ${source.split(':')[0]}`);
  const place = /^s3:\/\/([^/]+)\/(.*)$/s.exec(source);
  if (!place) throw new DialectError(`COPY from "${source}" is not valid: expected s3://bucket/key`);
  const copy: CopyStatement = {
    table,
    columns,
    bucket: place[1] ?? '',
    key: place[2] ?? '',
    manifest: false,
    role: '',
    compression: 'none',
    delimiter: ',',
    quote: '"',
    nullAs: '\\N',
    emptyAsNull: false,
    blanksAsNull: false,
    truncateColumns: false,
    acceptInvalid: undefined,
    maxErrors: 0,
    ignoreHeader: 0,
    roundDecimals: false,
    region: undefined,
  };
  readOptions(reader, copy);
  return copy;
}

function readOptions(reader: Reader, copy: CopyStatement): void {
  const seen = new Set<string>();
  while (reader.peek().kind !== 'end' && !reader.sees(';')) {
    const option = reader.next();
    const name = option.value;
    if (option.kind !== 'word') throw reader.error();
    if (name === 'format') {
      reader.skip('as');
      continue;
    }
    if (seen.has(name)) throw new DialectError(`conflicting or redundant options: ${name.toUpperCase()}`);
    seen.add(name);
    if (!readOption(reader, copy, name)) throw refusal(name);
  }
  reader.end();
  checkTogether(copy, seen);
}

function readOption(reader: Reader, copy: CopyStatement, name: string): boolean {
  const text = () => {
    reader.skip('as');
    return reader.string();
  };
  const number = () => {
    reader.skip('as');
    return reader.integer();
  };
  const decided: Record<string, () => void> = {
    iam_role: () => {
      copy.role = reader.skip('default') ? 'default' : reader.string();
    },
    manifest: () => {
      copy.manifest = true;
    },
    csv: () => undefined,
    gzip: () => {
      copy.compression = 'gzip';
    },
    zstd: () => {
      copy.compression = 'zstd';
    },
    delimiter: () => {
      copy.delimiter = singleCharacter('DELIMITER', text());
    },
    quote: () => {
      copy.quote = singleCharacter('QUOTE', text());
    },
    null: () => {
      copy.nullAs = text();
    },
    emptyasnull: () => {
      copy.emptyAsNull = true;
    },
    blanksasnull: () => {
      copy.blanksAsNull = true;
    },
    truncatecolumns: () => {
      copy.truncateColumns = true;
    },
    acceptinvchars: () => {
      reader.skip('as');
      copy.acceptInvalid = reader.peek().kind === 'string' ? singleCharacter('ACCEPTINVCHARS', reader.string()) : '?';
    },
    maxerror: () => {
      copy.maxErrors = number();
      if (copy.maxErrors > 100_000) throw new DialectError('MAXERROR must be between 0 and 100000');
    },
    ignoreheader: () => {
      copy.ignoreHeader = number();
    },
    roundec: () => {
      copy.roundDecimals = true;
    },
    region: () => {
      copy.region = text();
    },
    timeformat: () => autoOnly('TIMEFORMAT', text()),
    dateformat: () => autoOnly('DATEFORMAT', text()),
    compupdate: () => readSwitch(reader, ['preset', 'on', 'off', 'true', 'false']),
    statupdate: () => readSwitch(reader, ['on', 'off', 'true', 'false']),
  };
  const decide = decided[name];
  if (decide) decide();
  return decide !== undefined;
}

function refusal(name: string): Error {
  if (NOT_DONE.includes(name)) return new StandInLimit(`COPY option ${name.toUpperCase()}`);
  return new DialectError(`syntax error at or near "${name}"`);
}

/** Case-sensitive, "must be lowercase": r_DATEFORMAT_and_TIMEFORMAT_strings.md. */
function autoOnly(option: string, value: string): void {
  if (value !== 'auto') throw new StandInLimit(`COPY ${option} '${value}'`);
}

function readSwitch(reader: Reader, values: string[]): void {
  values.some((value) => reader.skip(value));
}

function singleCharacter(option: string, value: string): string {
  if (value.length !== 1 || value.charCodeAt(0) > 127)
    throw new DialectError(`COPY ${option} must be a single ASCII character`);
  return value;
}

function checkTogether(copy: CopyStatement, seen: Set<string>): void {
  if (seen.has('csv')) {
    for (const other of ['fixedwidth', 'removequotes', 'escape']) {
      if (seen.has(other)) throw new DialectError(`CSV is not compatible with ${other.toUpperCase()}`);
    }
  } else throw new StandInLimit('COPY without FORMAT AS CSV');
  if (seen.has('gzip') && seen.has('zstd')) throw new DialectError('conflicting or redundant options: GZIP, ZSTD');
  if (!copy.role) throw new DialectError('COPY from S3 needs credentials: name an IAM_ROLE');
  if (copy.role !== 'default' && !/^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(copy.role)) {
    throw new DialectError(`Invalid IAM role ARN "${copy.role}"`);
  }
}
