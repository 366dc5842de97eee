import type { z } from 'zod';

/** What is wrong with something that a person wrote, in one line: `rowLimit is 0: give a whole number above 0; …`. */
export const problemsOf = ({ issues }: z.ZodError): string =>
  issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim()).join('; ');
