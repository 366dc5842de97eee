import * as z from 'zod';
import { ServiceError } from '../service.ts';

/** A statement's text: 200 KB (MG "Quotas for the Data API"). */
const MOST_SQL_BYTES = 200 * 1024;

const sql = z
  .string()
  .min(1, 'must not be empty')
  .refine((text) => Buffer.byteLength(text) <= MOST_SQL_BYTES, `must not be longer than ${MOST_SQL_BYTES} bytes`);
const wait = z.number().int().min(0).max(30).optional();
const parameters = z
  .array(z.object({ name: z.string().regex(/^[0-9a-zA-Z_]+$/), value: z.string().min(1, 'must not be empty') }))
  .min(1)
  .optional();

const destination = {
  WorkgroupName: z.string().min(3).max(128).optional(),
  ClusterIdentifier: z.string().min(1).max(63).optional(),
  Database: z.string().min(1).max(127).optional(),
  SecretArn: z.string().startsWith('arn:').optional(),
  DbUser: z.string().min(1).optional(),
};
const submission = {
  ...destination,
  StatementName: z.string().max(500).optional(),
  WithEvent: z.boolean().optional(),
  ClientToken: z.string().min(1).max(64).optional(),
  Parameters: parameters,
  WaitTimeSeconds: wait,
  ResultFormat: z.enum(['JSON', 'CSV']).optional(),
  SessionId: z.string().optional(),
  SessionKeepAliveSeconds: z.number().int().min(0).max(86_400).optional(),
};
const id = z.string().regex(/^[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d+)?$/);

export const REQUESTS = {
  ExecuteStatement: z.strictObject({ ...submission, Sql: sql }),
  BatchExecuteStatement: z.strictObject({
    ...submission,
    Sqls: z.array(sql).min(1).max(40),
    ExecutionMode: z.enum(['TRANSACTION', 'AUTO_COMMIT']).optional(),
  }),
  DescribeStatement: z.strictObject({ Id: id, WaitTimeSeconds: wait }),
  GetStatementResult: z.strictObject({ Id: id, NextToken: z.string().optional(), WaitTimeSeconds: wait }),
  CancelStatement: z.strictObject({ Id: id }),
  ListStatements: z.strictObject({
    StatementName: z.string().max(500).optional(),
    Status: z.enum(['ABORTED', 'ALL', 'FAILED', 'FINISHED', 'PICKED', 'STARTED', 'SUBMITTED']).optional(),
    RoleLevel: z.boolean().optional(),
    MaxResults: z.number().int().min(0).max(100).optional(),
    NextToken: z.string().optional(),
    Database: z.string().optional(),
    WorkgroupName: z.string().optional(),
    ClusterIdentifier: z.string().optional(),
  }),
};

export type Submission = z.infer<typeof REQUESTS.ExecuteStatement> | z.infer<typeof REQUESTS.BatchExecuteStatement>;

/** @throws ServiceError ValidationException that names the member */
export function parseRequest<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const member = issue?.path.join('.') ?? '';
  throw new ServiceError('ValidationException', `Invalid request: ${member ? `'${member}' ` : ''}${issue?.message}`);
}
