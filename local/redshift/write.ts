import { DialectError } from './dialect-error.ts';
import { takeExpression } from './expression.ts';
import { quoteRelation } from './names.ts';
import { seesAlias, takeFromItem, takeNames, takeQuery } from './query.ts';
import type { Reader, RelationName } from './reader.ts';
import type { TranslatedSql } from './translated.ts';

const write = (sql: string[], writes: RelationName): TranslatedSql => ({ kind: 'sql', sql, answers: 'count', writes });

/** `INSERT INTO t [(columns)] DEFAULT VALUES | VALUES (…) | query`; no ON CONFLICT, no RETURNING (r_INSERT_30.md). */
export function insert(reader: Reader): TranslatedSql {
  reader.expectTaking('insert into');
  const table = takeTarget(reader);
  if (reader.sees('(') && !reader.seesAny('( select', '( with', '( (')) takeNames(reader);
  if (!reader.take('default values')) {
    if (reader.take('values')) reader.takeCommaSeparated(() => takeRow(reader));
    else takeQuery(reader);
  }
  reader.end();
  return write([reader.text], table);
}

export function takeRow(reader: Reader): void {
  reader.expectTaking('(');
  reader.takeCommaSeparated(() => takeExpression(reader));
  reader.expectTaking(')');
}

/** `DELETE [FROM] t [USING t2, …] [WHERE …]`; the target has no alias (r_DELETE.md). */
export function remove(reader: Reader): TranslatedSql {
  reader.expectTaking('delete');
  const explicit = reader.skip('from');
  reader.write('from');
  const table = takeTarget(reader);
  if (!explicit && reader.sees('using')) throw reader.error();
  if (reader.take('using')) reader.takeCommaSeparated(() => takeFromItem(reader));
  if (reader.take('where')) takeExpression(reader);
  reader.end();
  return write([reader.text], table);
}

/** `UPDATE t [[AS] alias] SET column = expression, … [FROM …] [WHERE …]` (r_UPDATE.md). */
export function update(reader: Reader): TranslatedSql {
  reader.expectTaking('update');
  const table = takeTarget(reader);
  if (reader.take('as') || seesAlias(reader)) reader.takeName();
  reader.expectTaking('set');
  takeAssignments(reader);
  if (reader.take('from')) reader.takeCommaSeparated(() => takeFromItem(reader));
  if (reader.take('where')) takeExpression(reader);
  reader.end();
  return write([reader.text], table);
}

function takeAssignments(reader: Reader): void {
  reader.takeCommaSeparated(() => {
    reader.takeName();
    reader.expectTaking('=');
    takeExpression(reader);
  });
}

function takeTarget(reader: Reader): RelationName {
  const table = reader.relation();
  reader.write(quoteRelation(table));
  return table;
}

/**
 * `MERGE INTO target USING source [[AS] alias] ON equalities WHEN MATCHED THEN … WHEN NOT MATCHED THEN INSERT …`, or
 * `REMOVE DUPLICATES` (r_MERGE.md). The source has to be a table's or view's name: the manual of 2026 allows a
 * subquery, older clusters don't.
 */
export function merge(reader: Reader): TranslatedSql {
  reader.expectTaking('merge into');
  const target = takeTarget(reader);
  if (!reader.sees('using')) throw reader.error();
  reader.expectTaking('using');
  if (reader.sees('(')) throw new DialectError('MERGE source must be a table or view, not a subquery');
  const source = takeTarget(reader);
  if (quoteRelation(source) === quoteRelation(target)) {
    throw new DialectError('Source and target of MERGE cannot be the same table');
  }
  let alias = quoteRelation(source);
  if (reader.take('as') || seesAlias(reader)) {
    const mark = reader.out.length;
    reader.takeName();
    alias = reader.out[mark] ?? alias;
  }
  reader.expectTaking('on');
  const mark = reader.out.length;
  takeEqualities(reader);
  if (reader.skip('remove duplicates'))
    return removeDuplicates(reader, { target, source, alias, on: reader.cut(mark) });
  takeMatched(reader);
  takeNotMatched(reader);
  if (reader.sees('when')) throw reader.error();
  reader.end();
  return write([reader.text], target);
}

/** Column = column, joined by AND. */
function takeEqualities(reader: Reader): void {
  const open = reader.take('(');
  do {
    if (reader.sees('(')) takeEqualities(reader);
    else {
      takeColumn(reader);
      if (!reader.take('=')) throw new DialectError('MERGE match condition must be equalities joined by AND');
      takeColumn(reader);
    }
  } while (reader.take('and'));
  if (open) reader.expectTaking(')');
  if (reader.sees('or')) throw new DialectError('MERGE match condition must be equalities joined by AND');
}

function takeColumn(reader: Reader): void {
  reader.takeName();
  while (reader.take('.')) reader.takeName();
  if (reader.sees('['))
    throw new DialectError('Partial reference of SUPER column is not supported in MERGE statement.');
}

function takeMatched(reader: Reader): void {
  reader.expectTaking('when matched');
  if (reader.sees('and')) throw reader.error();
  reader.expectTaking('then');
  if (reader.take('delete')) return;
  reader.expectTaking('update set');
  takeAssignments(reader);
}

function takeNotMatched(reader: Reader): void {
  reader.expectTaking('when not matched');
  reader.expectTaking('then');
  reader.expectTaking('insert');
  if (reader.sees('(')) takeNames(reader);
  reader.expectTaking('values');
  takeRow(reader);
}

interface Simplified {
  target: RelationName;
  source: RelationName;
  alias: string;
  on: string;
}

/** Matched target rows become the source's row, once each; the rest of the source is inserted. */
function removeDuplicates(reader: Reader, { target, source, alias, on }: Simplified): TranslatedSql {
  reader.end();
  const into = quoteRelation(target);
  const from = `${quoteRelation(source)} AS ${alias.split('.').at(-1)}`;
  // A target row that several source rows match is refused in this form, too.
  const ambiguous =
    `SELECT redshift.refuse_ambiguous(count(*) > 0) FROM (SELECT 1 FROM ${into} JOIN ${from} ON ${on} ` +
    `GROUP BY ${into}.ctid HAVING count(*) > 1) AS matches`;
  return write(
    [
      ambiguous,
      `DELETE FROM ${into} USING ${from} WHERE ${on}`,
      `INSERT INTO ${into} SELECT * FROM ${quoteRelation(source)}`,
    ],
    target,
  );
}
