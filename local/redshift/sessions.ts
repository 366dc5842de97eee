import pg from 'pg';
import { quoteName } from './names.ts';
import { postgresString } from './strings.ts';

/** A Postgres connection lent to one statement or batch, which sees it as a fresh Redshift session. */
export interface Session {
  client: pg.Client;
  pid: number;
  user: string;
  /** Runs with the stand-in's own rights, then becomes the user again. */
  privileged(sql: string): Promise<void>;
}

const SETTINGS = [
  "SET TimeZone TO 'UTC'",
  "SET DateStyle TO 'ISO, MDY'",
  "SET IntervalStyle TO 'postgres'",
  'SET extra_float_digits TO 1',
  "SET bytea_output TO 'hex'",
  'SET client_min_messages TO warning',
];

/** A few connections: what waits for one stays PICKED, as in Redshift's queue. */
export class Sessions {
  private readonly url: string;
  private readonly most: number;
  private readonly idle: pg.Client[] = [];
  private readonly waiting: ((client: pg.Client) => void)[] = [];
  private open = 0;

  constructor(url: string, most: number) {
    this.url = url;
    this.most = most;
  }

  /** Lends a session of this user to `work`, and cleans it afterwards: temporary tables and settings don't stay. */
  async with<T>(user: string, work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.take();
    try {
      const become = `SET ROLE ${quoteName(user)}`;
      const path = `SET search_path TO ${quoteName(user)}, public, redshift`;
      const found = await client.query(
        [...SETTINGS, path, become].join('; ').concat('; SELECT pg_backend_pid() AS pid'),
      );
      const results = found as unknown as pg.QueryResult<{ pid: number }>[];
      const pid = results.at(-1)?.rows[0]?.pid ?? 0;
      const privileged = async (sql: string) => {
        await client.query(`RESET ROLE; ${sql}; ${become}`);
      };
      return await work({ client, pid, user, privileged });
    } finally {
      await this.giveBack(client);
    }
  }

  private async take(): Promise<pg.Client> {
    const free = this.idle.pop();
    if (free) return free;
    if (this.open >= this.most) return new Promise((resolve) => this.waiting.push(resolve));
    this.open++;
    return this.connect().catch((error) => {
      this.open--;
      throw error;
    });
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'redshift' });
    client.on('error', () => this.forget(client));
    await client.connect();
    return client;
  }

  private async giveBack(client: pg.Client): Promise<void> {
    try {
      await client.query('ROLLBACK');
      await client.query('DISCARD ALL');
      const next = this.waiting.shift();
      if (next) next(client);
      else this.idle.push(client);
    } catch {
      this.open--;
      await client.end().catch(() => undefined);
      const next = this.waiting.shift();
      if (next) next(await this.take());
    }
  }

  private forget(client: pg.Client): void {
    const at = this.idle.indexOf(client);
    if (at < 0) return;
    this.idle.splice(at, 1);
    this.open--;
  }

  async end(): Promise<void> {
    await Promise.all(this.idle.splice(0).map((client) => client.end()));
  }
}

/** Session settings by which the functions pg_last_copy_id() and the like answer. */
export function remember(session: Session, values: Record<string, number>): Promise<unknown> {
  const calls = Object.entries(values).map(
    ([name, value]) => `set_config(${postgresString(`redshift.${name}`)}, ${postgresString(String(value))}, false)`,
  );
  return session.client.query(`SELECT ${calls.join(', ')}`);
}
