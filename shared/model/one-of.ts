import * as z from 'zod';

const either = new Intl.ListFormat('en-GB', { type: 'disjunction' });

/** One of a few words; what is none of them is told with those there are: `is "x": choose apply or pause`. */
export const oneOf = <const Choices extends readonly [string, ...string[]]>(choices: Choices) =>
  z.enum(choices, { error: ({ input }) => `is ${JSON.stringify(input)}: choose ${either.format(choices)}` });
