import type pg from 'pg';
import QueryStream from 'pg-query-stream';

/** Rows asked of the server at once. */
const BATCH = 1_000;

/**
 * A stream that fails, or is left before its end, closes its cursor and waits for the server to confirm it. Where the connection is
 * gone nobody does: pg-query-stream would wait for ever, and tell nobody of the error.
 */
class Rows extends QueryStream {
  readonly #gone: Promise<void>;

  constructor(client: pg.Client, sql: string) {
    const types = { getTypeParser: () => (text: string) => text };
    super(sql, [], { rowMode: 'array', batchSize: BATCH, types } as never);
    this.#gone = goneOf(client);
  }

  override _destroy(error: Error, done: (error: Error) => void): void {
    const closed = new Promise<void>((end) => super._destroy(error, () => end()));
    Promise.race([closed, this.#gone]).then(() => done(error));
  }
}

const gone = new WeakMap<pg.Client, Promise<void>>();

/** Resolves when the connection is gone: one listener, however many queries ask. */
function goneOf(client: pg.Client): Promise<void> {
  const known = gone.get(client) ?? new Promise<void>((end) => client.once('end', () => end()));
  gone.set(client, known);
  return known;
}

/** A query's rows as they arrive, every value as the server's own text: memory stays flat. */
export async function* streamRows(client: pg.Client, sql: string): AsyncGenerator<(string | null)[]> {
  yield* client.query(new Rows(client, sql)) as AsyncIterable<(string | null)[]>;
}
