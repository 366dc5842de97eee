import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';

/** Level 1 measures smaller than gzip-6 at a fraction of its time (3 M rows, 538 MB of CSV). */
const ZSTD_LEVEL = 1;

/**
 * Streams `COPY … TO STDOUT` through zstd into a sink. Bytes are never looked at, and memory stays flat whatever the
 * table. @returns the rows that Postgres says it sent
 */
export async function copyCompressed(client: pg.Client, sql: string, sink: Writable): Promise<number> {
  const rows = client.query(copyTo(sql));
  const zstd = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  await Promise.all([pipeline(rows, intoOneFrame(zstd)), pipeline(zstd, sink)]);
  return rows.rowCount;
}

/**
 * Feeds a compressor so that its output is one frame. Ended while a write is still pending, Node 24's ends the frame with
 * that write and then adds an empty one; whether COPY reads on after a frame is nowhere promised.
 */
export const intoOneFrame = (zstd: ZstdCompress): Writable =>
  new Writable({
    write: (chunk: Buffer, _encoding, done) => void zstd.write(chunk, done),
    final: (done) => void zstd.end(done),
    destroy(error, done) {
      if (error) zstd.destroy(error);
      done(error);
    },
  });
