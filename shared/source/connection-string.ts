import { createHash } from 'node:crypto';
import type pg from 'pg';
import { parse } from 'pg-connection-string';
import * as z from 'zod';
import { errors } from '../model/errors.ts';
import { SALT_SETTING } from '../sql/masks.ts';

/** `host:port/database`, for messages: never the user's password. */
export interface Address {
  where: string;
  config: pg.ClientConfig;
}

/**
 * Reads a connection string, the JSON that AWS keeps for a database's secret, or {connectionString, salt}; the salt for
 * masked columns may stand in either JSON.
 * @throws LoaderError BadConfiguration that does not repeat what it was given: it holds a password
 */
export function parseSecret(secret: string): Address {
  const config = secret.trimStart().startsWith('{') ? fromJson(secret) : fromUrl(secret.trim());
  const { host, port = 5432, database } = config;
  if (!host || !database)
    throw errors.badConfiguration(
      'the connection string lacks a host or a database: write postgres://user:password@host:5432/database',
    );
  return { where: `${host}:${port}/${database}`, config };
}

const malformed = () =>
  errors.badConfiguration(
    'the connection string is malformed: write postgres://user:password@host:5432/database, special characters as %XX',
  );

/** sslmode means what it means to psql, unless the string asks for the driver's own meaning. */
function parsed(url: string): ReturnType<typeof parse> {
  // Names of certificates' files are the only thing that a well-formed string can get wrong here.
  try {
    return parse(url, { useLibpqCompat: !/[?&](uselibpqcompat=|sslmode=no-verify\b)/.test(url) });
  } catch {
    throw errors.badConfiguration(
      "the connection string's TLS options can't be used: sslrootcert, sslcert and sslkey have to name files, and verify-ca needs an sslrootcert",
    );
  }
}

function fromUrl(url: string): pg.ClientConfig {
  if (!/^postgres(ql)?:/.test(url))
    throw errors.badConfiguration(
      'the connection string is no Postgres URL: write postgres://user:password@host:5432/database',
    );
  // A blank is no part of a URL, though parsers let it pass, and where messages are cleared of passwords it would end one.
  if (!/^postgres(ql)?:\/\/\S*$/.test(url) || !URL.canParse(url)) throw malformed();
  const { host, port, database, user, password, ssl } = parsed(url);
  // A slash in a password ends the host's part of a URL, and what follows would be shown as the database.
  if (database?.includes('@')) throw malformed();
  return {
    host: host ?? undefined,
    port: port ? Number(port) : 5432,
    database: database ?? undefined,
    user,
    password,
    // pg-connection-string gives the TLS options in pg's own form.
    ssl: ssl as pg.ClientConfig['ssl'],
  };
}

/** The salt as a setting of the session: the startup packet, unlike any statement, is in no log. */
const saltOption = (salt: string): string => `-c ${SALT_SETTING}=${createHash('sha256').update(salt).digest('hex')}`;

const Salt = z.string().min(16).optional();
const UrlSecret = z.object({ connectionString: z.string(), salt: Salt });
const RdsSecret = z.object({
  salt: Salt,
  host: z.string(),
  port: z.coerce.number().int().positive().default(5432),
  dbname: z.string().optional(),
  database: z.string().optional(),
  username: z.string(),
  password: z.string(),
});

function fromJson(text: string): pg.ClientConfig {
  const { salt, ...secret } = readJson(text);
  const salted = salt === undefined ? {} : { options: saltOption(salt) };
  if ('connectionString' in secret) return { ...fromUrl(secret.connectionString.trim()), ...salted };
  const { host, port, dbname, database, username, password } = secret;
  // Secrets of this form belong to RDS, which speaks TLS; its own certificates are not in Node's store.
  const ssl = { rejectUnauthorized: false };
  return { host, port, database: dbname ?? database, user: username, password, ssl, ...salted };
}

function readJson(text: string) {
  try {
    return z.union([UrlSecret, RdsSecret]).parse(JSON.parse(text));
  } catch {
    throw errors.badConfiguration(
      'the secret is neither a connection string nor JSON with connectionString, or with host, username, password, dbname; ' +
        'a salt beside them has at least 16 characters',
    );
  }
}
