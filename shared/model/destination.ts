import * as z from 'zod';

const WORKGROUP = /^arn:[\w-]+:redshift-serverless:[a-z0-9-]+:\d{12}:workgroup\/[\w-]+$/;
const CLUSTER = /^arn:[\w-]+:redshift:[a-z0-9-]+:\d{12}:cluster:[\w-]+$/;

/** A Redshift database that the deployment may load: named by ARN, so that policies can be exact. */
export const Destination = z
  .object({
    /** What jobs call it. */
    name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'takes a-z, 0-9 and -'),
    /** The workgroup's or the cluster's ARN. */
    arn: z.string().refine((arn) => WORKGROUP.test(arn) || CLUSTER.test(arn), {
      message:
        'is no ARN of a workgroup or a cluster: arn:aws:redshift-serverless:REGION:ACCOUNT:workgroup/ID or arn:aws:redshift:REGION:ACCOUNT:cluster:NAME',
    }),
    /** The workgroup's name; a workgroup's ARN holds its id instead. */
    workgroupName: z.string().optional(),
    database: z.string().min(1),
    /** Folded as Redshift folds it: A–Z to lower case, whether quoted or not. */
    schema: z
      .string()
      .min(1)
      .default('public')
      .transform((name) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())),
    /** The database user's secret; without it the functions' role is its own database user. */
    secretArn: z.string().startsWith('arn:').optional(),
  })
  .refine((one) => !WORKGROUP.test(one.arn) || one.workgroupName, {
    path: ['workgroupName'],
    message: "is missing: give the workgroup's name beside its ARN",
  });

export type Destination = z.infer<typeof Destination>;

/** Whether two destinations, by whatever names, are one schema of one database. */
export const isSamePlace = (one: Destination | undefined, other: Destination | undefined): boolean =>
  one !== undefined &&
  other !== undefined &&
  one.arn === other.arn &&
  one.database === other.database &&
  one.schema === other.schema;

export const isServerless = (destination: Pick<Destination, 'arn'>): boolean => WORKGROUP.test(destination.arn);

/** A provisioned cluster's identifier is the last part of its ARN. */
export const clusterIdentifier = (destination: Pick<Destination, 'arn'>): string =>
  destination.arn.split(':').at(-1) ?? '';
