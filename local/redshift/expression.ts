import { DialectError, StandInLimit } from './dialect-error.ts';
import { takeCall } from './function-call.ts';
import { takeSubquery } from './query.ts';
import type { Reader } from './reader.ts';
import type { Token } from './tokens.ts';
import { type ColumnType, readType } from './types.ts';

const COMPARISONS = ['=', '<>', '!=', '<=', '>=', '<', '>', '~', '!~'];
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', '||', '&', '|', '#', '<<', '>>'];
const LITERAL_TYPES = ['date', 'timestamp', 'timestamptz', 'time', 'timetz'];

/** One expression, with the operators and functions that Redshift has. */
export function takeExpression(reader: Reader): void {
  takeCondition(reader);
  while (reader.take('and') || reader.take('or')) takeCondition(reader);
}

function takeCondition(reader: Reader): void {
  while (reader.take('not'));
  takeOperand(reader);
  while (takePredicate(reader));
}

function takePredicate(reader: Reader): boolean {
  const comparison = COMPARISONS.find((symbol) => reader.take(symbol));
  if (comparison) {
    if (reader.take('any') || reader.take('some') || reader.take('all')) takeSubquery(reader);
    else takeOperand(reader);
    return true;
  }
  if (reader.take('is')) {
    reader.take('not');
    if (!['null', 'true', 'false', 'unknown'].some((word) => reader.take(word))) throw reader.error();
    return true;
  }
  if (reader.take('isnull') || reader.take('notnull')) return true;
  const negated = reader.sees('not') && /^(between|in|like|ilike|similar)$/.test(reader.peek(1).value);
  if (negated) reader.take('not');
  if (reader.take('between')) {
    takeOperand(reader);
    reader.expectTaking('and');
    takeOperand(reader);
    return true;
  }
  if (reader.take('in')) return takeMembers(reader);
  if (reader.take('like') || reader.take('ilike') || reader.take('similar to')) {
    takeOperand(reader);
    if (reader.take('escape')) takeOperand(reader);
    return true;
  }
  return false;
}

function takeMembers(reader: Reader): true {
  if (beginsQuery(reader.peek(1))) takeSubquery(reader);
  else takeArguments(reader);
  return true;
}

/** `( expression, … )` */
export function takeArguments(reader: Reader): number {
  reader.expectTaking('(');
  let count = 0;
  reader.takeCommaSeparated(() => {
    takeExpression(reader);
    count++;
  });
  reader.expectTaking(')');
  return count;
}

/** A chain of arithmetic: no comparison, so that BETWEEN … AND … stays readable. */
export function takeOperand(reader: Reader): void {
  takePostfixed(reader);
  while (ARITHMETIC.some((symbol) => reader.take(symbol))) takePostfixed(reader);
}

function takePostfixed(reader: Reader): void {
  while (reader.take('-') || reader.take('+') || reader.take('~') || reader.take('@'));
  const mark = reader.out.length;
  takePrimary(reader);
  for (;;) {
    if (reader.skip('::')) reader.write(cast(reader.cut(mark), readType(reader)));
    else if (reader.take('at time zone')) takePrimary(reader);
    else if (reader.sees('[')) throw new StandInLimit('navigation into SUPER values');
    else return;
  }
}

function takePrimary(reader: Reader): void {
  const token = reader.peek();
  if (token.kind === 'string') reader.takeString();
  else if (token.kind === 'number') reader.write(reader.next().text);
  else if (token.kind === 'parameter') throw new DialectError(`Parameter ${token.text} has no value`);
  else if (token.value === '(' && token.kind === 'symbol') takeParenthesis(reader);
  else if (token.kind === 'quoted') takeColumn(reader);
  else if (token.kind === 'word') takeWord(reader, token.value);
  else throw reader.error();
}

function takeWord(reader: Reader, word: string): void {
  const next = reader.peek(1);
  if (['null', 'true', 'false', 'current_date', 'current_user', 'session_user', 'user', 'default'].includes(word)) {
    reader.take(word);
  } else if (reader.skip('sysdate')) reader.write('redshift.getdate()');
  else if (reader.take('case')) takeCase(reader);
  else if (reader.skip('cast')) takeCast(reader);
  else if (word === 'convert' && next.value === '(') takeConvert(reader);
  else if (word === 'extract' && next.value === '(') takeExtract(reader);
  else if (word === 'position' && next.value === '(') takePosition(reader);
  else if (reader.take('exists')) takeSubquery(reader);
  else if (LITERAL_TYPES.includes(word) && next.kind === 'string') {
    reader.write(readType(reader).postgres);
    reader.takeString();
  } else if (word === 'interval' && next.kind === 'string') takeInterval(reader);
  else if (next.value === '(' && next.kind === 'symbol') takeCall(reader);
  else takeColumn(reader);
}

function takeColumn(reader: Reader): void {
  reader.takeName();
  for (let parts = 1; reader.sees('.') && reader.peek(1).text !== '*'; parts++) {
    if (parts === 3) throw new StandInLimit('navigation into SUPER values');
    reader.take('.');
    reader.takeName();
  }
}

function takeParenthesis(reader: Reader): void {
  if (seesQuery(reader)) takeSubquery(reader);
  // DG "IN condition": a list of expressions may be looked up in a subquery; elsewhere Redshift has no row values.
  else if (takeArguments(reader) > 1 && !reader.sees('in') && !reader.sees('not in')) throw reader.error();
}

/** A column may be called "select". */
const beginsQuery = ({ kind, value }: Token): boolean => kind === 'word' && (value === 'select' || value === 'with');

/** Behind any number of parentheses. */
function seesQuery(reader: Reader): boolean {
  let ahead = 1;
  while (reader.peek(ahead).kind === 'symbol' && reader.peek(ahead).value === '(') ahead++;
  return beginsQuery(reader.peek(ahead));
}

function takeCase(reader: Reader): void {
  if (!reader.sees('when')) takeExpression(reader);
  reader.expectTaking('when');
  do {
    takeExpression(reader);
    reader.expectTaking('then');
    takeExpression(reader);
  } while (reader.take('when'));
  if (reader.take('else')) takeExpression(reader);
  reader.expectTaking('end');
}

function takeCast(reader: Reader): void {
  const mark = reader.out.length;
  reader.expect('(');
  takeExpression(reader);
  reader.expect('as');
  const type = readType(reader);
  reader.expect(')');
  reader.write(cast(`(${reader.cut(mark)})`, type));
}

function takeConvert(reader: Reader): void {
  reader.expect('convert');
  reader.expect('(');
  const type = readType(reader);
  reader.expect(',');
  const mark = reader.out.length;
  takeExpression(reader);
  reader.expect(')');
  reader.write(cast(`(${reader.cut(mark)})`, type));
}

/** DG "Data type conversions": a cast to VARCHAR(n) or CHAR(n) cuts at n bytes, without an error. */
function cast(expression: string, type: ColumnType): string {
  if (type.family === 'varchar') return `CAST(redshift.cut(${expression}::text, ${type.length}) AS ${type.postgres})`;
  if (type.family === 'super') return `redshift.as_super(${expression})`;
  if (type.family === 'varbyte') return `redshift.as_varbyte(${expression})`;
  return `CAST(${expression} AS ${type.postgres})`;
}

function takeExtract(reader: Reader): void {
  reader.expectTaking('extract');
  reader.expectTaking('(');
  reader.write(reader.next().value);
  reader.expectTaking('from');
  takeExpression(reader);
  reader.expectTaking(')');
}

function takePosition(reader: Reader): void {
  reader.expectTaking('position');
  reader.expectTaking('(');
  takeOperand(reader);
  reader.expectTaking('in');
  takeOperand(reader);
  reader.expectTaking(')');
}

function takeInterval(reader: Reader): void {
  reader.expectTaking('interval');
  reader.takeString();
  const qualifier = reader.seesAny(
    'year to month',
    'day to second',
    'year',
    'month',
    'day',
    'hour',
    'minute',
    'second',
  );
  if (qualifier) reader.take(qualifier);
}
