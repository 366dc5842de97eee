import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { createZstdCompress, zstdDecompressSync } from 'node:zlib';
import { intoOneFrame } from '../../shared/source/read.ts';

const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

test('compressed output is one frame, however the rows arrive', async () => {
  for (let count = 1; count <= 40; count++) {
    const chunks = Array.from({ length: count % 8 }, (_, i) =>
      Buffer.from(`${count},"note ${i}"\n`.repeat(1 + ((count * 37 + i * 101) % 3000))),
    );
    const parts: Buffer[] = [];
    const zstd = createZstdCompress();
    const sink = new Writable({
      write(part, _encoding, done) {
        parts.push(part);
        done();
      },
    });
    await Promise.all([pipeline(Readable.from(chunks), intoOneFrame(zstd)), pipeline(zstd, sink)]);
    const bytes = Buffer.concat(parts);
    assert.equal(bytes.lastIndexOf(MAGIC), 0, `one frame from ${chunks.length} pieces`);
    assert.deepEqual(zstdDecompressSync(bytes), Buffer.concat(chunks));
  }
});

test('an error downstream ends the reading', async () => {
  const zstd = createZstdCompress();
  const sink = new Writable({ write: (_part, _encoding, done) => done(new Error('the upload failed')) });
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.from(String(Math.sin(Date.now())).repeat(10_000));
    })(),
  );
  await assert.rejects(Promise.all([pipeline(endless, intoOneFrame(zstd)), pipeline(zstd, sink)]), /the upload failed/);
});
