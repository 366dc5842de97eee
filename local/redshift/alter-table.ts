import { readDefault, readEncoding } from './create-table.ts';
import { DialectError, StandInLimit } from './dialect-error.ts';
import { quoteName, quoteRelation } from './names.ts';
import type { Reader, RelationName } from './reader.ts';
import { postgresString } from './strings.ts';
import { checkedKeys, noAttributes, readAttribute } from './table-attributes.ts';
import { definition, type TranslatedSql } from './translated.ts';
import { constraintsOf, readType } from './types.ts';

/** The forms of r_ALTER_TABLE.md that change columns, names and attributes; one action per statement. */
export function alterTable(reader: Reader): TranslatedSql {
  const table = reader.relation();
  const translated = action(reader, table, `ALTER TABLE ${quoteRelation(table)}`);
  reader.end();
  return translated;
}

function action(reader: Reader, table: RelationName, alter: string): TranslatedSql {
  if (reader.skip('add')) return addColumn(reader, table, alter);
  if (reader.skip('drop')) {
    if (reader.skip('constraint')) throw new StandInLimit('ALTER TABLE DROP CONSTRAINT');
    reader.skip('column');
    const column = reader.name();
    return definition(
      `SELECT redshift.refuse_key_column(${postgresString(quoteRelation(table))}, ${postgresString(column)})`,
      `${alter} DROP COLUMN ${quoteName(column)}${dropBehaviour(reader)}`,
    );
  }
  if (reader.skip('rename to')) return definition(`${alter} RENAME TO ${quoteName(reader.name())}`);
  if (reader.skip('rename')) {
    reader.skip('column');
    const from = quoteName(reader.name());
    reader.expect('to');
    return definition(`${alter} RENAME COLUMN ${from} TO ${quoteName(reader.name())}`);
  }
  if (reader.skip('owner to')) return definition(`${alter} OWNER TO ${quoteName(reader.userName())}`);
  if (reader.skip('append')) throw new StandInLimit('ALTER TABLE APPEND');
  reader.expect('alter');
  return alterPart(reader, table);
}

export function dropBehaviour(reader: Reader): string {
  if (reader.skip('cascade')) return ' CASCADE';
  reader.skip('restrict');
  return '';
}

function addColumn(reader: Reader, table: RelationName, alter: string): TranslatedSql {
  if (reader.seesAny('constraint', 'primary', 'unique', 'foreign'))
    throw new StandInLimit('ALTER TABLE ADD CONSTRAINT');
  reader.skip('column');
  if (reader.sees('if')) throw reader.error();
  const column = reader.name();
  const type = readType(reader, `${table.name}.${column}`);
  let standard = '';
  let notNull = '';
  for (;;) {
    if (reader.skip('default')) standard = ` DEFAULT ${readDefault(reader)}`;
    else if (reader.skip('not null')) notNull = ' NOT NULL';
    else if (reader.skip('encode')) readEncoding(reader);
    else if (!reader.skip('null')) break;
  }
  if (notNull && (!standard || / null$/i.test(standard))) {
    throw new DialectError('ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression');
  }
  const checks = constraintsOf(column, type).map((check) => ` ${check}`);
  return definition(`${alter} ADD COLUMN ${quoteName(column)} ${type.postgres}${standard}${notNull}${checks.join('')}`);
}

function alterPart(reader: Reader, table: RelationName): TranslatedSql {
  if (reader.skip('column')) return alterColumn(reader, table);
  const setKeys = (kind: 'dist' | 'sort', columns: string[]) =>
    definition(
      `SELECT redshift.set_keys(${postgresString(quoteRelation(table))}, '${kind}', ARRAY[${columns.map(postgresString).join(', ')}]::text[])`,
    );
  if (reader.skip('distkey') || reader.skip('diststyle key distkey')) return setKeys('dist', [reader.name()]);
  if (reader.skip('sortkey none')) return setKeys('sort', []);
  const [dist, sort] = [reader.sees('diststyle'), reader.sees('sortkey') || reader.sees('compound')];
  const found = noAttributes();
  if (!readAttribute(reader, found)) throw reader.error();
  checkedKeys(found);
  if (dist) return setKeys('dist', []);
  if (sort) return setKeys('sort', found.sortKey);
  return definition(`SELECT ${postgresString(quoteRelation(table))}::regclass`);
}

function alterColumn(reader: Reader, table: RelationName): TranslatedSql {
  const column = reader.name();
  if (reader.skip('encode')) {
    readEncoding(reader);
    return definition(`SELECT ${postgresString(quoteRelation(table))}::regclass`);
  }
  reader.expect('type');
  const type = readType(reader, `${table.name}.${column}`);
  if (type.family !== 'varchar')
    throw new DialectError(`ALTER COLUMN TYPE is only allowed to change the size of a VARCHAR column`);
  if (reader.sees('using')) throw reader.error();
  const resize = `SELECT redshift.resize(${postgresString(quoteRelation(table))}, ${postgresString(column)}, ${type.length})`;
  return { ...definition(resize), alone: 'ALTER TABLE ALTER COLUMN TYPE' };
}
