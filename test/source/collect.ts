import { Writable } from 'node:stream';

/** Keeps what it is given; each write takes as long as `pause` says. */
export const collect = (parts: Buffer[], pause = async () => {}) =>
  new Writable({
    write(part: Buffer, _encoding, done) {
      // The writer may use its buffer again once it is told that the write is done.
      parts.push(Buffer.from(part));
      pause().then(() => done(), done);
    },
  });
