import { DialectError, StandInLimit } from './dialect-error.ts';
import { takeExpression } from './expression.ts';
import { quoteName, quoteRelation } from './names.ts';
import { takeNames, takeQuery } from './query.ts';
import type { Reader, RelationName } from './reader.ts';
import { postgresString } from './strings.ts';
import { checkedKeys, readAttributes } from './table-attributes.ts';
import { definition, type TranslatedSql } from './translated.ts';
import { type ColumnType, constraintsOf, readType } from './types.ts';

const ENCODINGS = `az64 bytedict delta delta32k lzo mostly8 mostly16 mostly32 raw runlength text255 text32k zstd`.split(
  ' ',
);
const MOST_COLUMNS = 1600;

/** What the table is made of, gathered while reading the column list. */
interface Definition {
  table: RelationName;
  items: string[];
  columns: Map<string, ColumnType>;
  notNull: Set<string>;
  /** column → why Redshift refuses to resize it (r_ALTER_TABLE.md, ALTER COLUMN TYPE) */
  fixed: Map<string, string>;
  primaryKeys: number;
  like: boolean;
  keys: Keys;
}

/** The columns that a table is distributed and sorted by; Redshift refuses to drop them (r_ALTER_TABLE.md, DROP COLUMN). */
interface Keys {
  dist: string[];
  sort: string[];
}

/** `CREATE [[LOCAL] TEMP] TABLE …`: a column list, LIKE, or AS query (r_CREATE_TABLE_NEW.md, r_CREATE_TABLE_AS.md). */
export function createTable(reader: Reader): TranslatedSql {
  const local = reader.skip('local');
  const temporary = reader.skip('temporary') || reader.skip('temp');
  if (local && !temporary) throw reader.error();
  reader.expect('table');
  const unlessExists = reader.skip('if not exists');
  const table = reader.relation();
  const temp = temporary || table.name.startsWith('#');
  if (temp && table.schema) throw new DialectError('cannot create temporary relation in non-temporary schema');
  const create = `CREATE ${temp ? 'TEMPORARY ' : ''}TABLE`;
  if (!reader.sees('(') || seesOnlyNames(reader)) {
    if (unlessExists) throw reader.error();
    return createTableAs(reader, create, table);
  }
  const { items, fixed, columns, keys } = readDefinition(reader, table);
  const sql = `${create} ${unlessExists ? 'IF NOT EXISTS ' : ''}${quoteRelation(table)} (${items.join(', ')})`;
  const notes = [...fixed].map(
    ([column, why]) => `COMMENT ON COLUMN ${quoteRelation(table)}.${quoteName(column)} IS ${postgresString(why)}`,
  );
  notes.push(...keysNote(table, [...columns.keys()], keys));
  return definition(...(unlessExists && notes.length ? [onlyIfNew(table, [sql, ...notes])] : [sql, ...notes]));
}

/** Kept as the table's comment, by the columns' numbers, which a renaming doesn't change: see redshift.set_keys. */
function keysNote(table: RelationName, columns: string[], { dist, sort }: Keys): string[] {
  if (dist.length + sort.length === 0) return [];
  const numbers = (names: string[]) => names.map((name) => columns.indexOf(name) + 1);
  const note = JSON.stringify({ dist: numbers(dist), sort: numbers(sort) });
  return [`COMMENT ON TABLE ${quoteRelation(table)} IS ${postgresString(note)}`];
}

/** The notes belong to the table that this statement creates, never to one that was there. */
function onlyIfNew(table: RelationName, statements: string[]): string {
  const name = postgresString(quoteRelation(table));
  return `DO $redshift$ BEGIN IF to_regclass(${name}) IS NULL THEN ${statements.join('; ')}; END IF; END $redshift$`;
}

/** `(a, b) AS …`: names alone, without types. */
function seesOnlyNames(reader: Reader): boolean {
  const after = reader.peek(2).value;
  return reader.peek(1).value !== 'like' && (after === ',' || after === ')');
}

function createTableAs(reader: Reader, create: string, table: RelationName): TranslatedSql {
  const mark = reader.out.length;
  if (reader.sees('(')) takeNames(reader);
  const columns = reader.cut(mark);
  readAttributes(reader);
  reader.expect('as');
  const bracketed = reader.sees('(');
  takeQuery(reader);
  if (bracketed && reader.sees('with no data')) throw reader.error();
  reader.end();
  const name = quoteRelation(table);
  return definition(
    `${create} ${name} ${columns} AS ${reader.cut(mark)}`,
    `SELECT redshift.fit(${postgresString(name)})`,
  );
}

function readDefinition(reader: Reader, table: RelationName): Definition {
  const found: Definition = {
    table,
    items: [],
    columns: new Map(),
    notNull: new Set(),
    fixed: new Map(),
    primaryKeys: 0,
    like: false,
    keys: { dist: [], sort: [] },
  };
  reader.list(() => readItem(reader, found));
  if (found.primaryKeys > 1) throw new DialectError(`multiple primary keys for table "${table.name}" are not allowed`);
  if (found.columns.size > MOST_COLUMNS) throw new DialectError(`tables can have at most ${MOST_COLUMNS} columns`);
  const attributes = readAttributes(reader);
  if (found.like && attributes.any)
    throw new DialectError('CREATE TABLE LIKE inherits its attributes: they cannot be set explicitly');
  for (const column of checkedKeys(attributes)) {
    if (!found.columns.has(column)) throw new DialectError(`column "${column}" named in key does not exist`);
    checkSortable(found, column);
  }
  found.keys.dist.push(...attributes.distKey);
  found.keys.sort.push(...attributes.sortKey);
  reader.end();
  for (const [column, type] of found.columns) found.items.push(...constraintsOf(column, type));
  return found;
}

function readItem(reader: Reader, found: Definition): void {
  if (reader.skip('like')) {
    found.like = true;
    const parent = quoteRelation(reader.relation());
    const defaults = reader.skip('including defaults') ? ' INCLUDING DEFAULTS' : '';
    reader.skip('excluding defaults');
    if (reader.sees('including') || reader.sees('excluding')) throw reader.error();
    // The constraints are the byte limits: in Redshift they are part of the type.
    found.items.push(`LIKE ${parent} INCLUDING CONSTRAINTS INCLUDING IDENTITY${defaults}`);
  } else if (reader.seesAny('primary key', 'unique', 'foreign key', 'constraint')) readTableConstraint(reader, found);
  else readColumn(reader, found);
}

function readTableConstraint(reader: Reader, found: Definition): void {
  if (reader.skip('constraint')) reader.name();
  if (reader.skip('primary key')) {
    found.primaryKeys++;
    for (const column of reader.list(() => reader.name())) markKey(found, column, 'PRIMARY KEY');
  } else if (reader.skip('unique')) {
    for (const column of reader.list(() => reader.name())) markKey(found, column, 'UNIQUE');
  } else if (reader.skip('foreign key')) {
    for (const column of reader.list(() => reader.name())) markKey(found, column, 'FOREIGN KEY');
    readReference(reader);
  } else throw reader.error();
}

function readReference(reader: Reader): void {
  reader.expect('references');
  reader.relation();
  if (reader.sees('(')) reader.list(() => reader.name());
}

function markKey(found: Definition, column: string, why: 'PRIMARY KEY' | 'UNIQUE' | 'FOREIGN KEY'): void {
  if (!found.columns.has(column)) throw new DialectError(`column "${column}" named in key does not exist`);
  found.fixed.set(column, why);
  if (why !== 'PRIMARY KEY' || found.notNull.has(column)) return;
  found.notNull.add(column);
  const at = found.items.findIndex((item) => item.startsWith(`${quoteName(column)} `));
  found.items[at] += ' NOT NULL';
}

function readColumn(reader: Reader, found: Definition): void {
  const column = reader.name();
  if (found.columns.has(column)) throw new DialectError(`column "${column}" specified more than once`);
  const type = readType(reader, `${found.table.name}.${column}`);
  found.columns.set(column, type);
  const at = found.items.push(`${quoteName(column)} ${type.postgres}`) - 1;
  while (readColumnAttribute(reader, found, column, at));
}

function readColumnAttribute(reader: Reader, found: Definition, column: string, at: number): boolean {
  if (reader.skip('not null')) {
    if (!found.notNull.has(column)) found.items[at] += ' NOT NULL';
    found.notNull.add(column);
  } else if (reader.skip('null')) return true;
  else if (reader.skip('primary key')) {
    found.primaryKeys++;
    markKey(found, column, 'PRIMARY KEY');
  } else if (reader.skip('unique')) markKey(found, column, 'UNIQUE');
  else if (reader.sees('references')) {
    readReference(reader);
    markKey(found, column, 'FOREIGN KEY');
  } else if (reader.skip('default')) found.items[at] += ` DEFAULT ${readDefault(reader)}`;
  else if (reader.skip('encode')) {
    const encoding = readEncoding(reader);
    if (/bytedict|runlength|text255|text32k/.test(encoding)) found.fixed.set(column, `ENCODE ${encoding}`);
  } else if (reader.sees('identity') || reader.sees('generated')) found.items[at] += readIdentity(reader);
  else if (reader.sees('distkey') || reader.sees('sortkey')) {
    (reader.skip('distkey') ? found.keys.dist : found.keys.sort).push(column);
    reader.skip('sortkey');
    checkSortable(found, column);
  } else if (reader.skip('collate')) {
    if (!reader.skip('case_sensitive') && !reader.skip('cs')) throw new StandInLimit('COLLATE CASE_INSENSITIVE');
  } else return false;
  return true;
}

function checkSortable(found: Definition, column: string): void {
  const type = found.columns.get(column);
  if (type?.family === 'super' || type?.family === 'varbyte' || type?.family === 'spatial') {
    throw new DialectError(`column "${column}" of type ${type.name} cannot be a distribution or sort key`);
  }
}

export function readEncoding(reader: Reader): string {
  const encoding = reader.next().value;
  if (!ENCODINGS.includes(encoding) && encoding !== 'auto')
    throw new DialectError(`invalid encoding type "${encoding}"`);
  return encoding;
}

/** A "variable-free expression": Postgres itself refuses columns and subqueries in a default. */
export function readDefault(reader: Reader): string {
  const mark = reader.out.length;
  takeExpression(reader);
  return reader.cut(mark);
}

function readIdentity(reader: Reader): string {
  const byDefault = reader.skip('generated by default as');
  reader.expect('identity');
  const [seed, step] = reader.list(() => reader.integer());
  if (seed === undefined || step === undefined) throw reader.error();
  const kind = byDefault ? 'BY DEFAULT' : 'ALWAYS';
  return ` GENERATED ${kind} AS IDENTITY (START WITH ${seed} INCREMENT BY ${step} MINVALUE ${Math.min(seed, 0)})`;
}
