import { type Caller, type ServiceCall, ServiceError } from '../service.ts';
import type { Engine } from './execute.ts';
import { parseRequest, REQUESTS, type Submission } from './requests.ts';
import { pageOf } from './results.ts';
import type { RedshiftDestination, RedshiftOptions } from './service.ts';
import { awaitEnd, type Destination } from './statement.ts';
import { type NewStatement, Statements } from './statements.ts';
import { databaseUser } from './users.ts';
import { described, describedSub, listed, submitted } from './views.ts';

/** "The maximum number of SQL statements to return in the response" is at most, and by default, 100. */
const MOST_LISTED = 100;

type Action = (call: ServiceCall) => Promise<unknown>;

/** A statement belongs to the role whose session submitted it. */
const ownerOf = (caller: Caller): string => caller.roleArn ?? caller.arn;

/** The Data API's operations, by name. */
export function createActions(
  engine: Engine,
  options: RedshiftOptions,
): { actions: Record<string, Action>; statements: Statements } {
  const statements = new Statements(engine, (statement) => {
    if (!statement.withEvent) return;
    options.statementChanged?.({
      statementId: statement.id,
      ...(statement.name === undefined ? {} : { statementName: statement.name }),
      state: statement.status,
      principal: statement.owner,
    });
  });
  const submit = async (input: Submission, sqls: string[], batch: Partial<NewStatement>, caller: Caller) => {
    const statement = statements.submit({
      name: input.StatementName,
      batch: false,
      autoCommit: false,
      user: databaseUser(caller, input.SecretArn),
      owner: ownerOf(caller),
      destination: destinationOf(input, options.destinations),
      secretArn: input.SecretArn,
      parameters: parametersOf(input, sqls),
      withEvent: input.WithEvent ?? false,
      clientToken: input.ClientToken,
      sqls,
      ...batch,
    });
    await awaitEnd(statement, input.WaitTimeSeconds);
    return submitted(statement);
  };
  const actions: Record<string, Action> = {
    async ExecuteStatement({ input, caller }) {
      const request = parseRequest(REQUESTS.ExecuteStatement, input);
      return submit(request, [request.Sql], {}, caller);
    },
    async BatchExecuteStatement({ input, caller }) {
      const request = parseRequest(REQUESTS.BatchExecuteStatement, input);
      const autoCommit = request.ExecutionMode === 'AUTO_COMMIT';
      return submit(request, request.Sqls, { batch: true, autoCommit }, caller);
    },
    async DescribeStatement({ input, caller }) {
      const request = parseRequest(REQUESTS.DescribeStatement, input);
      const { statement, sub } = statements.find(request.Id, ownerOf(caller));
      await awaitEnd(statement, request.WaitTimeSeconds);
      return sub ? describedSub(sub) : described(statement);
    },
    async GetStatementResult({ input, caller }) {
      const request = parseRequest(REQUESTS.GetStatementResult, input);
      const { statement, sub } = statements.find(request.Id, ownerOf(caller));
      await awaitEnd(statement, request.WaitTimeSeconds);
      const wanted = sub ?? (statement.batch ? undefined : statement.subs[0]);
      if (!wanted?.result || wanted.status !== 'FINISHED') {
        throw new ServiceError(
          'ResourceNotFoundException',
          'Query does not have result. Please check query status with DescribeStatement.',
        );
      }
      return pageOf(wanted.result, request.NextToken);
    },
    async CancelStatement({ input, caller }) {
      const { statement } = statements.find(parseRequest(REQUESTS.CancelStatement, input).Id, ownerOf(caller));
      await statements.cancel(statement);
      return { Status: true };
    },
    async ListStatements({ input, caller }) {
      const request = parseRequest(REQUESTS.ListStatements, input);
      // "By default, only finished statements are shown" (AWS CLI reference, list-statements).
      const status = request.Status ?? 'FINISHED';
      const found = statements
        .ofOwner(ownerOf(caller))
        .filter(
          (statement) =>
            (request.StatementName === undefined || statement.name?.startsWith(request.StatementName)) &&
            (status === 'ALL' || statement.status === status),
        );
      const start = request.NextToken === undefined ? 0 : Number(request.NextToken);
      const end = start + (request.MaxResults || MOST_LISTED);
      const more = end < found.length ? { NextToken: String(end) } : {};
      return { Statements: found.slice(start, end).map(listed), ...more };
    },
  };
  return { actions, statements };
}

function invalid(message: string): ServiceError {
  return new ServiceError('ValidationException', message);
}

/** The workgroup or cluster, which has to exist; the database as well. */
function destinationOf(input: Submission, destinations: RedshiftDestination[]): Destination {
  const { WorkgroupName: workgroup, ClusterIdentifier: cluster, Database: database } = input;
  if (input.SessionId !== undefined || input.SessionKeepAliveSeconds)
    throw invalid('Sessions are not done by the local stand-in.');
  if (input.ResultFormat === 'CSV') throw invalid('ResultFormat CSV is not done by the local stand-in.');
  if ((workgroup === undefined) === (cluster === undefined)) {
    throw invalid('Exactly one of ClusterIdentifier and WorkgroupName is required.');
  }
  if (database === undefined) throw invalid('Database is required.');
  if (workgroup !== undefined && input.DbUser !== undefined) throw invalid('DbUser is not allowed with WorkgroupName.');
  const found = destinations.filter((place) =>
    workgroup === undefined
      ? place.clusterIdentifier === cluster
      : place.workgroupName !== undefined && (place.workgroupName === workgroup || place.arn === workgroup),
  );
  if (found.length === 0) {
    throw invalid(
      workgroup === undefined
        ? `Redshift cluster ${cluster} not found.`
        : `Redshift endpoint doesn't exist in this region (workgroup ${workgroup}).`,
    );
  }
  if (!found.some((place) => place.database === database))
    throw invalid(`FATAL: database "${database}" does not exist`);
  return {
    ...(workgroup === undefined ? {} : { workgroupName: workgroup }),
    ...(cluster === undefined ? {} : { clusterIdentifier: cluster }),
    database,
  };
}

/** "Each provided parameter must be referenced by at least one SQL statement" – and the other way round. */
function parametersOf({ Parameters = [] }: Submission, sqls: string[]): { name: string; value: string }[] {
  for (const { name } of Parameters) {
    if (!sqls.some((sql) => new RegExp(`:${name}\\b`).test(sql))) {
      throw invalid(`Parameters list contains unused parameters. Unused parameters: [${name}]`);
    }
  }
  return Parameters;
}
