import { createHash, randomUUID } from 'node:crypto';

/** A generator of numbers in [0, 1) that yields the same number for the same seed (mulberry32). */
function seeded(seed: number): number {
  const a = (Math.floor(seed) + 0x6d2b79f5) | 0;
  let t = Math.imul(a ^ (a >>> 15), 1 | a);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}

const ALGORITHMS: Record<string, string> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

/** States.ArrayRange refuses more than 1,000 elements; $range is its JSONata equivalent. */
const MAX_RANGE = 1_000;

function integer(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${name} must be a number`);
  return Math.floor(value);
}

/**
 * The functions that Step Functions adds to JSONata (Developer Guide, "JSONata functions provided by Step Functions").
 * Non-integers given for integers are rounded down, as the guide says.
 */
export const stepFunctionsBuiltins = {
  partition(items: unknown, size: unknown): unknown[][] {
    if (!Array.isArray(items)) throw new Error('$partition takes an array as its first argument');
    const step = integer(size, "$partition's chunk size");
    if (step < 1) throw new Error("$partition's chunk size must be positive");
    return Array.from({ length: Math.ceil(items.length / step) }, (_, i) => items.slice(i * step, (i + 1) * step));
  },

  range(first: unknown, last: unknown, delta: unknown): number[] {
    const from = integer(first, "$range's start");
    const to = integer(last, "$range's end");
    const by = integer(delta, "$range's step");
    if (by === 0) throw new Error("$range's step must not be 0");
    const length = Math.max(0, Math.floor((to - from) / by) + 1);
    if (length > MAX_RANGE) throw new Error(`$range would have ${length} elements, more than ${MAX_RANGE}`);
    return Array.from({ length }, (_, i) => from + i * by);
  },

  hash(content: unknown, algorithm: unknown): string {
    if (typeof content !== 'string') throw new Error('$hash takes a string as its first argument');
    const name = ALGORITHMS[String(algorithm)];
    if (!name) throw new Error(`$hash knows ${Object.keys(ALGORITHMS).join(', ')}, not ${String(algorithm)}`);
    return createHash(name).update(content).digest('hex');
  },

  random(seed?: unknown): number {
    return seed === undefined ? Math.random() : seeded(integer(seed, "$random's seed"));
  },

  uuid(): string {
    return randomUUID();
  },

  parse(text: unknown): unknown {
    if (typeof text !== 'string') throw new Error('$parse takes a string of JSON');
    return JSON.parse(text);
  },
};

/** What JSONata 2.0.6 brings along; `$eval` is not available in Step Functions, and later versions' additions are not either. */
const JSONATA_BUILTINS =
  'sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad match ' +
  'contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs sqrt power ' +
  'random boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse each error assert ' +
  'type sort shuffle distinct base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl ' +
  'toMillis fromMillis now millis clone';

/** Every function name that an expression may call without defining it. */
export const FUNCTION_NAMES: ReadonlySet<string> = new Set([
  ...JSONATA_BUILTINS.split(' '),
  ...Object.keys(stepFunctionsBuiltins),
]);
