import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import dynalite from 'dynalite';
import * as z from 'zod';
import type { ConditionKeys } from '../iam-policy.ts';
import { ACCOUNT, REGION } from '../identity.ts';
import { type JsonService, type Permission, type ServiceCall, ServiceError } from '../service.ts';
import type { Resource } from '../template.ts';
import { type Item, keysWritten, keyText, type StreamRecord, streamRecord } from './dynamodb-stream.ts';

export interface DynamoDb extends JsonService {
  conditions(call: ServiceCall): ConditionKeys;
  /** The data are on disk afterwards. */
  stop(): Promise<void>;
}

export interface DynamoDbOptions {
  /** Kept between starts. */
  dir: string;
  /** The template's tables. */
  tables: Resource[];
  /** Called after each change of an item in a table that has a stream, in the order of the changes. */
  onWrite?(tableName: string, record: StreamRecord): void;
}

const index = z.object({ IndexName: z.string(), KeySchema: z.array(z.unknown()), Projection: z.unknown() });
const Table = z.object({
  AttributeDefinitions: z.array(z.unknown()),
  KeySchema: z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) })),
  GlobalSecondaryIndexes: z.array(index).optional(),
  LocalSecondaryIndexes: z.array(index).optional(),
  StreamSpecification: z.object({ StreamViewType: z.string() }).optional(),
});
const Tables = z.record(z.string(), z.unknown());

interface KnownTable {
  resource: Resource;
  hashKey: string;
  keys: string[];
  stream: string | undefined;
  /** Writes of a table with a stream go one after the other, so that old and new image belong together. */
  queue: Promise<unknown>;
}

/** DynamoDB by dynalite, its tables made from the template, with stream records for tables that have a stream. */
export async function startDynamoDb(options: DynamoDbOptions): Promise<DynamoDb> {
  const server = dynalite({ path: options.dir, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  await new Promise<void>((done, failed) => server.on('error', failed).listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const agent = new Agent({ keepAlive: true });
  const forward = (action: string, input: unknown) => post(port, agent, action, input);

  const known = new Map<string, KnownTable>();
  for (const resource of options.tables) known.set(resource.name, await createTable(forward, resource));
  const tableOf = (name: unknown) => known.get(plainName(name));

  const captured = async (table: KnownTable, call: ServiceCall, keys: Item[]) => {
    const read = (key: Item) =>
      forward('GetItem', { TableName: table.resource.name, Key: key, ConsistentRead: true }) as Promise<{
        Item?: Item;
      }>;
    const before = await Promise.all(keys.map(read));
    const output = await forward(call.action, call.input);
    const after = await Promise.all(keys.map(read));
    for (const [i, key] of keys.entries()) {
      const record = streamRecord(table.resource, table.stream ?? '', key, before[i]?.Item, after[i]?.Item);
      if (record !== undefined) options.onWrite?.(table.resource.name, record);
    }
    return output;
  };

  return {
    target: 'DynamoDB_20120810',
    permissions: ({ action, input }) => permissionsFor(action, input),
    conditions: ({ action, input }) => {
      const values = [input, ...Object.values(asRecord(input.RequestItems))].flatMap((part) => {
        const table = tableOf(asRecord(part).TableName) ?? tableOf(Object.keys(asRecord(input.RequestItems))[0]);
        return table === undefined
          ? []
          : keysWritten(action, asRecord(part), table.keys).map((key) => keyText(key[table.hashKey]));
      });
      return { 'dynamodb:LeadingKeys': values };
    },
    async handle(call) {
      const names = call.input.RequestItems ? Object.keys(asRecord(call.input.RequestItems)) : [call.input.TableName];
      const table = tableOf(names[0]);
      const keys = table?.stream === undefined ? [] : keysWritten(call.action, call.input, table.keys);
      if (table === undefined || keys.length === 0) return forward(call.action, call.input);
      const done = table.queue.then(() => captured(table, call, keys));
      table.queue = done.catch(() => undefined);
      return done;
    },
    async stop() {
      await Promise.all([...known.values()].map(({ queue }) => queue));
      agent.destroy();
      await new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      });
    },
  };
}

async function createTable(forward: Forward, resource: Resource): Promise<KnownTable> {
  const table = Table.parse(resource.properties);
  const { AttributeDefinitions, KeySchema, LocalSecondaryIndexes } = table;
  const GlobalSecondaryIndexes = table.GlobalSecondaryIndexes?.map(({ IndexName, KeySchema, Projection }) => ({
    IndexName,
    KeySchema,
    Projection,
  }));
  const definition = { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, LocalSecondaryIndexes };
  await forward('CreateTable', { TableName: resource.name, BillingMode: 'PAY_PER_REQUEST', ...definition }).catch(
    (error) => {
      if (!(error instanceof ServiceError) || error.code !== 'ResourceInUseException') throw error;
    },
  );
  // Even with no time set for it, a table is CREATING for a moment.
  const isActive = async () => {
    const { Table: state } = (await forward('DescribeTable', { TableName: resource.name })) as {
      Table: { TableStatus: string };
    };
    return state.TableStatus === 'ACTIVE';
  };
  while (!(await isActive())) await sleep(5);
  return {
    resource,
    hashKey: KeySchema.find(({ KeyType }) => KeyType === 'HASH')?.AttributeName ?? '',
    keys: KeySchema.map(({ AttributeName }) => AttributeName),
    stream: table.StreamSpecification?.StreamViewType,
    queue: Promise.resolve(),
  };
}

function permissionsFor(action: string, input: Record<string, unknown>): Permission[] {
  const name = `dynamodb:${action}`;
  const arnOf = (table: string) =>
    table.startsWith('arn:') ? table : `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${table}`;
  if (typeof input.TableName === 'string') {
    const table = arnOf(input.TableName);
    return [
      { action: name, resource: typeof input.IndexName === 'string' ? `${table}/index/${input.IndexName}` : table },
    ];
  }
  const tables = Object.keys(Tables.safeParse(input.RequestItems).data ?? {});
  return tables.length > 0
    ? tables.map((table) => ({ action: name, resource: arnOf(table) }))
    : [{ action: name, resource: '*' }];
}

type Forward = (action: string, input: unknown) => Promise<unknown>;

function post(port: number, agent: Agent, action: string, input: unknown): Promise<unknown> {
  const body = Buffer.from(JSON.stringify(input));
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': body.length,
    'x-amz-target': `DynamoDB_20120810.${action}`,
    // dynalite wants a signature and doesn't check it; the endpoint has.
    'x-amz-date': '20260101T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
  };
  return new Promise((done, failed) => {
    const sent = httpRequest({ host: '127.0.0.1', port, agent, method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        const answer = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
        if (response.statusCode === 200) done(answer);
        else failed(refusal(answer, response.statusCode ?? 500));
      });
    });
    sent.on('error', failed);
    sent.end(body);
  });
}

function refusal(answer: { __type?: string; message?: string; Message?: string }, status: number): ServiceError {
  const code = answer.__type?.slice(answer.__type.lastIndexOf('#') + 1) ?? 'InternalServerError';
  return new ServiceError(code, answer.message ?? answer.Message ?? code, status);
}

const asRecord = (value: unknown) => Tables.safeParse(value).data ?? {};
const plainName = (name: unknown) => (typeof name === 'string' ? name.slice(name.lastIndexOf('/') + 1) : '');
