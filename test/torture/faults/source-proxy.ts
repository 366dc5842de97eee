import { connect, createServer, type Socket } from 'node:net';

/** What becomes of a statement: it passes, the connection breaks, or the server answers with an error of this class. */
export type SourceMoment = 'pass' | 'cut' | { sqlstate: string };

export interface SourceProxy {
  /** A connection string that leads through the proxy. */
  through(url: string): string;
  stop(): Promise<void>;
}

type Decide = (statement: string, moment: 'before' | 'after') => SourceMoment;

/** Protocol messages of one direction: a type's letter, and a length that counts itself. */
class Messages {
  #rest = Buffer.alloc(0);
  #startup: boolean;

  constructor(startup: boolean) {
    this.#startup = startup;
  }

  *take(chunk: Buffer): Generator<{ type: string; whole: Buffer }> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      // The first message of a client has no letter.
      const head = this.#startup ? 0 : 1;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < length) return;
      const whole = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      yield { type: this.#startup ? 'startup' : String.fromCharCode(whole[0] ?? 0), whole };
      this.#startup = false;
    }
  }
}

/**
 * A Postgres server's address through which tests see, break and answer every statement. It knows no TLS.
 * @param port where the server is that answers the next connection
 */
export async function openSourceProxy(port: () => number, decide: Decide): Promise<SourceProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port(), '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
    }
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('close', cut);
    upstream.on('close', () => client.end());
    serve(client, upstream, decide, cut);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const own = address && typeof address === 'object' ? address.port : 0;
  return {
    through(url) {
      const changed = new URL(url);
      changed.port = String(own);
      return changed.href;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

function serve(client: Socket, upstream: Socket, decide: Decide, cut: () => void): void {
  let answering = '';
  /** After an error that is made up, whatever belongs to the same statement is left out until its end. */
  let swallowing = false;
  const requests = new Messages(true);
  client.on('data', (chunk: Buffer) => {
    for (const { type, whole } of requests.take(chunk)) {
      if (swallowing) {
        if (type !== 'S') continue;
        swallowing = false;
        client.write(READY);
        continue;
      }
      const statement = textOf(type, whole);
      if (statement === null) {
        upstream.write(whole);
        continue;
      }
      answering = statement;
      const moment = decide(statement, 'before');
      if (moment === 'cut') return cut();
      if (moment === 'pass') upstream.write(whole);
      else {
        client.write(errorOf(moment.sqlstate));
        if (type === 'Q') client.write(READY);
        else if (type === 'startup') return client.end();
        else swallowing = true;
      }
    }
  });
  upstream.on('data', (chunk: Buffer) => {
    if (answering !== '') {
      const statement = answering;
      answering = '';
      if (decide(statement, 'after') !== 'pass') return cut();
    }
    client.write(chunk);
  });
}

/** What a message asks for, short enough to tell statements of one kind apart from others; null where it asks nothing. */
function textOf(type: string, whole: Buffer): string | null {
  if (type === 'startup') return 'connect';
  if (type !== 'Q' && type !== 'P') return null;
  const text = whole.subarray(type === 'P' ? whole.indexOf(0, 5) + 1 : 5).toString('utf8');
  const words = text.replaceAll(/\s+/g, ' ').trim().split(' ');
  const [first = ''] = words;
  const from = words[words.indexOf('FROM') + 1] ?? '';
  return /^(SELECT|WITH|COPY|DECLARE)$/.test(first)
    ? `${first} ${from.replaceAll(/[^\w."]/g, '')}`
    : words.slice(0, 2).join(' ');
}

const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x54]);

function errorOf(sqlstate: string): Buffer {
  const fields = `SERROR\0VERROR\0C${sqlstate}\0Mcanceled by a test\0\0`;
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(4 + Buffer.byteLength(fields), 1);
  return Buffer.concat([head, Buffer.from(fields)]);
}
