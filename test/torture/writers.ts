import pg from 'pg';
import type { Random } from './random.ts';
import { type Changing, change } from './shop.ts';

/** One session that writes: never two statements at once, so that a schedule is the same for the same seed. */
class Writer {
  /** The mark of its rows: see `change`. */
  mark: number;
  client: pg.Client;
  /** Savepoints of the open transaction; -1 where none is open. */
  depth = -1;
  prepared: string | null = null;

  constructor(mark: number, client: pg.Client) {
    this.mark = mark;
    this.client = client;
  }
}

/** Every other one is in a hurry to commit, the others hold their transactions over several ticks. */
const hurries = ({ mark }: Writer): boolean => mark % 2 === 0;

/** Sessions that commit changes by transactions of every length and kind, one step at a time. */
export class Writers {
  readonly #random: Random;
  readonly #url: string;
  readonly #changing: Changing;
  readonly #writers: Writer[] = [];
  #steps = 0;

  private constructor(url: string, changing: Changing, random: Random) {
    this.#url = url;
    this.#changing = changing;
    this.#random = random;
  }

  static async open(url: string, count: number, changing: Changing, random: Random): Promise<Writers> {
    const writers = new Writers(url, changing, random);
    for (let i = 0; i < count; i++) writers.#writers.push(new Writer(i, await connect(url, random)));
    return writers;
  }

  /** One statement of one of them. */
  async step(): Promise<void> {
    const random = this.#random;
    const writer = this.#writers[random.below(this.#writers.length)];
    if (!writer) return;
    this.#steps += 1;
    if (writer.depth < 0) await this.#outside(writer);
    else await this.#inside(writer);
  }

  async steps(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.step();
  }

  /** The transaction of one that is in a hurry is committed. */
  async commit(): Promise<void> {
    const open = this.#writers.filter((writer) => writer.depth >= 0 && hurries(writer));
    const writer = open[this.#random.below(open.length)];
    if (!writer) return;
    await writer.client.query('COMMIT');
    writer.depth = -1;
  }

  async #outside(writer: Writer): Promise<void> {
    const random = this.#random;
    const what = random.weighted([
      [5, 'begin'],
      [3, 'change'],
      [writer.prepared ? 2 : 0, 'resolve'],
      [0.3, 'reconnect'],
      [0.3, 'checkpoint'],
    ]);
    if (what === 'begin') {
      // One that begins by reading has no transaction id yet, and yet its now() stands.
      await writer.client.query(random.chance(0.5) ? 'BEGIN; SELECT 1' : 'BEGIN');
      writer.depth = 0;
    } else if (what === 'change') await writer.client.query(change(random, this.#changing, writer.mark));
    else if (what === 'checkpoint') await writer.client.query('CHECKPOINT');
    else if (what === 'resolve') await this.#resolve(writer);
    else {
      // The ids that the session had taken from the sequence are never used.
      await writer.client.end();
      writer.client = await connect(this.#url, random);
    }
  }

  async #inside(writer: Writer): Promise<void> {
    const random = this.#random;
    const { client } = writer;
    const what = random.weighted([
      [10, 'change'],
      [2, 'savepoint'],
      [writer.depth > 0 ? 1 : 0, 'release'],
      [writer.depth > 0 ? 1 : 0, 'rollback to'],
      [hurries(writer) ? 2 : 0.4, 'commit'],
      [0.2, 'rollback'],
      [writer.prepared ? 0 : 0.15, 'prepare'],
    ]);
    if (what === 'change') await client.query(change(random, this.#changing, writer.mark));
    else if (what === 'savepoint') await client.query(`SAVEPOINT s${++writer.depth}`);
    else if (what === 'release') await client.query(`RELEASE s${writer.depth--}`);
    else if (what === 'rollback to') await client.query(`ROLLBACK TO s${writer.depth}`);
    else if (what === 'prepare') {
      writer.prepared = `t${this.#steps}`;
      await client.query(`PREPARE TRANSACTION '${writer.prepared}'`);
      writer.depth = -1;
      writer.mark += 100;
    } else {
      await client.query(what);
      writer.depth = -1;
    }
  }

  async #resolve(writer: Writer): Promise<void> {
    await writer.client.query(`${this.#random.chance(0.8) ? 'COMMIT' : 'ROLLBACK'} PREPARED '${writer.prepared}'`);
    writer.prepared = null;
  }

  /** Every transaction ends, one way or the other. */
  async finish(): Promise<void> {
    for (const writer of this.#writers) {
      if (writer.depth >= 0) await writer.client.query(this.#random.chance(0.8) ? 'COMMIT' : 'ROLLBACK');
      writer.depth = -1;
      if (writer.prepared) await this.#resolve(writer);
    }
  }

  async close(): Promise<void> {
    for (const { client } of this.#writers) await client.end();
  }
}

async function connect(connectionString: string, random: Random): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  // The server's random() then chooses the same rows for the same seed, too.
  await client.query('SELECT setseed($1)', [random.next()]);
  return client;
}
