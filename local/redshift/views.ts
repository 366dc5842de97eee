import { hasEnded, type Statement, type SubStatement } from './statement.ts';

/** AWS JSON writes times as seconds. */
const seconds = (time: Date): number => time.getTime() / 1000;

const place = ({ destination }: Statement) => ({
  Database: destination.database,
  ...(destination.workgroupName === undefined ? {} : { WorkgroupName: destination.workgroupName }),
  ...(destination.clusterIdentifier === undefined ? {} : { ClusterIdentifier: destination.clusterIdentifier }),
});

/** The answer to ExecuteStatement and BatchExecuteStatement. */
export function submitted(statement: Statement): object {
  return {
    Id: statement.id,
    CreatedAt: seconds(statement.createdAt),
    DbUser: statement.user,
    ...place(statement),
    ...(statement.secretArn === undefined ? {} : { SecretArn: statement.secretArn }),
    Status: statement.status,
    ...(hasEnded(statement) ? { HasResultSet: statement.subs.some((sub) => sub.result) } : {}),
    ...(statement.pid ? { RedshiftPid: statement.pid } : {}),
  };
}

/** The answer to DescribeStatement for a statement or batch. */
export function described(statement: Statement): object {
  const [only] = statement.subs;
  const single = statement.batch ? undefined : only;
  return {
    Id: statement.id,
    Status: statement.status,
    ...(statement.error === undefined ? {} : { Error: statement.error }),
    CreatedAt: seconds(statement.createdAt),
    UpdatedAt: seconds(statement.updatedAt),
    Duration: statement.duration,
    DbUser: statement.user,
    ...place(statement),
    ...(statement.secretArn === undefined ? {} : { SecretArn: statement.secretArn }),
    RedshiftPid: statement.pid,
    RedshiftQueryId: single?.queryId ?? 0,
    HasResultSet: statement.subs.some((sub) => sub.result),
    ResultFormat: 'JSON',
    ResultRows: single?.resultRows ?? -1,
    ResultSize: single?.resultSize ?? -1,
    ...(single ? { QueryString: single.sql } : { SubStatements: statement.subs.map(describedSub) }),
    ...(statement.batch ? { ExecutionMode: statement.autoCommit ? 'AUTO_COMMIT' : 'TRANSACTION' } : {}),
    ...(statement.parameters.length ? { QueryParameters: statement.parameters } : {}),
  };
}

export function describedSub(sub: SubStatement): object {
  return {
    Id: sub.id,
    Status: sub.status,
    ...(sub.error === undefined ? {} : { Error: sub.error }),
    CreatedAt: seconds(sub.createdAt),
    UpdatedAt: seconds(sub.updatedAt),
    Duration: sub.duration,
    QueryString: sub.sql,
    RedshiftQueryId: sub.queryId,
    HasResultSet: sub.result !== undefined,
    ResultRows: sub.resultRows,
    ResultSize: sub.resultSize,
  };
}

/** A line of ListStatements. */
export function listed(statement: Statement): object {
  return {
    Id: statement.id,
    Status: statement.status,
    ...(statement.name === undefined ? {} : { StatementName: statement.name }),
    IsBatchStatement: statement.batch,
    ...(statement.batch
      ? { QueryStrings: statement.subs.map((sub) => sub.sql) }
      : { QueryString: statement.subs[0]?.sql }),
    CreatedAt: seconds(statement.createdAt),
    UpdatedAt: seconds(statement.updatedAt),
    ...(statement.secretArn === undefined ? {} : { SecretArn: statement.secretArn }),
    ...(statement.parameters.length ? { QueryParameters: statement.parameters } : {}),
    ResultFormat: 'JSON',
  };
}
