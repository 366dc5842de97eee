import type { CopyStatement } from './copy-statement.ts';
import { DialectError, StandInLimit } from './dialect-error.ts';
import { quoteRelation } from './names.ts';
import type { Session } from './sessions.ts';

/** A column as COPY fills it. */
export interface CopyColumn {
  name: string;
  family:
    | 'varchar'
    | 'char'
    | 'smallint'
    | 'integer'
    | 'bigint'
    | 'decimal'
    | 'float'
    | 'boolean'
    | 'date'
    | 'timestamp'
    | 'time'
    | 'super'
    | 'varbyte'
    | 'spatial'
    | 'interval';
  /** bytes; for decimal the precision */
  length: number;
  /** decimal digits behind the point */
  scale: number;
  notNull: boolean;
  /** Redshift's name, e.g. `varchar` */
  type: string;
}

export interface CopyTarget {
  tableId: number;
  columns: CopyColumn[];
}

const FAMILIES: Record<string, CopyColumn['family']> = {
  varchar: 'varchar',
  text: 'varchar',
  bpchar: 'char',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  numeric: 'decimal',
  float4: 'float',
  float8: 'float',
  bool: 'boolean',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  time: 'time',
  timetz: 'time',
  jsonb: 'super',
  bytea: 'varbyte',
  geometry: 'spatial',
  geography: 'spatial',
  interval: 'interval',
};

interface Found {
  table_id: number;
  name: string;
  udt: string;
  typmod: number;
  not_null: boolean;
  has_default: boolean;
  bytes: number | null;
}

/**
 * The columns a COPY fills, in its order.
 * @throws DialectError for a column the table doesn't have, or one left out that may not be NULL
 */
export async function copyTarget(session: Session, copy: CopyStatement): Promise<CopyTarget> {
  const { rows } = await session.client.query<Found>(
    `SELECT a.attrelid::int8::int4 AS table_id, a.attname AS name, t.typname AS udt, a.atttypmod AS typmod, a.attnotnull AS not_null,
       a.atthasdef OR a.attidentity <> '' AS has_default,
       (SELECT substring(pg_get_constraintdef(k.oid) FROM '<= (\\d+)')::int FROM pg_constraint k
        WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum] AND k.conname LIKE 'bytes\\_%' LIMIT 1) AS bytes
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [quoteRelation(copy.table)],
  );
  const byName = new Map(rows.map((row) => [row.name, row]));
  const chosen = (copy.columns ?? rows.map((row) => row.name)).map((name) => {
    const row = byName.get(name);
    if (!row) throw new DialectError(`column "${name}" of relation "${copy.table.name}" does not exist`);
    // Neither COPY's manual pages nor the type's say how an INTERVAL is read from a file.
    if (row.udt === 'interval') throw new StandInLimit(`COPY into the INTERVAL column "${name}"`);
    return column(row);
  });
  const names = new Set(chosen.map(({ name }) => name));
  if (names.size < chosen.length) throw new DialectError('a column is named more than once in the COPY column list');
  for (const row of rows) {
    if (row.not_null && !row.has_default && !names.has(row.name)) {
      throw new DialectError(`NOT NULL column without DEFAULT must be included in column list (${row.name})`);
    }
  }
  return { tableId: rows[0]?.table_id ?? 0, columns: chosen };
}

function column(row: Found): CopyColumn {
  const family = FAMILIES[row.udt] ?? 'varchar';
  const typmod = row.typmod - 4;
  const precision = typmod >> 16;
  return {
    name: row.name,
    family,
    length: family === 'decimal' ? precision : (row.bytes ?? typmod),
    scale: family === 'decimal' ? typmod & 2047 : 0,
    notNull: row.not_null,
    type: { bpchar: 'char', bool: 'boolean', jsonb: 'super', bytea: 'varbyte', numeric: 'decimal' }[row.udt] ?? row.udt,
  };
}
