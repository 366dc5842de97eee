import type * as z from 'zod';

/** What is wrong with one field of something that a person wrote: `rowLimit`, `is 0: give a whole number above 0`. */
export interface Problem {
  field: string;
  message: string;
}

/** One for each field and issue; a field that nobody knows counts as one. */
export const problemsIn = ({ issues }: Pick<z.ZodError, 'issues'>): Problem[] =>
  issues.flatMap((issue) => {
    const path = issue.path.join('.');
    return issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ field: path ? `${path}.${key}` : key, message: 'is not known here: take it out' }))
      : [{ field: path, message: issue.message }];
  });

/** What is wrong with something that a person wrote, in one line: `rowLimit is 0: give a whole number above 0; …`. */
export const problemsOf = (error: z.ZodError): string =>
  problemsIn(error)
    .map(({ field, message }) => `${field} ${message}`.trim())
    .join('; ');

/** Parses what a person wrote, and tells what is wrong with it in words that say what to do. */
export const parseInWords = <Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.ZodSafeParseResult<z.output<Schema>> => schema.safeParse(input, { error: inWords });

/** What zod expects, as people call it. */
const NOUNS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of names to values',
  record: 'a map of names to values',
};

const nounOf = (value: unknown): string =>
  value === null ? 'null' : ((Array.isArray(value) ? NOUNS.array : NOUNS[typeof value]) ?? `a ${typeof value}`);

/** Where a field has no words of its own. The value itself is never repeated: it may be a secret. */
const inWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return 'is missing';
    const wanted = NOUNS[issue.expected] ?? `a ${issue.expected}`;
    return `is ${issue.expected === 'int' ? 'no whole number' : nounOf(issue.input)}: give ${wanted}`;
  }
  if (issue.code === 'too_small')
    return issue.origin === 'number' || issue.origin === 'int'
      ? `is too small: give ${issue.minimum} or more`
      : `is empty: give ${issue.origin === 'string' ? 'a text' : 'at least one'}`;
  if (issue.code === 'too_big')
    return issue.origin === 'number' || issue.origin === 'int'
      ? `is too large: give ${issue.maximum} or less`
      : `is too long: ${issue.maximum} at most`;
  return undefined;
};
