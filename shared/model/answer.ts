import * as z from 'zod';

/** Why an operation was not done: a name to go by, a sentence that says what to do, and where there are, its fields. */
const Refusal = z.object({
  name: z.string(),
  message: z.string(),
  problems: z.array(z.object({ field: z.string(), message: z.string() })),
});
export type Refusal = z.infer<typeof Refusal>;

/** What the admin function answers. */
export const Answer = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), error: Refusal }),
]);
export type Answer = z.infer<typeof Answer>;
