import type pg from 'pg';
import type { Limits } from '../model/job.ts';
import { type Key, lastKey, type Scope, type Source, walkFrom } from '../sql/postgres.ts';

/** Where the chunks of a batch end. */
export interface Bounds {
  /** The last key of each chunk, in the order of the walk. */
  upTo: Key[];
  /** Whether nothing comes after the last of them. */
  last: boolean;
}

/**
 * Bytes of the keys that one batch is cut at: twice they travel through the state machine, as the end of one chunk and
 * the beginning of the next, and a payload there has 256 KiB.
 */
const MAX_KEY_BYTES = 60_000;

/**
 * Cuts what comes after a key into chunks, in the transaction that is open. A cursor moves along the index once and hands
 * over nothing but the bounds: numbering the rows instead took four times as long.
 */
export async function chunkBounds(
  client: pg.Client,
  source: Source,
  after: Key | null,
  scope: Scope,
  limits: Limits,
): Promise<Bounds> {
  await client.query(walkFrom(source, after, scope, limits.rowLimit + 1));
  const upTo = await cut(client, limits);
  const [beyond] = upTo.complete ? await keys(client, 'FETCH NEXT FROM walk') : [];
  await client.query('CLOSE walk');
  if (upTo.complete) return { upTo: upTo.keys, last: beyond === undefined };
  const [end] = await keys(client, lastKey(source, upTo.keys.at(-1) ?? after, scope));
  return { upTo: end ? [...upTo.keys, end] : upTo.keys, last: true };
}

/** The ends of chunks that are full, and whether the batch is, too. */
async function cut(client: pg.Client, { rowLimit, chunkSize }: Limits): Promise<{ keys: Key[]; complete: boolean }> {
  const found: Key[] = [];
  let bytes = 0;
  for (let rows = 0; rows < rowLimit && bytes < MAX_KEY_BYTES; ) {
    const size = Math.min(chunkSize, rowLimit - rows);
    // MOVE FORWARD 0 would count the row that the cursor stands on.
    const moved = size === 1 ? 0 : (await client.query(`MOVE FORWARD ${size - 1} FROM walk`)).rowCount;
    const [key] = moved === size - 1 ? await keys(client, 'FETCH NEXT FROM walk') : [];
    if (!key) return { keys: found, complete: false };
    found.push(key);
    rows += size;
    bytes += Buffer.byteLength(JSON.stringify(key));
  }
  return { keys: found, complete: true };
}

/** Keys as Postgres prints them: a parsed timestamp would lose its microseconds. */
async function keys(client: pg.Client, text: string): Promise<Key[]> {
  const asPrinted = { getTypeParser: () => (value: string) => value };
  const { rows } = await client.query<(string | null)[]>({ text, rowMode: 'array', types: asPrinted });
  return rows;
}
