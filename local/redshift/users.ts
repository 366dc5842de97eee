import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Caller } from '../service.ts';
import { quoteName } from './names.ts';

/**
 * The database user behind a caller: `IAMR:<role>` for a role, `IAM:<user>` for a user (MG "Using IAM authentication"),
 * and for a SecretArn the secret's name, as the stand-in can't look into the secret.
 */
export function databaseUser(caller: Caller, secretArn: string | undefined): string {
  if (secretArn) return fit(`secret:${secretArn.split(':').at(-1)}`);
  const last = (arn: string) => arn.split('/').at(-1) ?? arn;
  if (caller.roleArn) return fit(`IAMR:${last(caller.roleArn)}`);
  return fit(`IAM:${last(caller.arn)}`);
}

/** Role names may have 64 characters, Postgres' names 63 bytes. */
function fit(user: string): string {
  if (Buffer.byteLength(user) <= 63) return user;
  return `${user.slice(0, 50)}-${createHash('sha256').update(user).digest('hex').slice(0, 12)}`;
}

export class Users {
  private readonly known = new Map<string, Promise<void>>();
  private readonly pool: pg.Pool;
  private readonly grants: (user: string) => string[];

  constructor(pool: pg.Pool, grants: (user: string) => string[] = () => []) {
    this.pool = pool;
    this.grants = grants;
  }

  /** Creates the user at its first use, with what the administrator grants to a new one. */
  ensure(user: string): Promise<void> {
    let ready = this.known.get(user);
    if (!ready) {
      ready = this.create(user).catch((error) => {
        this.known.delete(user);
        throw error;
      });
      this.known.set(user, ready);
    }
    return ready;
  }

  private async create(user: string): Promise<void> {
    const found = await this.pool.query('SELECT FROM pg_roles WHERE rolname = $1', [user]);
    if (found.rowCount === 0) await this.pool.query(`CREATE ROLE ${quoteName(user)} NOLOGIN`);
    for (const grant of this.grants(user)) await this.pool.query(grant);
  }
}
