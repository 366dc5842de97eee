import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb';
import { REGION } from '../../local/identity.ts';
import { Answer } from '../../shared/model/answer.ts';
import type { Bench } from './harness.ts';

/** Asks the admin function of an installation, as `aws lambda invoke` would. */
export async function ask(server: Bench, operation: string, input: object = {}): Promise<Answer> {
  const { cloud } = server.installation;
  const { arn = '' } = cloud.lambda.find('redshift-loader-admin') ?? {};
  const { payload, functionError } = await cloud.lambda.invoke({
    functionArn: arn,
    payload: JSON.stringify({ operation, ...input }),
  });
  if (functionError) throw new Error(payload);
  return Answer.parse(JSON.parse(payload));
}

/** What an operation that succeeds results in. @throws Error with the refusal */
export async function done<T = Record<string, unknown>>(
  server: Bench,
  operation: string,
  input: object = {},
): Promise<T> {
  const answer = await ask(server, operation, input);
  if (!answer.ok) throw new Error(`${operation}: ${JSON.stringify(answer.error)}`);
  return answer.result as T;
}

/** The fields that an operation was refused for, and its error's name. */
export async function refusal(
  server: Bench,
  operation: string,
  input: object = {},
): Promise<{ name: string; message: string; fields: string[] }> {
  const answer = await ask(server, operation, input);
  if (answer.ok) throw new Error(`${operation} was not refused: ${JSON.stringify(answer.result)}`);
  const { name, message, problems } = answer.error;
  return { name, message, fields: problems.map(({ field }) => field) };
}

/** Whatever the table holds. */
export async function allItems(server: Bench): Promise<Record<string, unknown>[]> {
  const { cloud } = server.installation;
  const client = new DynamoDBClient({ endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials });
  const items: Record<string, unknown>[] = [];
  const pages = paginateScan({ client: DynamoDBDocumentClient.from(client) }, { TableName: cloud.outputs.ConfigTable });
  for await (const { Items = [] } of pages) items.push(...Items);
  return items;
}
