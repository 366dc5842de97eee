import { randomUUID } from 'node:crypto';
import { ServiceError } from '../service.ts';
import { type Engine, execute } from './execute.ts';
import { hasEnded, type Statement, type SubStatement } from './statement.ts';

const MOST_ACTIVE = 500;
const TOKEN_MILLISECONDS = 8 * 60 * 60 * 1000;
const RESULT_MILLISECONDS = 24 * 60 * 60 * 1000;

/** What is decided when a statement is submitted. */
export type NewStatement = Pick<
  Statement,
  | 'name'
  | 'batch'
  | 'autoCommit'
  | 'user'
  | 'owner'
  | 'destination'
  | 'secretArn'
  | 'parameters'
  | 'withEvent'
  | 'clientToken'
> & { sqls: string[] };

/** All statements the Data API remembers, running or ended. They live as long as this process. */
export class Statements {
  private readonly byId = new Map<string, Statement>();
  private readonly engine: Engine;
  private readonly changed: (statement: Statement) => void;

  constructor(engine: Engine, changed: (statement: Statement) => void) {
    this.engine = engine;
    this.changed = changed;
  }

  /** Starts the work and returns; the same client token within 8 hours returns the statement it stands for. */
  submit(wanted: NewStatement): Statement {
    const now = this.engine.now();
    this.forgetOld(now);
    const known = this.ofToken(wanted, now);
    if (known) return known;
    const active = [...this.byId.values()].filter((statement) => !hasEnded(statement)).length;
    if (active >= MOST_ACTIVE) {
      throw new ServiceError(
        'ActiveStatementsExceededException',
        `Active statements exceeded the allowed quota (${MOST_ACTIVE}).`,
      );
    }
    const { sqls, ...rest } = wanted;
    const id = randomUUID();
    const statement: Statement = {
      ...rest,
      id,
      subs: sqls.map((sql, at) => newSub(wanted.batch ? `${id}:${at + 1}` : id, sql, now)),
      status: 'SUBMITTED',
      createdAt: now,
      updatedAt: now,
      duration: -1,
      pid: 0,
      cancelled: false,
      interruptible: false,
      interruption: Promise.resolve(),
      ended: Promise.resolve(),
    };
    this.byId.set(id, statement);
    statement.ended = execute(statement, this.engine).then(() => queueMicrotask(() => this.changed(statement)));
    return statement;
  }

  private ofToken({ clientToken, owner }: NewStatement, now: Date): Statement | undefined {
    if (clientToken === undefined) return undefined;
    return [...this.byId.values()].find(
      (statement) =>
        statement.clientToken === clientToken &&
        statement.owner === owner &&
        now.getTime() - statement.createdAt.getTime() < TOKEN_MILLISECONDS,
    );
  }

  private forgetOld(now: Date): void {
    for (const [id, statement] of this.byId) {
      if (hasEnded(statement) && now.getTime() - statement.updatedAt.getTime() > RESULT_MILLISECONDS)
        this.byId.delete(id);
    }
  }

  /**
   * @param id a statement's, or a sub-statement's (`<id>:<n>`)
   * @throws ServiceError ResourceNotFoundException, also where it belongs to somebody else
   */
  find(id: string, owner: string): { statement: Statement; sub: SubStatement | undefined } {
    const [parent = '', number] = id.split(':');
    const statement = this.byId.get(parent);
    const sub = number === undefined ? undefined : statement?.subs[Number(number) - 1];
    const missing = !statement || statement.owner !== owner || (number !== undefined && (!sub || !statement.batch));
    if (missing) throw new ServiceError('ResourceNotFoundException', 'Query does not exist.');
    return { statement, sub };
  }

  /** Newest first. */
  ofOwner(owner: string): Statement[] {
    return [...this.byId.values()].filter((statement) => statement.owner === owner).reverse();
  }

  /** @throws ServiceError ValidationException where it has ended */
  async cancel(statement: Statement): Promise<void> {
    if (hasEnded(statement)) {
      throw new ServiceError(
        'ValidationException',
        `Could not cancel a query that is already in ${statement.status} state.`,
      );
    }
    statement.cancelled = true;
    await this.cancelBackend(statement);
  }

  /** The statement may be between two of its queries when the signal arrives, so it is sent until it ends. */
  private async cancelBackend(statement: Statement): Promise<void> {
    for (let attempt = 0; attempt < 50 && !hasEnded(statement); attempt++) {
      if (statement.interruptible) {
        statement.interruption = this.engine.pool.query('SELECT pg_cancel_backend($1)', [statement.pid]);
        await statement.interruption;
      }
      await Promise.race([statement.ended, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  }

  async stop(): Promise<void> {
    const running = [...this.byId.values()].filter((statement) => !hasEnded(statement));
    await Promise.all(running.map((statement) => this.cancel(statement).catch(() => undefined)));
    await Promise.all(running.map((statement) => statement.ended));
  }
}

function newSub(id: string, sql: string, now: Date): SubStatement {
  return {
    id,
    sql,
    status: 'SUBMITTED',
    createdAt: now,
    updatedAt: now,
    duration: -1,
    resultRows: -1,
    resultSize: -1,
    queryId: 0,
  };
}
