import { existsSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from } from 'pg-copy-streams';

const FOLDER = new URL('../../../shared/data/', import.meta.url);

/** The dumps lie beside the project, not in it. */
export const dumpFile = (name: string): string | null => {
  const file = new URL(`${name}.sql`, FOLDER);
  return existsSync(file) ? file.pathname : null;
};

/** Runs a plain-format dump of pg_dump, in which data stand between `COPY … FROM stdin;` and `\.`. */
export const loadDump = async (client: pg.Client, file: string): Promise<void> => {
  const pieces = readFileSync(file, 'utf8').split(/^(COPY .* FROM stdin;)\n((?:.*\n)*?)\\\.\n/m);
  for (let i = 0; i < pieces.length; i += 3) {
    const [sql = '', copy, data = ''] = pieces.slice(i, i + 3);
    await client.query(sql);
    if (copy !== undefined) await pipeline(Readable.from([data]), client.query(from(copy.replace(/;$/, ''))));
  }
};
