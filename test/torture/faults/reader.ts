import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const EVERY_MS = 10;

/** Rows of a table in the warehouse: when reading began, and the fewest and the most since. */
export interface Shown {
  first: number;
  least: number;
  most: number;
}

/** Polls how many rows tables have in the warehouse, as readers meet them at any moment. */
export class Reader {
  readonly #client: pg.Client;
  readonly #sql: string;
  readonly #tables: string[];
  readonly #shown = new Map<string, Shown>();
  #reading = true;
  #polling: Promise<void> = Promise.resolve();

  private constructor(client: pg.Client, schema: string, tables: string[]) {
    this.#client = client;
    this.#tables = tables;
    this.#sql = `SELECT ${tables.map((table, i) => `(SELECT count(*) FROM "${schema}"."${table}") AS c${i}`).join(', ')}`;
  }

  /** Begins with those of the tables that are there. */
  static async begin(url: string, schema: string, tables: string[]): Promise<Reader> {
    const client = new pg.Client(url);
    // Where the server ends first the next look fails.
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query(
      'SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename = ANY ($2) ORDER BY 1',
      [schema, tables],
    );
    const there = rows.map(({ tablename }) => String(tablename));
    const reader = new Reader(client, schema, there);
    await reader.#look();
    reader.#polling = reader.#poll();
    // Told by `end`.
    reader.#polling.catch(() => undefined);
    return reader;
  }

  async #poll(): Promise<void> {
    while (this.#reading) {
      await sleep(EVERY_MS);
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { rows } = await this.#client.query({ text: this.#sql, rowMode: 'array' });
    const counts = rows[0] as string[];
    for (const [i, table] of this.#tables.entries()) {
      const count = Number(counts[i]);
      const { first, least, most } = this.#shown.get(table) ?? { first: count, least: count, most: count };
      this.#shown.set(table, { first, least: Math.min(least, count), most: Math.max(most, count) });
    }
  }

  async end(): Promise<Map<string, Shown>> {
    this.#reading = false;
    try {
      await this.#polling;
      return this.#shown;
    } finally {
      await this.#client.end();
    }
  }
}
