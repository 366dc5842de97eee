import type { z } from 'zod';

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
