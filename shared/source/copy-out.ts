import type { Duplex, Writable } from 'node:stream';
import type pg from 'pg';

/** What is written at once. */
const PIECE_BYTES = 256 * 1024;
/** A message of Postgres' protocol begins with its type, one byte, and its length, which counts itself but not the type. */
const HEADER_BYTES = 5;
const COPY_DATA = 'd'.charCodeAt(0);

type Listener = (bytes: Buffer) => void;

/**
 * `COPY … TO STDOUT` into a writable, in large pieces, as a query of a pg client: `client.query(new CopyOut(sql, sink))`.
 *
 * It stands before pg's own parser, takes the rows out of the bytes, and hands on whatever else there is. pg-copy-streams' reader
 * makes two buffers of every row and one more of every 8 KB; millions of them cost more CPU than all else that is done to rows
 * here, most of it in the garbage collector. Here a few buffers take turns: while some are being written another fills.
 */
export class CopyOut implements pg.Submittable {
  /** Sent as it stands when the session's turn comes. */
  text: string;
  readonly #sink: Writable;
  readonly #outcome = Promise.withResolvers<number>();
  #stream: Duplex | null = null;
  #parser: Listener = () => {};
  #rows = 0;
  #ended = false;

  /** Of the message that is being read: how much is to come, and whether that is a row. */
  #toCome = 0;
  #isRow = false;
  /** The beginning of a header whose end has not come yet. */
  #header: Buffer | null = null;

  #filling: Buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #filled = 0;
  readonly #spare: Buffer[] = [];
  #writing = 0;

  constructor(text: string, sink: Writable) {
    this.text = text;
    this.#sink = sink;
    // Whoever waits for the sink first must not find this one unhandled.
    this.#outcome.promise.catch(() => undefined);
  }

  /**
   * The rows that Postgres says it sent, once all is written; the sink is not ended.
   * @throws pg.DatabaseError, or what the connection or the sink failed with
   */
  get written(): Promise<number> {
    return this.#outcome.promise;
  }

  submit(connection: pg.Connection): void {
    this.#stream = connection.stream;
    [this.#parser = this.#parser] = this.#stream.listeners('data') as Listener[];
    this.#stream.on('data', this.#read);
    this.#stream.off('data', this.#parser);
    connection.query(this.text);
  }

  readonly #read = (received: Buffer): void => {
    const bytes = this.#header ? Buffer.concat([this.#header, received]) : received;
    this.#header = null;
    for (let at = 0; at < bytes.length; ) {
      if (this.#toCome === 0) {
        if (bytes.length - at < HEADER_BYTES) {
          this.#header = bytes.subarray(at);
          break;
        }
        const length = 1 + bytes.readUInt32BE(at + 1);
        this.#isRow = bytes[at] === COPY_DATA;
        this.#toCome = this.#isRow ? length - HEADER_BYTES : length;
        if (this.#isRow) at += HEADER_BYTES;
      }
      const end = Math.min(at + this.#toCome, bytes.length);
      this.#toCome -= end - at;
      if (this.#isRow) this.#gather(bytes, at, end);
      else this.#parser(bytes.subarray(at, end));
      at = end;
    }
  };

  #gather(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const copied = bytes.copy(this.#filling, this.#filled, at, to);
      at += copied;
      this.#filled += copied;
      if (this.#filled === PIECE_BYTES) this.#write();
    }
  }

  #write(): void {
    const piece = this.#filling;
    this.#writing++;
    this.#sink.write(piece.subarray(0, this.#filled), (error) => {
      this.#writing--;
      this.#spare.push(piece);
      if (error) this.#outcome.reject(error);
      else if (this.#ended) this.#finish();
      else this.#stream?.resume();
    });
    this.#filling = this.#spare.pop() ?? Buffer.allocUnsafe(PIECE_BYTES);
    this.#filled = 0;
    if (this.#writing > 1) this.#stream?.pause();
  }

  #finish(): void {
    if (this.#writing === 0) this.#outcome.resolve(this.#rows);
  }

  /** Gives the connection back to pg. */
  #leave(): void {
    this.#stream?.on('data', this.#parser);
    this.#stream?.off('data', this.#read);
    this.#stream?.resume();
  }

  /** pg calls this and those below. */
  handleCommandComplete({ text }: { text: string }): void {
    this.#rows = Number(/^COPY (\d+)$/.exec(text)?.[1]);
  }

  handleReadyForQuery(): void {
    this.#ended = true;
    if (this.#filled > 0) this.#write();
    this.#leave();
    this.#finish();
  }

  handleError(error: Error): void {
    this.#leave();
    this.#outcome.reject(error);
  }
}
