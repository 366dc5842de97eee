import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  BatchExecuteStatementCommand,
  DescribeStatementCommand,
  type DescribeStatementCommandOutput,
  ExecuteStatementCommand,
  type Field,
  GetStatementResultCommand,
  RedshiftDataClient,
} from '@aws-sdk/client-redshift-data';
import pg from 'pg';
import { startPostgres } from '../../local/postgres.ts';
import { createRedshiftData, type RedshiftOptions, type StatementChange } from '../../local/redshift/service.ts';
import { ServiceError } from '../../local/service.ts';

export const COPY_ROLE = 'arn:aws:iam::000000000000:role/CopyRole';
export const WORKGROUP = 'arn:aws:redshift-serverless:us-east-1:000000000000:workgroup/test';
export const PLACE = { WorkgroupName: 'test', Database: 'warehouse' };

/** A warehouse behind a real HTTP endpoint, with objects held in memory. */
export interface Warehouse extends AsyncDisposable {
  client: RedshiftDataClient;
  /** The client of another IAM role */
  as(role: string): RedshiftDataClient;
  /** The superuser's own connection */
  pool: pg.Pool;
  put(key: string, content: string | Buffer, compression?: 'zstd' | 'gzip'): void;
  /** Keys that the COPY role may not read */
  forbidden: Set<string>;
  changes: StatementChange[];
  /** Runs one statement to its end */
  run(sql: string): Promise<DescribeStatementCommandOutput>;
  batch(sqls: string[]): Promise<DescribeStatementCommandOutput>;
  /** Runs statements that have to succeed */
  ok(...sqls: string[]): Promise<void>;
  /** The plain values of a query's rows */
  rows(sql: string): Promise<unknown[][]>;
}

export const plain = (field: Field): unknown => (field.isNull ? null : Object.values(field)[0]);

export async function openWarehouse(options: Partial<RedshiftOptions> = {}): Promise<Warehouse> {
  const dir = await mkdtemp(join(tmpdir(), 'redshift-'));
  const postgres = await startPostgres({ dir, name: 'warehouse' });
  const url = await postgres.createDatabase('warehouse');
  const objects = new Map<string, Buffer>();
  const forbidden = new Set<string>();
  const changes: StatementChange[] = [];
  const redshift = createRedshiftData({
    url,
    destinations: [{ workgroupName: 'test', database: 'warehouse', arn: WORKGROUP }],
    attachedRoles: [COPY_ROLE],
    throttle: false,
    grants: (user) => [
      `GRANT CREATE ON DATABASE warehouse TO "${user}"`,
      `GRANT CREATE, USAGE ON SCHEMA public TO "${user}"`,
    ],
    statementChanged: (change) => changes.push(change),
    objects: {
      async read(_bucket, key) {
        if (forbidden.has(key)) throw new ServiceError('AccessDenied', 'Access Denied', 403);
        const found = objects.get(key);
        if (!found) throw new ServiceError('NoSuchKey', 'The specified key does not exist.', 404);
        return Readable.from(chunks(found));
      },
      list: async (_bucket, prefix) => [...objects.keys()].filter((key) => key.startsWith(prefix)),
    },
    ...options,
  });
  await redshift.start();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const action = String(request.headers['x-amz-target']).split('.')[1] ?? '';
      const role = /Credential=([^/]+)/.exec(String(request.headers.authorization))?.[1] ?? '';
      const roleArn = `arn:aws:iam::000000000000:role/${role}`;
      const caller = { arn: `arn:aws:sts::000000000000:assumed-role/${role}/test`, roleArn, accessKeyId: role };
      response.setHeader('content-type', 'application/x-amz-json-1.1');
      try {
        const input = JSON.parse(Buffer.concat(chunks).toString());
        response.end(JSON.stringify(await redshift.handle({ action, input, caller })));
      } catch (error) {
        const { code, status, message } =
          error instanceof ServiceError
            ? error
            : { code: 'InternalServerException', status: 500, message: String(error) };
        response.statusCode = status;
        response.end(JSON.stringify({ __type: code, message }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clients = new Map<string, RedshiftDataClient>();
  const as = (role: string) => {
    const credentials = { accessKeyId: role, secretAccessKey: 'x' };
    const client =
      clients.get(role) ?? new RedshiftDataClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
    clients.set(role, client);
    return client;
  };
  const client = as('Loader');
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => undefined);
  const ended = (Id: string | undefined) => client.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }));
  const run = async (Sql: string) => ended((await client.send(new ExecuteStatementCommand({ ...PLACE, Sql }))).Id);
  const batch = async (Sqls: string[]) =>
    ended((await client.send(new BatchExecuteStatementCommand({ ...PLACE, Sqls }))).Id);
  return {
    client,
    as,
    pool,
    forbidden,
    changes,
    put(key, content, compression) {
      const bytes = Buffer.from(content);
      objects.set(
        key,
        compression === 'zstd' ? zstdCompressSync(bytes) : compression === 'gzip' ? gzipSync(bytes) : bytes,
      );
    },
    run,
    batch,
    async ok(...sqls) {
      for (const sql of sqls) {
        const { Status, Error: text } = await run(sql);
        if (Status !== 'FINISHED') throw new Error(`${text} in: ${sql}`);
      }
    },
    async rows(sql) {
      const { Id, Status, Error: text } = await run(sql);
      if (Status !== 'FINISHED') throw new Error(`${text} in: ${sql}`);
      const { Records } = await client.send(new GetStatementResultCommand({ Id }));
      return (Records ?? []).map((record) => record.map(plain));
    },
    async [Symbol.asyncDispose]() {
      for (const each of clients.values()) each.destroy();
      server.closeAllConnections();
      server.close();
      await redshift.stop();
      await pool.end();
      await postgres.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Small pieces, so that a value lies across two of them. */
function* chunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 7_000) yield bytes.subarray(at, at + 7_000);
}
