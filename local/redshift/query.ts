import { DialectError, StandInLimit } from './dialect-error.ts';
import { takeExpression } from './expression.ts';
import { takeOrderBy } from './function-call.ts';
import { quoteName, quoteRelation, RESERVED } from './names.ts';
import type { Reader, RelationName } from './reader.ts';

/** `[WITH …] SELECT … [UNION …] [ORDER BY …] [LIMIT …] [OFFSET …]` in Redshift's form (r_SELECT_synopsis.md). */
export function takeQuery(reader: Reader): void {
  if (reader.take('with')) takeWith(reader);
  takeBody(reader);
  if (reader.sees('order by')) takeOrderBy(reader);
  if (reader.take('limit') && !reader.take('all')) reader.write(String(reader.integer()));
  if (reader.take('offset')) reader.write(String(reader.integer()));
}

/** `( query )` */
export function takeSubquery(reader: Reader): void {
  reader.expectTaking('(');
  takeQuery(reader);
  reader.expectTaking(')');
}

function takeWith(reader: Reader): void {
  reader.take('recursive');
  reader.takeCommaSeparated(() => {
    reader.takeName();
    if (reader.sees('(')) takeNames(reader);
    reader.expectTaking('as');
    takeSubquery(reader);
  });
}

export function takeNames(reader: Reader): void {
  reader.expectTaking('(');
  reader.takeCommaSeparated(() => reader.takeName());
  reader.expectTaking(')');
}

function takeBody(reader: Reader): void {
  takeTerm(reader);
  for (;;) {
    if (reader.take('union')) {
      if (!reader.take('all')) reader.take('distinct');
    } else if (reader.skip('minus') || reader.skip('except')) reader.write('except');
    else if (!reader.take('intersect')) return;
    // Only UNION has ALL (r_UNION.md).
    if (reader.sees('all')) throw reader.error();
    takeTerm(reader);
  }
}

function takeTerm(reader: Reader): void {
  if (reader.sees('(')) takeSubquery(reader);
  else takeSelect(reader);
}

function takeSelect(reader: Reader): void {
  reader.expectTaking('select');
  const top = takeTop(reader);
  if (!reader.take('distinct')) reader.take('all');
  if (reader.sees('on')) throw reader.error();
  reader.takeCommaSeparated(() => takeItem(reader));
  if (reader.sees('into')) throw new StandInLimit('SELECT INTO');
  if (reader.take('from')) reader.takeCommaSeparated(() => takeFromItem(reader));
  if (reader.take('where')) takeExpression(reader);
  if (reader.take('group by')) reader.takeCommaSeparated(() => takeGrouping(reader));
  if (reader.take('having')) takeExpression(reader);
  if (reader.sees('qualify')) throw new StandInLimit('QUALIFY');
  if (top !== undefined) {
    if (reader.sees('order by')) takeOrderBy(reader);
    reader.write(`limit ${top}`);
  }
}

function takeTop(reader: Reader): number | undefined {
  return reader.skip('top') ? reader.integer() : undefined;
}

function takeItem(reader: Reader): void {
  if (reader.take('*')) return;
  if (isQualifiedStar(reader)) {
    reader.takeName();
    while (reader.take('.')) if (!reader.take('*')) reader.takeName();
    return;
  }
  takeExpression(reader);
  if (reader.take('as')) reader.write(quoteName(labelName(reader)));
  else if (seesAlias(reader)) {
    reader.write('as');
    reader.takeName();
  }
}

/** After AS any word is a label, as in Postgres 8. */
function labelName(reader: Reader): string {
  return reader.peek().kind === 'word' ? reader.next().value : reader.name();
}

function isQualifiedStar(reader: Reader): boolean {
  if (reader.peek(1).value !== '.') return false;
  if (reader.peek(2).text === '*') return true;
  return reader.peek(3).value === '.' && reader.peek(4).text === '*';
}

export function seesAlias(reader: Reader): boolean {
  const token = reader.peek();
  return token.kind === 'quoted' || (token.kind === 'word' && !RESERVED.has(token.value) && token.value !== 'set');
}

function takeGrouping(reader: Reader): void {
  if (reader.take('rollup') || reader.take('cube')) {
    reader.expectTaking('(');
    reader.takeCommaSeparated(() => takeExpression(reader));
    reader.expectTaking(')');
  } else if (reader.sees('grouping sets')) throw new StandInLimit('GROUPING SETS');
  else takeExpression(reader);
}

export function takeFromItem(reader: Reader): void {
  takeTableReference(reader);
  for (;;) {
    reader.take('natural');
    const join = reader.seesAny(
      'join',
      'inner join',
      'cross join',
      'left join',
      'left outer join',
      'right join',
      'right outer join',
      'full join',
      'full outer join',
    );
    if (!join) return;
    reader.take(join);
    takeTableReference(reader);
    if (reader.take('on')) takeExpression(reader);
    else if (reader.take('using')) takeNames(reader);
  }
}

function takeTableReference(reader: Reader): void {
  if (reader.sees('lateral')) throw reader.error();
  const derived = reader.sees('(');
  if (derived) takeSubquery(reader);
  else {
    if (reader.peek(1).value === '(') throw new DialectError(`function ${reader.peek().value} is not allowed in FROM`);
    reader.write(quoteRelation(readable(reader.relation())));
  }
  if (reader.take('as') || seesAlias(reader)) {
    reader.takeName();
    if (reader.sees('(')) takeNames(reader);
  } else if (derived) throw new DialectError('subquery in FROM must have an alias');
}

/** Catalog tables that Redshift shares with Postgres (r_PG_tables and "System catalog tables"). */
const CATALOG = new Set(
  `pg_attribute pg_attrdef pg_class pg_constraint pg_database pg_description pg_group pg_index pg_namespace pg_proc
  pg_tables pg_type pg_user pg_views`.split(/\s+/),
);
const OWN_CATALOG = new Set(
  'pg_table_def svv_columns svv_redshift_columns svv_tables sys_load_error_detail'.split(' '),
);
const INFORMATION_SCHEMA = new Set(['columns', 'tables', 'schemata', 'views', 'table_constraints', 'key_column_usage']);

/**
 * Redshift's own catalog views live in the stand-in's schema `redshift`.
 * @throws DialectError for a catalog of Postgres that Redshift lacks, StandInLimit for one that isn't imitated
 */
export function readable(relation: RelationName): RelationName {
  const { schema, name } = relation;
  if (schema === 'information_schema') {
    if (!INFORMATION_SCHEMA.has(name)) throw new StandInLimit(`information_schema.${name}`);
    return name === 'columns' ? { schema: 'redshift', name: 'information_schema_columns' } : relation;
  }
  if (schema !== undefined && schema !== 'pg_catalog') return relation;
  if (OWN_CATALOG.has(name)) return { schema: 'redshift', name };
  if (/^(svv|sys|stl|stv|svl|svcs)_/.test(name)) throw new StandInLimit(`the system view ${name}`);
  const unknown = name.startsWith('pg_') || schema === 'pg_catalog';
  if (unknown && !CATALOG.has(name)) throw new DialectError(`relation "${name}" does not exist`);
  return relation;
}
