import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchExecuteStatementCommand,
  CancelStatementCommand,
  DescribeStatementCommand,
  type DescribeStatementCommandOutput,
  ExecuteStatementCommand,
  paginateGetStatementResult,
  paginateListStatements,
  RedshiftDataClient,
  ValidationException,
} from '@aws-sdk/client-redshift-data';
import { describeQueryRefusal, type LoadError } from '../core/load-advice.ts';
import { isTransient, MAX_ATTEMPTS, pauseBefore } from '../core/transient.ts';
import { clusterIdentifier, type Destination, isServerless } from '../model/destination.ts';
import { errors } from '../model/errors.ts';
import { destinationOf } from './environment.ts';

/** The longest that the Data API lets one call wait for its statement. */
const WAIT_SECONDS = 30;

export interface Statement {
  id: string;
  status: 'running' | 'finished' | 'failed' | 'aborted';
  error: string;
  /** The text of the statement that failed, of several; else empty. */
  sql: string;
  /** Redshift's own id of the query that failed, which its load errors are filed under. */
  queryId: number;
}

/** One token for one thing to be done: submitted twice it runs once. ClientToken takes at most 64 characters. */
export const tokenOf = (what: unknown): string => createHash('sha256').update(JSON.stringify(what)).digest('hex');

/** The Data API says no more of what somebody cancelled. */
const CANCELLED = 'its statement was cancelled';

type Described = Pick<DescribeStatementCommandOutput, 'Id' | 'Status' | 'Error' | 'RedshiftQueryId' | 'SubStatements'>;

function toStatement(described: Described): Statement {
  const status = (
    { FINISHED: 'finished', FAILED: 'failed', ABORTED: 'aborted' } as Record<string, Statement['status']>
  )[described.Status ?? ''];
  const failed = described.SubStatements?.find((sub) => sub.Status === 'FAILED');
  return {
    id: described.Id ?? '',
    status: status ?? 'running',
    error: status === 'aborted' ? CANCELLED : (failed?.Error ?? described.Error ?? ''),
    sql: failed?.QueryString ?? '',
    queryId: failed?.RedshiftQueryId ?? described.RedshiftQueryId ?? 0,
  };
}

/** Redshift, through its Data API. */
export class Warehouse {
  readonly #client: RedshiftDataClient;
  readonly #target: { Database: string; WorkgroupName?: string; ClusterIdentifier?: string; SecretArn?: string };

  constructor(destination: Destination, client = new RedshiftDataClient({})) {
    this.#client = client;
    this.#target = {
      Database: destination.database,
      ...(isServerless(destination)
        ? { WorkgroupName: destination.workgroupName ?? '' }
        : { ClusterIdentifier: clusterIdentifier(destination) }),
      ...(destination.secretArn ? { SecretArn: destination.secretArn } : {}),
    };
  }

  /**
   * Runs the statements as one transaction. The same token within 8 hours finds the same statement again, whatever
   * became of it: submitting twice does not run twice.
   *
   * @param wait whether to wait for it, for one call's time
   */
  async submit(sqls: string[], name: string, token: string, wait = true): Promise<Statement> {
    const { Id = '' } = await this.#client.send(
      new BatchExecuteStatementCommand({
        ...this.#target,
        Sqls: sqls,
        StatementName: name,
        ClientToken: token,
        ...(wait ? { WaitTimeSeconds: WAIT_SECONDS } : {}),
      }),
    );
    return wait ? this.follow(Id) : { id: Id, status: 'running', error: '', sql: '', queryId: 0 };
  }

  /** Runs one statement alone, in no transaction with others; otherwise as `submit`. */
  async execute(sql: string, name: string, token: string): Promise<Statement> {
    const { Id } = await this.#client.send(
      new ExecuteStatementCommand({
        ...this.#target,
        Sql: sql,
        StatementName: name,
        ClientToken: token,
        WaitTimeSeconds: WAIT_SECONDS,
      }),
    );
    return this.follow(Id ?? '');
  }

  /** Waits for one call's time at most. */
  async follow(id: string): Promise<Statement> {
    return toStatement(
      await this.#client.send(new DescribeStatementCommand({ Id: id, WaitTimeSeconds: WAIT_SECONDS })),
    );
  }

  /**
   * Submits until the warehouse takes it: what it refuses for a reason of the moment goes once more, a few times.
   *
   * @param submit the nth attempt, from 0, under a token of its own: called again it finds its statement again
   * @param hasTime whether to wait for longer
   * @returns how it ended; `running` where there was no time to see that, and the same is to be called again
   */
  async insist(submit: (attempt: number) => Promise<Statement>, hasTime = () => true): Promise<Statement> {
    for (let attempt = 0; ; ) {
      let statement = await submit(attempt);
      while (statement.status === 'running' && hasTime()) statement = await this.follow(statement.id);
      if (statement.status !== 'failed' || !isTransient(statement.error)) return statement;
      if (++attempt === MAX_ATTEMPTS) return statement;
      if (!hasTime()) return { ...statement, status: 'running' };
      await sleep(pauseBefore(attempt));
    }
  }

  /** Ends what an owner that died may have left running, so that two loads of one table never overlap (RULES 14). */
  async settle(namePrefix: string): Promise<void> {
    const pages = paginateListStatements({ client: this.#client }, { StatementName: namePrefix, Status: 'ALL' });
    for await (const { Statements = [] } of pages)
      for (const { Id, Status } of Statements) {
        if (!Id || Status === 'FINISHED' || Status === 'FAILED' || Status === 'ABORTED') continue;
        await this.#cancel(Id);
        let statement = await this.follow(Id);
        while (statement.status === 'running') statement = await this.follow(Id);
      }
  }

  async #cancel(id: string): Promise<void> {
    try {
      await this.#client.send(new CancelStatementCommand({ Id: id }));
    } catch (error) {
      // It ended in the meantime: "Could not cancel a query that is already in FINISHED state".
      if (!(error instanceof ValidationException)) throw error;
    }
  }

  /** @returns the rows of a query, each value as text or null */
  async *query(sql: string): AsyncGenerator<(string | null)[]> {
    const statement = await this.insist(async () => {
      const { Id = '' } = await this.#client.send(
        new ExecuteStatementCommand({ ...this.#target, Sql: sql, WaitTimeSeconds: WAIT_SECONDS }),
      );
      return this.follow(Id);
    });
    if (statement.status !== 'finished') throw errors.warehouseRefused(describeQueryRefusal(statement.error));
    for await (const page of paginateGetStatementResult({ client: this.#client }, { Id: statement.id }))
      for (const record of page.Records ?? [])
        yield record.map((field) => {
          if (field.isNull) return null;
          const value = field.stringValue ?? field.longValue ?? field.doubleValue ?? field.booleanValue;
          return value === undefined ? null : String(value);
        });
  }

  /** Which value COPY refused; null where that is not why the statement failed. */
  async loadError(statement: Statement): Promise<LoadError | null> {
    if (!/sys_load_error_detail|stl_load_errors/i.test(statement.error)) return null;
    const sql =
      'SELECT TRIM(error_message), TRIM(file_name), line_number, TRIM(column_name), TRIM(column_type), TRIM(column_length) ' +
      `FROM sys_load_error_detail WHERE query_id = ${statement.queryId} ORDER BY start_time DESC LIMIT 1`;
    for await (const row of this.query(sql)) {
      const [message = '', file = '', line = '', column = '', type = '', length = ''] = row.map((value) => value ?? '');
      return { message, file, line, column, type, length };
    }
    return null;
  }
}

/** A destination of the deployment, and the way to it. */
export interface Opened {
  destination: Destination;
  warehouse: Warehouse;
}

/**
 * Opens destinations by their names.
 * @param destinations the deployment's, as its functions' environment has them
 * @throws LoaderError BadConfiguration listing those there are
 */
export const openIn =
  (destinations: string) =>
  (name: string): Opened => {
    const destination = destinationOf(destinations, name);
    return { destination, warehouse: new Warehouse(destination) };
  };
