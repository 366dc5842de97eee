/** What Redshift would refuse: the message is Redshift's, without the leading `ERROR: `. */
export class DialectError extends Error {
  override readonly name = 'DialectError';
}

/** Redshift accepts it, but the stand-in has no way to keep its promise: refused by name rather than done differently. */
export class StandInLimit extends DialectError {
  constructor(what: string) {
    super(`${what} is not supported by the local Redshift stand-in (see local/redshift/README.md)`);
  }
}

export function syntaxError(near: string): DialectError {
  return new DialectError(near === '' ? 'syntax error at end of input' : `syntax error at or near "${near}"`);
}
