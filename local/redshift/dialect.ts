import { alterTable } from './alter-table.ts';
import { copyStatement } from './copy-statement.ts';
import { createTable } from './create-table.ts';
import { DialectError, StandInLimit } from './dialect-error.ts';
import { takeQuery } from './query.ts';
import { Reader } from './reader.ts';
import type { Translated } from './translated.ts';
import { analyze, createSchema, createView, drop, grant, lock, set, show, truncate, vacuum } from './utility.ts';
import { insert, merge, remove, update } from './write.ts';

export { DialectError } from './dialect-error.ts';
export type { Translated } from './translated.ts';

const NOT_DONE =
  `call cancel close comment deallocate declare describe execute explain fetch import prepare reset unload use
  refresh rollup attach detach`.split(/\s+/);
const TRANSACTIONS = ['begin', 'commit', 'end', 'rollback', 'abort', 'start'];

/**
 * Recognises one Redshift statement and says how the stand-in runs it. What is not recognised is refused.
 * @param parameters values of `:name` placeholders, as the Data API binds them
 * @throws DialectError with Redshift's message, without the leading `ERROR: `
 */
export function translate(sql: string, parameters: Record<string, string> = {}): Translated {
  const reader = new Reader(sql, parameters);
  const first = reader.peek();
  if (first.kind === 'end') throw new DialectError('syntax error at end of input');
  if (first.kind === 'symbol' && first.value === '(') return query(reader);
  if (first.kind !== 'word') throw reader.error();
  const word = first.value;
  if (TRANSACTIONS.includes(word)) {
    throw new DialectError(`${word.toUpperCase()} is not allowed: the Data API opens and ends the transaction itself`);
  }
  if (NOT_DONE.includes(word)) throw new StandInLimit(word.toUpperCase());
  const recognise = STATEMENTS[word];
  if (!recognise) throw reader.error();
  return recognise(reader);
}

const STATEMENTS: Record<string, (reader: Reader) => Translated> = {
  select: query,
  with: query,
  insert,
  delete: remove,
  update,
  merge,
  copy: (reader) => ({ kind: 'copy', copy: copyStatement(reader) }),
  create,
  alter,
  drop,
  truncate,
  analyze,
  analyse: analyze,
  vacuum,
  lock,
  grant,
  revoke: grant,
  set,
  show,
};

function query(reader: Reader): Translated {
  takeQuery(reader);
  reader.end();
  return { kind: 'sql', sql: [reader.text], answers: 'rows' };
}

function create(reader: Reader): Translated {
  reader.expect('create');
  if (reader.seesAny('table', 'temp', 'temporary', 'local')) return createTable(reader);
  if (reader.seesAny('view', 'or replace view')) return createView(reader);
  if (reader.skip('schema')) return createSchema(reader);
  const other = reader.seesAny(
    'materialized',
    'external',
    'procedure',
    'function',
    'library',
    'user',
    'group',
    'role',
    'database',
    'datashare',
    'model',
    'identity',
    'masking',
    'rls',
    'or',
  );
  if (other) throw new StandInLimit(`CREATE ${other.toUpperCase()}`);
  throw reader.error();
}

function alter(reader: Reader): Translated {
  reader.expect('alter');
  if (reader.skip('table')) return alterTable(reader);
  throw new StandInLimit(`ALTER ${reader.next().text.toUpperCase()}`);
}
