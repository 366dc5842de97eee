/** What the source's catalog says; read by `shared/source/catalog.ts`, judged by `shared/core/guess.ts`. */

/** A column's type with domains already followed to their base. */
export interface PgType {
  /** pg_type.typname of the base type: `int4`, `varchar`, `_text` for text[], `order_status` for an enum. */
  name: string;
  schema: string;
  kind: 'base' | 'enum' | 'array' | 'range' | 'multirange' | 'composite';
  /** pg_attribute.atttypmod (or the domain's typtypmod); -1 where the type has none. */
  typmod: number;
  /** format_type(…) as declared, for people: `character varying(20)`, `numeric(12,2)`, `order_status`. */
  declared: string;
  /** The extension that owns the type: citext, hstore, postgis, vector. */
  extension?: string;
}

export interface SourceColumn {
  name: string;
  type: PgType;
  nullable: boolean;
  attnum?: number;
  /** Whether rows that were there before the column may hold more than NULL in it: it has or had a default. */
  preset?: boolean;
}

export interface SourceTable {
  schema: string;
  name: string;
  kind: 'table' | 'partitioned' | 'foreign' | 'materialized view';
  /** pg_class.oid: a table that was dropped and made again is another table. */
  oid: number;
  columns: SourceColumn[];
  /** Columns of the primary key in index order; empty where there is none. */
  primaryKey: string[];
  /** Unique, non-partial, expression-free indexes whose columns are all NOT NULL, other than the primary key. */
  uniqueKeys: string[][];
  /** Columns that are the leading column of a valid, non-partial btree index. */
  indexedColumns: string[];
  /** The sequence that feeds a column by default or identity, and its CACHE. */
  sequences: { column: string; cache: number; increment: number }[];
  /** pg_stat_user_tables, summed over partitions; null where the statistics can't be read. */
  stats: { inserted: number; updated: number; deleted: number } | null;
  /** pg_class.reltuples summed over partitions; -1 where never analysed. */
  estimatedRows: number;
  /** The tables below it whose rows it shows: partitions and inheritors at every depth, by pg_class.oid. */
  parts?: Part[];
  /** Whether the connected user may SELECT from it. */
  readable: boolean;
  /** Whether the connected user has USAGE on its schema. */
  schemaUsable?: boolean;
  /** Whether row security applies to the connected user, so that a SELECT may leave rows out without a word. */
  rowSecurity?: boolean;
}

/** A partition, or a table that inherits. */
export interface Part {
  oid: number;
  /** Whether it has never held a row since it was made or truncated. */
  empty: boolean;
  /** Whether its rows lie on another server: nothing here tells when they were written. */
  foreign?: boolean;
}

/** Ordinary and partitioned tables; the others can't be locked against rewrites, or hold nothing of their own. */
export const isCopied = ({ kind }: Pick<SourceTable, 'kind'>): boolean => kind === 'table' || kind === 'partitioned';

/** Whether some of its rows lie on another server. */
export const reachesElsewhere = ({ parts = [] }: Pick<SourceTable, 'parts'>): boolean =>
  parts.some(({ foreign = false }) => foreign);

/** What the schema has by name, whether or not more was asked about it. */
export interface Relation extends Pick<SourceTable, 'name' | 'kind' | 'oid'> {
  hasColumns: boolean;
}

/** The whole of a source schema, and what the connected user may see of it. */
export interface SourceCatalog {
  database: string;
  user: string;
  /** server_version_num, e.g. 170010. */
  version: number;
  tables: SourceTable[];
  /** All that the schema has, those included that were not asked for. */
  relations: Relation[];
}
