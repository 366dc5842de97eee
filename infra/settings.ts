import * as z from 'zod';
import { Destination } from '../shared/model/destination.ts';

const id = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}-[0-9a-f]+$`), `is no id like ${prefix}-0123456789abcdef0`);

/** Lambda allows 4 KB of environment; the other variables need some of it. */
const ENVIRONMENT_BYTES = 3_500;

/** What differs between installations: cdk.json's context `settings`, or `-c settings='{…}'`. */
const Settings = z.strictObject({
  /** Where the source databases can be reached; absent: from the public internet. */
  source: z
    .strictObject({
      vpcId: id('vpc'),
      subnetIds: z.array(id('subnet')).min(1),
      availabilityZones: z.array(z.string()).min(1),
      securityGroupId: id('sg'),
      /** Give these to have the free gateway endpoints to S3 and DynamoDB made; leave out where the VPC has them. */
      routeTableIds: z.array(id('rtb')).default([]),
      /** Whether to make the interface endpoint to Secrets Manager. */
      secretsManagerEndpoint: z.boolean().default(false),
    })
    .optional(),
  destinations: z
    .array(Destination)
    .default([])
    .refine((all) => new Set(all.map((one) => one.name)).size === all.length, 'have two of one name')
    .refine(
      (all) => Buffer.byteLength(JSON.stringify(all)) <= ENVIRONMENT_BYTES,
      `are more than fit a function's environment (${ENVIRONMENT_BYTES} bytes of JSON): take some out`,
    ),
  /** Who is told when something needs a person. */
  alarmEmail: z.email().optional(),
  /** How long functions' logs are kept. */
  logRetentionDays: z.union([z.literal(7), z.literal(14), z.literal(30), z.literal(90), z.literal(365)]).default(30),
});

export type Settings = z.infer<typeof Settings>;

/** @throws Error that names each setting and what is wrong with it */
export function parseSettings(context: unknown): Settings {
  const given = typeof context === 'string' ? parseJson(context) : (context ?? {});
  const parsed = Settings.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new Error(`the settings in cdk.json (or -c settings=…) are wrong:\n${z.prettifyError(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`-c settings=… is no JSON: ${(error as Error).message}`);
  }
}
