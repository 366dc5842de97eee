import { DialectError, StandInLimit } from './dialect-error.ts';
import { takeExpression, takeOperand } from './expression.ts';
import { functionKind } from './functions.ts';
import type { Reader } from './reader.ts';

const DATE_PARTS: Record<string, string> = {
  year: 'year',
  y: 'year',
  yr: 'year',
  quarter: 'quarter',
  qtr: 'quarter',
  month: 'month',
  mon: 'month',
  week: 'week',
  w: 'week',
  day: 'day',
  d: 'day',
  hour: 'hour',
  h: 'hour',
  hr: 'hour',
  minute: 'minute',
  m: 'minute',
  min: 'minute',
  second: 'second',
  s: 'second',
  sec: 'second',
  millisecond: 'millisecond',
  ms: 'millisecond',
  microsecond: 'microsecond',
  us: 'microsecond',
};

/** `name(arguments) [WITHIN GROUP (…)] [OVER (…)]` for the functions that Redshift has. */
export function takeCall(reader: Reader): void {
  const token = reader.next();
  const name = token.value;
  const kind = functionKind(name);
  if (kind === 'unknown') throw new DialectError(`function ${name} does not exist`);
  if (kind === 'not done') throw new StandInLimit(`function ${name.toUpperCase()}`);
  if (kind === 'rewritten') takeRewritten(reader, name);
  else {
    reader.write(kind === 'added' ? `redshift.${name}` : name);
    const count = takeArgumentList(reader, name);
    if (name === 'concat' && count !== 2) throw new DialectError('function concat takes two arguments');
  }
  takeWithinGroup(reader);
  takeOver(reader);
}

function takeArgumentList(reader: Reader, name: string): number {
  reader.expectTaking('(');
  if (reader.take(')')) return 0;
  if (name === 'count' && reader.take('*')) {
    reader.expectTaking(')');
    return 1;
  }
  if (name === 'trim' && (reader.take('both') || reader.take('leading') || reader.take('trailing'))) {
    if (!reader.sees('from')) takeExpression(reader);
  } else {
    if (!reader.take('distinct')) reader.take('all');
    takeExpression(reader);
  }
  if (name === 'trim' && reader.take('from')) takeExpression(reader);
  let count = 1;
  while (reader.take(',')) {
    takeExpression(reader);
    count++;
  }
  if (reader.skip('ignore nulls') || reader.skip('respect nulls'))
    throw new StandInLimit('IGNORE NULLS / RESPECT NULLS');
  reader.expectTaking(')');
  return count;
}

function takeWithinGroup(reader: Reader): void {
  if (!reader.take('within group')) return;
  reader.expectTaking('(');
  takeOrderBy(reader);
  reader.expectTaking(')');
}

function takeOver(reader: Reader): void {
  if (reader.sees('filter')) throw reader.error();
  if (!reader.take('over')) return;
  reader.expectTaking('(');
  if (reader.take('partition by')) reader.takeCommaSeparated(() => takeExpression(reader));
  if (reader.sees('order by')) takeOrderBy(reader);
  // DG "Window function syntax summary": only ROWS frames.
  if (reader.take('rows')) {
    if (reader.take('between')) {
      takeFrameBound(reader);
      reader.expectTaking('and');
    }
    takeFrameBound(reader);
  }
  reader.expectTaking(')');
}

function takeFrameBound(reader: Reader): void {
  const fixed = reader.seesAny('unbounded preceding', 'unbounded following', 'current row');
  if (fixed) {
    reader.take(fixed);
    return;
  }
  reader.write(String(reader.integer()));
  if (!reader.take('preceding') && !reader.take('following')) throw reader.error();
}

export function takeOrderBy(reader: Reader): void {
  reader.expectTaking('order by');
  reader.takeCommaSeparated(() => {
    takeExpression(reader);
    if (!reader.take('asc')) reader.take('desc');
    if (reader.take('nulls') && !reader.take('first') && !reader.take('last')) throw reader.error();
  });
}

function takeRewritten(reader: Reader, name: string): void {
  if (name === 'nvl') {
    reader.write('coalesce');
    takeArgumentList(reader, name);
  } else if (name === 'listagg') takeListagg(reader);
  else if (name.startsWith('date')) takeDateFunction(reader, name);
  else {
    const mark = reader.out.length;
    const parts: string[] = [];
    reader.expect('(');
    do {
      takeExpression(reader);
      parts.push(`(${reader.cut(mark)})`);
    } while (reader.skip(','));
    reader.expect(')');
    reader.write(name === 'nvl2' ? nvl2(parts) : decode(parts));
  }
}

function nvl2(parts: string[]): string {
  if (parts.length !== 3) throw new DialectError('function nvl2 takes three arguments');
  return `CASE WHEN ${parts[0]} IS NOT NULL THEN ${parts[1]} ELSE ${parts[2]} END`;
}

/** DG "DECODE expression": two NULLs are equal here. */
function decode([value, ...rest]: string[]): string {
  if (rest.length < 2) throw new DialectError('function decode takes at least three arguments');
  const branches: string[] = [];
  while (rest.length >= 2) branches.push(`WHEN ${value} IS NOT DISTINCT FROM ${rest.shift()} THEN ${rest.shift()}`);
  return `CASE ${branches.join(' ')}${rest.length ? ` ELSE ${rest[0]}` : ''} END`;
}

function takeListagg(reader: Reader): void {
  const mark = reader.out.length;
  reader.expect('(');
  const distinct = reader.skip('distinct') ? 'DISTINCT ' : '';
  takeExpression(reader);
  const value = reader.cut(mark);
  let delimiter = "''";
  if (reader.skip(',')) {
    takeOperand(reader);
    delimiter = reader.cut(mark);
  }
  reader.expect(')');
  let order = '';
  if (reader.skip('within group')) {
    reader.expect('(');
    takeOrderBy(reader);
    reader.expect(')');
    order = ` ${reader.cut(mark)}`;
  }
  reader.write(`string_agg(${distinct}(${value})::text, ${delimiter}${order})`);
}

/** DATEADD(part, n, value) and DATEDIFF(part, a, b): the part is a bare word. */
function takeDateFunction(reader: Reader, name: string): void {
  reader.expect('(');
  const token = reader.next();
  const part = DATE_PARTS[token.value.toLowerCase()];
  if (!part) throw new DialectError(`date part "${token.value}" is not supported by ${name}`);
  reader.expect(',');
  const mark = reader.out.length;
  takeExpression(reader);
  const first = reader.cut(mark);
  reader.expect(',');
  takeExpression(reader);
  const second = reader.cut(mark);
  reader.expect(')');
  const called = name.includes('add') ? 'dateadd' : 'datediff';
  reader.write(`redshift.${called}('${part}', ${first}, ${second})`);
}
