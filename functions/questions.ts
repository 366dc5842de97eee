import type pg from 'pg';
import type { Unwritten } from '../shared/core/unchanged.ts';
import type { SourceTable } from '../shared/model/catalog.ts';
import { missingWithin } from '../shared/source/account.ts';
import type { Reading } from '../shared/source/reading.ts';
import { withinTime } from '../shared/source/snapshot.ts';
import { isUnchanged } from '../shared/source/unchanged.ts';
import { countRows, type Range } from '../shared/sql/postgres.ts';

/** One question may take this long before its table counts as large. */
const LONGEST_MS = 30_000;
const SHORTEST_MS = 1_000;
/** A walk over so many rows takes half a second; of more the table's own execution asks. */
const PROVED_ROWS = 1_000_000;

/**
 * What is asked of one table beside others, each question under a savepoint and within its time; null where it took longer, so that
 * the table's own execution has to ask, at leisure.
 */
export class Questions {
  readonly #client: pg.Client;
  readonly #found: SourceTable;
  readonly #reading: Reading;
  readonly #timeout: number;

  /** @param left milliseconds for all tables that are still to come */
  constructor(client: pg.Client, { found, reading }: { found: SourceTable; reading: Reading }, left: number) {
    this.#client = client;
    this.#found = found;
    this.#reading = reading;
    this.#timeout = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, left));
  }

  /** Seconds that a question of this table may take; null where others have left it less than it might need. */
  get patience(): number | null {
    return this.#timeout === LONGEST_MS ? LONGEST_MS / 1000 : null;
  }

  /** Those of the gaps whose days are over that are still empty. */
  missing(): Promise<Awaited<ReturnType<typeof missingWithin>> | null> {
    const { source, expired } = this.#reading;
    return this.#ask(() => missingWithin(this.#client, source, expired));
  }

  async isUnchanged(proof: Unwritten): Promise<boolean | null> {
    return proof.rows <= PROVED_ROWS ? this.#ask(() => isUnchanged(this.#client, this.#found, proof)) : null;
  }

  /** How many rows there are; one more than `most` stands for all that are more. */
  count(ranges: Range[], most: number): Promise<number | null> {
    const { source, scope } = this.#reading;
    return this.#ask(async () => {
      const { rows } = await this.#client.query(countRows(source, ranges, scope, most + 1));
      return Number(rows[0].rows);
    });
  }

  #ask<T>(question: () => Promise<T>): Promise<T | null> {
    return withinTime(this.#client, this.#timeout, question);
  }
}
