import { StateError } from './errors.ts';

/** Quotas of Standard workflows (Step Functions Developer Guide, "Service quotas"); sizes are bytes of UTF-8. */
export const MAX_PAYLOAD = 262_144;
export const MAX_VARIABLES = 10 * 1_048_576;
export const MAX_EVENTS = 25_000;
export const MAX_INLINE_CONCURRENCY = 40;
export const MAX_DEFINITION = 1_048_576;

/** The deepest nesting of calls and the longest evaluation of one JSONata expression; the second is AWS's own limit. */
export const MAX_EXPRESSION_DEPTH = 500;
export const MAX_EXPRESSION_MS = 1_000;

/**
 * The JSON text of a payload that Step Functions is about to store or pass on.
 * @param what names it in the error, e.g. `the output of state Plan`
 * @throws StateError States.DataLimitExceeded over 256 KiB
 */
export function withinLimit(value: unknown, what: string): string {
  const text = JSON.stringify(value);
  // A UTF-16 unit is at most three bytes of UTF-8, so short texts need not be counted.
  if (text.length * 3 > MAX_PAYLOAD) {
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_PAYLOAD) {
      throw new StateError(
        'States.DataLimitExceeded',
        `${what} has ${bytes} bytes, more than the ${MAX_PAYLOAD} a payload may have: keep it in S3 and pass its key`,
      );
    }
  }
  return text;
}
