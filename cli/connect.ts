import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import type { OperationName } from '../functions/admin/operations.ts';
import { NAMES } from '../infra/names.ts';
import { ADDRESS_FILE, readAddress } from '../local/admin-address.ts';
import { Answer } from '../shared/model/answer.ts';

/** Asks the admin function for one operation. @throws Error where it can't be reached or fails itself */
export type Ask = (operation: OperationName, input: Record<string, unknown>) => Promise<Answer>;

export interface Where {
  /** A state folder of `npm start -- --serve`. */
  state?: string;
  /** The one state folder in .local that is being served. */
  local?: boolean;
}

/** Deleting a job with a month of runs takes the function minutes. */
const PATIENCE_MS = 6 * 60_000;

const Thrown = z.object({ errorType: z.string(), errorMessage: z.string() });

/** The deployed admin function by the AWS configuration of the environment, or a local cloud's. */
export function connect({ state, local }: Where): Ask {
  const dir = state ?? (local ? served() : undefined);
  const client = new LambdaClient({
    ...(dir === undefined ? {} : addressIn(dir)),
    requestHandler: { requestTimeout: PATIENCE_MS },
    // An operation that was done must not be done again because its answer got lost.
    maxAttempts: 1,
  });
  return async (operation, input) => {
    const Payload = JSON.stringify({ operation, ...input });
    const { FunctionError, Payload: answer } = await client
      .send(new InvokeCommand({ FunctionName: NAMES.admin, Payload }))
      .catch((error: Error) => Promise.reject(unreachable(error, dir)));
    const parsed: unknown = JSON.parse(Buffer.from(answer ?? []).toString('utf8'));
    if (!FunctionError) return Answer.parse(parsed);
    const { errorType, errorMessage } = Thrown.parse(parsed);
    throw new Error(`${errorType}: ${errorMessage} – the admin function's log has more`);
  };
}

function addressIn(dir: string) {
  try {
    return readAddress(dir);
  } catch {
    throw new Error(`NotServed: nothing serves ${dir}: start it with npm start -- --serve --state ${dir}`);
  }
}

function served(): string {
  const all = existsSync('.local') ? readdirSync('.local').map((name) => join('.local', name)) : [];
  const running = all.filter((dir) => existsSync(join(dir, ADDRESS_FILE)));
  const [only, ...others] = running;
  if (only === undefined)
    throw new Error('NotServed: nothing in .local is served: run npm start -- --serve, and leave it running');
  if (others.length === 0) return only;
  throw new Error(`SeveralServed: ${running.join(', ')}: name one with --state`);
}

function unreachable(error: Error, dir: string | undefined): Error {
  if (dir !== undefined) {
    const { code } = error as { code?: string };
    return code === 'ECONNREFUSED' ? new Error(`NotServed: nothing serves ${dir} any more`) : error;
  }
  if (error.name === 'ResourceNotFoundException')
    return new Error(`NotDeployed: there is no function ${NAMES.admin} in this account and region: npx cdk deploy`);
  if (/region is missing/i.test(error.message))
    return new Error('NoRegion: set AWS_REGION (and AWS_PROFILE), or use --local for npm start -- --serve');
  return error;
}
