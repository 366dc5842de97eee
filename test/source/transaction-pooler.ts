import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Length of the messages' length field. */
const HEADER = 5;
const READY = 'Z'.charCodeAt(0);
const KEY_DATA = 'K'.charCodeAt(0);
const RESET = Buffer.from('Q\0\0\0\0DISCARD ALL\0', 'latin1');
RESET.writeInt32BE(RESET.length - 1, 1);

/**
 * What a pooler by the transaction does to a session, without its pool: whenever no transaction is open the session's
 * settings are gone, and the process that greets is not the one that answers.
 */
export async function startTransactionPooler(port: number): Promise<{ port: number; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => client.destroy());
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    let rest = Buffer.alloc(0);
    let resetting = false;
    upstream.on('data', (piece) => {
      rest = Buffer.concat([rest, piece]);
      while (rest.length >= HEADER && rest.length >= 1 + rest.readInt32BE(1)) {
        const message = Buffer.from(rest.subarray(0, 1 + rest.readInt32BE(1)));
        rest = rest.subarray(message.length);
        if (message[0] === KEY_DATA) message.writeInt32BE(message.readInt32BE(HEADER) + 1_000_000, HEADER);
        const idle = message[0] === READY && message[HEADER] === 'I'.charCodeAt(0);
        if (idle && !resetting) {
          // The client is told that it may go on only once its settings are gone.
          resetting = true;
          upstream.write(RESET);
        } else if (!resetting || idle) {
          resetting = false;
          client.write(message);
        }
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
