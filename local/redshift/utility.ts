import { dropBehaviour } from './alter-table.ts';
import { DialectError, StandInLimit } from './dialect-error.ts';
import { quoteName, quoteRelation } from './names.ts';
import { takeNames, takeQuery } from './query.ts';
import type { Reader } from './reader.ts';
import { postgresString } from './strings.ts';
import { definition, type TranslatedSql } from './translated.ts';

export function createSchema(reader: Reader): TranslatedSql {
  const unlessExists = reader.skip('if not exists') ? 'IF NOT EXISTS ' : '';
  const schema = quoteName(reader.name());
  const owner = reader.skip('authorization') ? ` AUTHORIZATION ${quoteName(reader.userName())}` : '';
  if (reader.skip('quota') && !reader.skip('unlimited')) {
    reader.integer();
    if (!['mb', 'gb', 'tb'].some((unit) => reader.skip(unit))) throw reader.error();
  }
  reader.end();
  return definition(`CREATE SCHEMA ${unlessExists}${schema}${owner}`);
}

/** `CREATE [OR REPLACE] VIEW name [(columns)] AS query` (r_CREATE_VIEW.md). */
export function createView(reader: Reader): TranslatedSql {
  reader.write('create');
  reader.take('or replace');
  reader.expectTaking('view');
  reader.write(quoteRelation(reader.relation()));
  if (reader.sees('(')) takeNames(reader);
  reader.expectTaking('as');
  takeQuery(reader);
  if (reader.sees('with no schema binding')) throw new StandInLimit('a late-binding view (WITH NO SCHEMA BINDING)');
  reader.end();
  return definition(reader.text);
}

/** `DROP TABLE|VIEW|SCHEMA [IF EXISTS] name, … [CASCADE|RESTRICT]` */
export function drop(reader: Reader): TranslatedSql {
  reader.expect('drop');
  const kind = reader.seesAny('table', 'view', 'schema');
  if (!kind) throw new StandInLimit(`DROP ${reader.next().text.toUpperCase()}`);
  reader.expect(kind);
  const ifExists = reader.skip('if exists') ? 'IF EXISTS ' : '';
  const names = reader.commaSeparated(() =>
    kind === 'schema' ? quoteName(reader.name()) : quoteRelation(reader.relation()),
  );
  const behaviour = dropBehaviour(reader);
  reader.end();
  return definition(`DROP ${kind.toUpperCase()} ${ifExists}${names.join(', ')}${behaviour}`);
}

/** "TRUNCATE commits the transaction in which it is run" (r_TRUNCATE.md). */
export function truncate(reader: Reader): TranslatedSql {
  reader.expect('truncate');
  reader.skip('table');
  const table = reader.relation();
  reader.end();
  return { ...definition(`TRUNCATE ${quoteRelation(table)}`), alone: 'TRUNCATE' };
}

export function analyze(reader: Reader): TranslatedSql {
  reader.next();
  if (reader.sees('compression')) throw new StandInLimit('ANALYZE COMPRESSION');
  reader.skip('verbose');
  let what = '';
  if (reader.peek().kind === 'word' || reader.peek().kind === 'quoted') {
    what = ` ${quoteRelation(reader.relation())}`;
    if (reader.sees('(')) what += ` (${reader.list(() => quoteName(reader.name())).join(', ')})`;
    reader.skip('predicate columns');
    reader.skip('all columns');
  }
  reader.end();
  return definition(`ANALYZE${what}`);
}

/** Nothing to reclaim in Redshift's sense: only the table's existence is checked. */
export function vacuum(reader: Reader): TranslatedSql {
  reader.expect('vacuum');
  for (const mode of ['full', 'sort only', 'delete only', 'reindex', 'recluster']) if (reader.skip(mode)) break;
  let check = 'SELECT 1';
  if (reader.peek().kind === 'word' || reader.peek().kind === 'quoted') {
    check = `SELECT ${postgresString(quoteRelation(reader.relation()))}::regclass`;
  }
  if (reader.skip('to')) {
    reader.integer();
    reader.expect('percent');
  }
  reader.skip('boost');
  reader.end();
  return { ...definition(check), alone: 'VACUUM' };
}

export function lock(reader: Reader): TranslatedSql {
  reader.expect('lock');
  reader.skip('table');
  const tables = reader.commaSeparated(() => quoteRelation(reader.relation()));
  reader.end();
  return definition(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`);
}

const PRIVILEGES = [
  'select',
  'insert',
  'update',
  'delete',
  'references',
  'create',
  'usage',
  'temporary',
  'temp',
  'all',
];
const ONLY_REDSHIFT = ['drop', 'alter', 'truncate', 'execute', 'assumerole', 'assume', 'explain', 'ignore', 'role'];

/** `GRANT|REVOKE privileges ON TABLE|SCHEMA|DATABASE|ALL TABLES IN SCHEMA … TO|FROM grantee, …` (r_GRANT.md). */
export function grant(reader: Reader): TranslatedSql {
  const granting = reader.next().value === 'grant';
  const option = !granting && reader.skip('grant option for') ? 'GRANT OPTION FOR ' : '';
  const privileges = reader.commaSeparated(() => privilege(reader));
  reader.expect('on');
  const object = grantObject(reader);
  reader.expect(granting ? 'to' : 'from');
  const grantees = reader.commaSeparated(() => grantee(reader));
  const tail =
    granting && reader.skip('with grant option') ? ' WITH GRANT OPTION' : granting ? '' : dropBehaviour(reader);
  reader.end();
  const verb = granting ? 'GRANT' : `REVOKE ${option}`;
  return definition(
    `${verb} ${privileges.join(', ')} ON ${object} ${granting ? 'TO' : 'FROM'} ${grantees.join(', ')}${tail}`,
  );
}

function privilege(reader: Reader): string {
  const word = reader.next().value;
  if (ONLY_REDSHIFT.includes(word)) throw new StandInLimit(`the privilege ${word.toUpperCase()}`);
  if (!PRIVILEGES.includes(word)) throw new DialectError(`syntax error at or near "${word}"`);
  if (word === 'all') reader.skip('privileges');
  return word.toUpperCase();
}

function grantObject(reader: Reader): string {
  if (reader.skip('all tables in schema')) {
    return `ALL TABLES IN SCHEMA ${reader.commaSeparated(() => quoteName(reader.name())).join(', ')}`;
  }
  const kind = reader.seesAny('schema', 'database');
  if (kind) {
    reader.expect(kind);
    return `${kind.toUpperCase()} ${reader.commaSeparated(() => quoteName(reader.name())).join(', ')}`;
  }
  reader.skip('table');
  return `TABLE ${reader.commaSeparated(() => quoteRelation(reader.relation())).join(', ')}`;
}

function grantee(reader: Reader): string {
  if (reader.skip('public')) return 'PUBLIC';
  if (!reader.skip('role')) reader.skip('group');
  return quoteName(reader.userName());
}

/** The few settings that a client of the Data API may send along. */
export function set(reader: Reader): TranslatedSql {
  reader.expect('set');
  const name = reader.next().value;
  if (!reader.skip('to')) reader.expect('=');
  const values = reader.commaSeparated(() => {
    const token = reader.next();
    if (token.kind === 'symbol') throw reader.error();
    return token.value;
  });
  reader.end();
  if (name === 'query_group') return definition();
  if (name === 'search_path') return definition(`SET search_path TO ${values.map(quoteName).join(', ')}, redshift`);
  if (name === 'statement_timeout' || name === 'timezone') {
    return definition(`SET ${name} TO ${postgresString(values[0] ?? '')}`);
  }
  throw new StandInLimit(`SET ${name}`);
}

/** `SHOW TABLES FROM SCHEMA db.schema` and `SHOW COLUMNS FROM TABLE db.schema.table` (r_SHOW_TABLES.md). */
export function show(reader: Reader): TranslatedSql {
  reader.expect('show');
  if (reader.skip('tables from schema')) {
    const names = [reader.name()];
    while (reader.skip('.')) names.push(reader.name());
    reader.end();
    const schema = postgresString(names.at(-1) ?? '');
    const sql = `SELECT database_name, schema_name, table_name, table_type FROM redshift.show_tables WHERE schema_name = ${schema} ORDER BY table_name`;
    return { kind: 'sql', sql: [sql], answers: 'rows' };
  }
  if (reader.skip('columns from table')) {
    const { schema, name } = reader.relation();
    reader.end();
    const sql = `SELECT * FROM redshift.show_columns WHERE schema_name = ${postgresString(schema ?? 'public')} AND table_name = ${postgresString(name)} ORDER BY ordinal_position`;
    return { kind: 'sql', sql: [sql], answers: 'rows' };
  }
  throw new StandInLimit(`SHOW ${reader.peek().text.toUpperCase()}`);
}
