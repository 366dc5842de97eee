import { hash } from 'node:crypto';
import type { ValueKind } from '../sql/checksum.ts';
import { canonicalJson } from './canonical-json.ts';

/**
 * A checksum over rows in any order, taken by value: 1.0 equals 1, `{"a":1, "b":2}` equals `{"b":2,"a":1}`. Memory stays
 * flat. Rows count as often as they come, so a doubled row shows.
 */
export class ValueSum {
  readonly #kinds: readonly ValueKind[];
  /** Adding in a Uint32Array is modulo 2³²: the order of the rows doesn't matter. */
  readonly #lanes = new Uint32Array(4);
  #rows = 0;

  /** @param kinds how each of a row's values is compared, in order */
  constructor(kinds: readonly ValueKind[]) {
    this.#kinds = kinds;
  }

  /** Rows added so far. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * @param keyTexts what ties the values to their row: canonical texts of its key, or a hash of its other columns
   * @param values JSON text or a number's text, as many as there are kinds; null for SQL's NULL
   */
  add(keyTexts: readonly (string | null)[], values: readonly (string | null)[]): void {
    // As a string of bytes: a Buffer takes longer to make than the hash.
    const bytes = hash('sha256', canonicalRow(this.#kinds, keyTexts, values), 'binary');
    for (let lane = 0; lane < 4; lane++) this.#lanes[lane] = (this.#lanes[lane] ?? 0) + word(bytes, lane * 4);
    this.#rows++;
  }

  /** 32 hexadecimal digits; equal for equal multisets of rows. */
  digest(): string {
    return [...this.#lanes].map((lane) => lane.toString(16).padStart(8, '0')).join('');
  }
}

/** One row by value, in 32 hexadecimal digits: what `ValueSum` sums up, for rows that are told apart. */
export const rowDigest = (
  kinds: readonly ValueKind[],
  keyTexts: readonly (string | null)[],
  values: readonly (string | null)[],
): string => hash('sha256', canonicalRow(kinds, keyTexts, values)).slice(0, 32);

function canonicalRow(
  kinds: readonly ValueKind[],
  keyTexts: readonly (string | null)[],
  values: readonly (string | null)[],
): string {
  let row = '';
  for (const text of keyTexts) row += delimited(text);
  for (let i = 0; i < kinds.length; i++) row += delimited(canonical(kinds[i], values[i] ?? null));
  return row;
}

/** Four bytes as a number, signed. */
const word = (bytes: string, at: number): number =>
  bytes.charCodeAt(at) |
  (bytes.charCodeAt(at + 1) << 8) |
  (bytes.charCodeAt(at + 2) << 16) |
  (bytes.charCodeAt(at + 3) << 24);

/** Self-delimiting, so that no value can flow into its neighbour; NULL is not ''. */
const delimited = (text: string | null): string => (text === null ? '~' : `${text.length}:${text}`);

function canonical(kind: ValueKind | undefined, text: string | null): string | null {
  if (text === null) return null;
  if (kind === 'json') return canonicalOrRaw(text);
  const value = Number(text);
  // Either engine may give a four-byte float more digits than it has: 0.1 is also 0.10000000149011612.
  const exact = kind === 'real' ? Math.fround(value) : value;
  // String(-0) is '0': some engines lose the sign of zero, none tells the two apart by =.
  return Number.isNaN(exact) ? `not a number: ${text}` : String(exact);
}

/** What no parser takes can still be equal to itself. */
function canonicalOrRaw(text: string): string {
  try {
    return canonicalJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return `not JSON: ${text}`;
    throw error;
  }
}
