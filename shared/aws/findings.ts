import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { ComparisonEvent } from '../model/compared.ts';
import { errors } from '../model/errors.ts';
import { Stage, tableHash } from './stage.ts';

/** What the sides of a comparison hand to each other, and what they found. */
export type Finding =
  /** Sums by bucket, from the warehouse. */
  | 'sums'
  /** The buckets whose rows are wanted, from the source. */
  | 'buckets'
  /** Rows of buckets, from the warehouse. */
  | 'rows'
  /** Rows that differed, from the source. */
  | 'suspects'
  /** How the warehouse is mended. */
  | 'mend'
  /** The rows that a person is told of. */
  | 'found';

/**
 * Objects below `compare/`. They hold values of keys, so that neither a log nor a state machine's history has to: only
 * the two functions that compare may read them, and whoever may read the bucket.
 */
export class Findings {
  readonly #stage: Stage;
  readonly #client: S3Client;
  readonly #prefix: string;

  constructor(
    bucket: string,
    { jobId, runId, kind, table }: Pick<ComparisonEvent, 'jobId' | 'runId' | 'kind' | 'table'>,
    client = new S3Client({ requestChecksumCalculation: 'WHEN_REQUIRED' }),
  ) {
    this.#stage = new Stage(bucket, client);
    this.#client = client;
    this.#prefix = `compare/${jobId}/${tableHash(table)}/${runId}-${kind}`;
  }

  key(name: Finding): string {
    return `${this.#prefix}/${name}.jsonl.zst`;
  }

  /** One JSON text a line. @returns the object's key */
  async write(name: Finding, lines: AsyncIterable<unknown> | Iterable<unknown>): Promise<string> {
    const key = this.key(name);
    const zstd = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    const texts = async function* () {
      for await (const line of lines) yield `${JSON.stringify(line)}\n`;
    };
    await this.#stage.write(key, (sink) => pipeline(Readable.from(texts()), zstd, sink));
    return key;
  }

  /**
   * @param key another comparison's object; this one's where a name is given
   * @throws LoaderError FindingsGone: after 30 days the bucket lets go of them
   */
  async *lines<T>(from: { name: Finding } | { key: string }): AsyncGenerator<T> {
    const Key = 'key' in from ? from.key : this.key(from.name);
    const { Body } = await this.#client
      .send(new GetObjectCommand({ Bucket: this.#stage.bucket, Key }))
      .catch((error: Error) => {
        // Without the right to list, an object that is not there is one that may not be read.
        if (error.name !== 'NoSuchKey' && error.name !== 'AccessDenied') throw error;
        throw errors.findingsGone(`${Key} is no longer there: verify the table anew`);
      });
    const zstd = createZstdDecompress();
    const flowing = pipeline(Body as Readable, zstd);
    flowing.catch(() => undefined);
    // Not node:readline, for which U+2028 ends a line, too.
    let rest = '';
    for await (const piece of zstd.setEncoding('utf8')) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as T;
    }
    await flowing;
  }

  /** The first line of an object. */
  async read<T>(name: Finding): Promise<T> {
    for await (const line of this.lines<T>({ name })) return line;
    throw new Error(`${this.key(name)} is empty`);
  }
}
