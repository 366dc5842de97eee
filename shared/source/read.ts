import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';

/** Level 1 measures smaller than gzip-6 at a fraction of its time (3 M rows, 538 MB of CSV). */
const ZSTD_LEVEL = 1;
/** What is handed to the compressor, and taken from it, at once. */
const PIECE_BYTES = 256 * 1024;

/**
 * Streams `COPY … TO STDOUT` through zstd into a sink. Bytes are never looked at, and memory stays flat whatever the
 * table. Where anything but Postgres itself fails, the session is ended with it.
 * @returns the rows that Postgres says it sent
 */
export async function copyCompressed(client: pg.Client, sql: string, sink: Writable): Promise<number> {
  const rows = client.query(copyTo(sql));
  const zstd = createZstdCompress({
    chunkSize: PIECE_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  try {
    await Promise.all([pipeline(rows, intoOneFrame(zstd)), pipeline(zstd, sink)]);
  } catch (error) {
    // The server goes on sending what nobody reads, and whatever is asked next would wait for ever.
    if (!(error instanceof pg.DatabaseError)) await client.end();
    throw error;
  }
  return rows.rowCount;
}

/**
 * Feeds a compressor so that its output is one frame. Ended while a write is still pending, Node 24's ends the frame with
 * that write and then adds an empty one; whether COPY reads on after a frame is nowhere promised.
 *
 * Rows arrive in pieces of some 8 KB, as the server flushes them, and each write to the compressor is a trip to another
 * thread: gathering them first saves a third of the CPU.
 */
export function intoOneFrame(zstd: ZstdCompress): Writable {
  // Two pieces take turns: while one is compressed, on another thread, the other fills. Made anew they would be garbage
  // outside of the heap, each bit of which brings the next full collection nearer.
  let [filling, compressing] = [Buffer.allocUnsafe(PIECE_BYTES), Buffer.allocUnsafe(PIECE_BYTES)];
  let filled = 0;
  let compressed: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await compressed;
    const piece = filling.subarray(0, filled);
    [filling, compressing, filled] = [compressing, filling, 0];
    compressed = new Promise((resolve, reject) => zstd.write(piece, (error) => (error ? reject(error) : resolve())));
    // Told by the next flush, or at the end; until then it must not count as unhandled.
    compressed.catch(() => undefined);
  };
  const gather = async (chunk: Buffer): Promise<void> => {
    for (let taken = 0; taken < chunk.length; ) {
      const copied = chunk.copy(filling, filled, taken);
      filled += copied;
      taken += copied;
      if (filled === PIECE_BYTES) await flush();
    }
  };
  const finish = async (): Promise<void> => {
    if (filled > 0) await flush();
    await compressed;
    await new Promise<void>((resolve) => zstd.end(resolve));
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (filled + chunk.length < PIECE_BYTES) {
        filled += chunk.copy(filling, filled);
        done();
      } else gather(chunk).then(() => done(), done);
    },
    final(done) {
      finish().then(() => done(), done);
    },
    destroy(error, done) {
      if (error) zstd.destroy(error);
      done(error);
    },
  });
}
