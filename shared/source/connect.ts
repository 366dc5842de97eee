import pg from 'pg';
import { errors, LoaderError } from '../model/errors.ts';
import { PIN_SESSION } from '../sql/postgres.ts';
import { parseSecret } from './connection-string.ts';

/** How our own sessions show in pg_stat_activity: the fence leaves them out, since they never write. */
export const APPLICATION_NAME = 'redshift-loader';

const CONNECT_TIMEOUT_MS = 10_000;

/** SQLSTATE classes and Node's codes by what a person can do about them. */
const ADVICE: [RegExp, (where: string) => string][] = [
  [/^(28P01|28000)$/, () => 'the user or password is refused: correct the connection string, and check pg_hba.conf'],
  [/^3D000$/, () => 'the database does not exist: correct the connection string'],
  [/^53300$/, () => "it has no connection left: raise max_connections or lower the job's maxSourceConnections"],
  [
    /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|TIMEOUT)$/,
    () => 'nobody answers there: check host, port and security group',
  ],
  [/^(ENOTFOUND|EAI_AGAIN)$/, () => 'the host name is unknown: correct the connection string'],
  [/^NO_TLS$/, () => 'the server speaks no TLS, which sslmode asks for: set ssl = on there, or sslmode=disable here'],
  [
    /^NEEDS_TLS$/,
    () => 'the server wants TLS, or knows no such user and database: add ?sslmode=require to the connection string',
  ],
  [/^TLS$/, () => "TLS failed: check sslmode and the server's certificate"],
];

/** Refused for good: trying again changes nothing. */
const PERMANENT = /^(28P01|28000|3D000|NO_TLS|NEEDS_TLS|TLS)$/;

/** Five characters; Node's own codes have more, but for EPIPE. */
export const SQLSTATE = /^(?!EPIPE$)[0-9A-Z]{5}$/;

function codeOf(error: unknown): string {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (code === '28000' && /no encryption/.test(message)) return 'NEEDS_TLS';
  // What the server itself answers may have any name in it.
  if (SQLSTATE.test(code)) return code;
  if (/timeout|timed out/i.test(message) && !code) return 'TIMEOUT';
  if (/does not support SSL/.test(message)) return 'NO_TLS';
  return /SSL|TLS|CERT|certificate|self.signed/.test(`${message} ${code}`) ? 'TLS' : code;
}

/**
 * Opens one session that only reads and prints values in the pinned form.
 * @throws LoaderError SourceUnavailable (may pass) or SourceRefused (will not)
 */
export async function connectSource(secret: string): Promise<pg.Client> {
  const { where, config } = parseSecret(secret);
  const client = new pg.Client({
    ...config,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  // A connection that breaks while idle reports here; the next query fails with the same cause.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const answers = await client.query(`${PIN_SESSION}; SHOW server_version_num`);
    // Several statements in one text have several results, which the driver's type doesn't know.
    const { rows } = (answers as unknown as pg.QueryResult<{ server_version_num: string }>[]).at(-1) ?? { rows: [] };
    checkVersion(Number(rows[0]?.server_version_num), where);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error instanceof LoaderError ? error : sourceError(error, where);
  }
}

/** pg_current_snapshot and ids with their epoch came with this version. */
const OLDEST_VERSION = 130_000;

/** @param version server_version_num. @throws LoaderError SourceRefused where that is too old to tell what a snapshot saw */
export function checkVersion(version: number, where: string): void {
  if (version >= OLDEST_VERSION) return;
  throw errors.sourceRefused(
    `${where} is PostgreSQL ${Math.floor(version / 10_000)}, which can't tell what a snapshot saw: upgrade it to 13 or newer`,
  );
}

/** A driver's error as ours, with what to do. */
export function sourceError(error: unknown, where: string): Error {
  const code = codeOf(error);
  const advice =
    ADVICE.find(([pattern]) => pattern.test(code))?.[1](where) ??
    `${(error as Error).message}: check the connection string, and the server's log`;
  const text = `cannot reach ${where} – ${advice}`;
  return PERMANENT.test(code) ? errors.sourceRefused(text, error) : errors.sourceUnavailable(text, error);
}

/** Whether the session is over: ended by the server (class 08, 57P0x), or by the network. */
export function isConnectionLost(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (SQLSTATE.test(code)) return /^(08...|57P0[1-5])$/.test(code);
  return /^(ECONNRESET|EPIPE|ETIMEDOUT)$/.test(code) || /connection (terminated|error)|not queryable/i.test(message);
}

/** Whether the source ended a statement, by its own timeout for one. */
export const isCancelled = (error: unknown): boolean => (error as { code?: string }).code === '57014';

/** A broken connection as SourceUnavailable, which is tried again; every other error as it is. */
export const brokenConnection = (error: unknown, client: pg.Client): unknown =>
  isConnectionLost(error) ? sourceError(error, `${client.host}:${client.port}/${client.database}`) : error;
