import * as z from 'zod';

/** What the source side finds when a connection is tested. */
export const Probed = z.object({
  /** `host:port/database`: never the user's password. */
  where: z.string(),
  user: z.string(),
  /** `17.10`. */
  serverVersion: z.string(),
  /** A standby, which can be read but doesn't know its primary's transactions. */
  standby: z.boolean(),
  /** Tables that setup would take, and those of them that can't be read yet. */
  tables: z.array(z.object({ name: z.string(), readable: z.boolean(), estimatedRows: z.number() })),
  /** Statements for an administrator of the source, ready to paste. */
  grants: z.array(z.string()),
  /** What a person should know or do, each in a sentence. */
  checks: z.array(z.string()),
});

export type Probed = z.infer<typeof Probed>;
