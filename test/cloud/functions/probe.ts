import { readFileSync } from 'node:fs';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { Context } from 'aws-lambda';

interface Wish {
  does: string;
  key?: string;
  table?: string;
  mb?: number;
  ms?: number;
}

let calls = 0;
let kept: Buffer[] = [];

/** Does what its event asks for, so that tests can bring about every way in which a function can behave. */
export const handler = async (wish: Wish, context: Context): Promise<unknown> => {
  calls++;
  switch (wish.does) {
    case 'nothing':
      return { calls, pid: process.pid };
    case 'environment':
      return {
        env: process.env,
        cwd: process.cwd(),
        ms: context.getRemainingTimeInMillis(),
        arn: context.invokedFunctionArn,
      };
    case 'sleep':
      console.log('sleeping');
      await new Promise((done) => setTimeout(done, wish.ms ?? 60_000));
      return { calls, pid: process.pid };
    case 'spin':
      for (;;);
    case 'throw':
      throw Object.assign(new Error('the reason'), { name: 'SourceUnavailable' });
    case 'exit':
      process.exit(7);
      break;
    case 'reject':
      Promise.reject(new Error('nobody listens'));
      await new Promise((done) => setTimeout(done, 1_000));
      break;
    case 'answer':
      return 'x'.repeat((wish.mb ?? 1) * 1024 * 1024);
    case 'allocate':
      kept.push(Buffer.alloc((wish.mb ?? 1) * 1024 * 1024, 1));
      return kept.length;
    case 'put-object':
      await new S3Client({}).send(new PutObjectCommand({ Bucket: process.env.BUCKET, Key: wish.key, Body: 'hello' }));
      return readFileSync('/proc/self/stat', 'utf8').length;
    case 'put-item':
      await new DynamoDBClient({}).send(
        new PutItemCommand({ TableName: process.env.TABLE, Item: { pk: { S: wish.key ?? '' } } }),
      );
      return;
    case 'get-item':
      return new DynamoDBClient({}).send(
        new GetItemCommand({ TableName: wish.table ?? process.env.TABLE, Key: { pk: { S: wish.key ?? '' } } }),
      );
    case 'start-execution':
      return new SFNClient({}).send(new StartExecutionCommand({ stateMachineArn: wish.key }));
    default:
      kept = [];
      throw new Error(`don't know how to do ${wish.does}`);
  }
  return undefined;
};
