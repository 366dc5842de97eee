import type pg from 'pg';
import { type CopyWarehouse, runCopy } from './copy.ts';
import { translate } from './dialect.ts';
import { DialectError } from './dialect-error.ts';
import { LoadFailed, recordLoadErrors } from './load-error.ts';
import { quoteRelation } from './names.ts';
import { errorText, isCancelled } from './redshift-error.ts';
import { type StatementResult, toResult } from './results.ts';
import { remember, type Session, type Sessions } from './sessions.ts';
import { hasEnded, type Statement, type SubStatement } from './statement.ts';
import type { Translated } from './translated.ts';
import type { Users } from './users.ts';

/** The warehouse behind the Data API. */
export interface Engine {
  sessions: Sessions;
  users: Users;
  pool: pg.Pool;
  warehouse: CopyWarehouse;
  now(): Date;
}

interface Outcome {
  rows: number;
  result?: StatementResult;
}

const RAW = { getTypeParser: () => (text: string | Buffer) => text };

/** Runs a submitted statement to its end; what happens stands in the record, nothing is thrown. */
export async function execute(statement: Statement, engine: Engine): Promise<void> {
  const parameters = Object.fromEntries(statement.parameters.map(({ name, value }) => [name, value]));
  try {
    await engine.users.ensure(statement.user);
    progress(statement, 'PICKED', engine.now());
    await engine.sessions.with(statement.user, async (session) => {
      statement.pid = session.pid;
      if (statement.cancelled) return;
      progress(statement, 'STARTED', engine.now());
      statement.interruptible = true;
      try {
        await runSubStatements(statement, session, engine, parameters);
      } finally {
        statement.interruptible = false;
        await statement.interruption;
      }
    });
  } catch (error) {
    statement.error ??= errorText(error);
  }
  finish(statement, engine.now());
}

async function runSubStatements(
  statement: Statement,
  session: Session,
  engine: Engine,
  parameters: Record<string, string>,
) {
  const { client } = session;
  const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ';
  if (!statement.autoCommit) await client.query(begin);
  let failed = false;
  for (const sub of statement.subs) {
    if (statement.cancelled || (failed && !statement.autoCommit)) break;
    if (statement.autoCommit) await client.query(begin);
    const started = performance.now();
    await runSubStatement(sub, { statement, session, engine, parameters });
    sub.duration = Math.round((performance.now() - started) * 1e6);
    if (sub.status === 'FAILED') failed = true;
    if (statement.autoCommit) await client.query(sub.status === 'FINISHED' ? 'COMMIT' : 'ROLLBACK');
  }
  if (!statement.autoCommit) await client.query(failed || statement.cancelled ? 'ROLLBACK' : 'COMMIT');
}

interface Running {
  statement: Statement;
  session: Session;
  engine: Engine;
  parameters: Record<string, string>;
}

async function runSubStatement(sub: SubStatement, running: Running): Promise<void> {
  const { statement, session, engine, parameters } = running;
  progress(sub, 'STARTED', engine.now());
  try {
    const translated = translate(sub.sql, parameters);
    if (translated.kind === 'sql' && translated.alone && statement.batch && !statement.autoCommit) {
      throw new DialectError(`${translated.alone} cannot run inside a transaction block`);
    }
    const { rows, result } = await runTranslated(translated, sub, running);
    sub.resultRows = rows;
    if (result) {
      sub.result = result;
      sub.resultSize = result.size;
    }
    progress(sub, 'FINISHED', engine.now());
  } catch (error) {
    const aborted = statement.cancelled && isCancelled(error);
    sub.error = errorText(error);
    if (error instanceof LoadFailed) await noteLoadErrors(error, sub, session, engine);
    progress(sub, aborted ? 'ABORTED' : 'FAILED', engine.now());
  }
}

async function runTranslated(
  translated: Translated,
  sub: SubStatement,
  { session, engine }: Running,
): Promise<Outcome> {
  sub.queryId = Number((await engine.pool.query("SELECT nextval('redshift.query_ids') AS id")).rows[0]?.id);
  if (translated.kind === 'copy') {
    const { table } = translated.copy;
    await lockForWriting(session, quoteRelation(table));
    const { rows, errors, tableId } = await runCopy(translated.copy, session, engine.warehouse);
    if (errors.length) await noteLoadErrors({ table: table.name, tableId, errors }, sub, session, engine);
    await remember(session, { copy_count: rows, copy_id: sub.queryId, query_id: sub.queryId });
    return { rows };
  }
  if (translated.writes) await lockForWriting(session, quoteRelation(translated.writes));
  let affected = 0;
  let result: StatementResult | undefined;
  for (const text of translated.sql) {
    const answer = await session.client.query<(string | null)[]>({ text, rowMode: 'array', types: RAW });
    if (translated.answers === 'rows') result = toResult(answer);
    else affected = answer.command === 'SELECT' ? affected : affected + (answer.rowCount ?? 0);
  }
  if (result) return { rows: result.records.length, result };
  return { rows: translated.answers === 'count' ? affected : -1 };
}

/**
 * Writers of one table follow one another, readers go on: Redshift's table lock. Taken when the writing statement
 * starts, and before the snapshot if that is the transaction's first. Else the snapshot is older, made as in Redshift by
 * the first SELECT, DML or CREATE TABLE (c_serial_isolation.md): what two writers do to each other there happens here.
 */
function lockForWriting(session: Session, table: string): Promise<void> {
  return session.privileged(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
}

type Rejected = Pick<LoadFailed, 'table' | 'tableId' | 'errors'>;

async function noteLoadErrors(error: Rejected, sub: SubStatement, session: Session, engine: Engine): Promise<void> {
  const startedAt = engine.now();
  const context = { user: session.user, queryId: sub.queryId, tableId: error.tableId, table: error.table, startedAt };
  await recordLoadErrors(engine.pool, context, error.errors);
}

function progress(record: Statement | SubStatement, status: Statement['status'], now: Date): void {
  record.status = status;
  record.updatedAt = now;
}

/** The record's final state: the first failure is the batch's, what did not run is ABORTED. */
function finish(statement: Statement, now: Date): void {
  const failure = statement.subs.findIndex((sub) => sub.status === 'FAILED');
  for (const sub of statement.subs) if (!hasEnded(sub)) progress(sub, statement.error ? 'FAILED' : 'ABORTED', now);
  const aborted = statement.subs.some((sub) => sub.status === 'ABORTED');
  if (failure >= 0) {
    const text = statement.subs[failure]?.error ?? '';
    statement.error = statement.batch ? `Query #${failure + 1} failed with ${text}` : text;
  }
  statement.duration = (now.getTime() - statement.createdAt.getTime()) * 1e6;
  progress(statement, statement.error ? 'FAILED' : aborted ? 'ABORTED' : 'FINISHED', now);
}
