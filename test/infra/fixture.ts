import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as z from 'zod';
import cdkJson from '../../cdk.json' with { type: 'json' };
import { parseSettings } from '../../infra/settings.ts';
import { RedshiftLoader } from '../../infra/stack.ts';

export const WORKGROUP = {
  name: 'reports',
  arn: 'arn:aws:redshift-serverless:eu-west-1:111111111111:workgroup/12345678-aaaa-4bbb-8ccc-1234567890ab',
  workgroupName: 'reports-wg',
  database: 'analytics',
  schema: 'shop',
};
export const CLUSTER = {
  name: 'orders-history',
  arn: 'arn:aws:redshift:eu-west-1:111111111111:cluster:orders-1',
  database: 'history',
};
export const BY_SECRET = {
  name: 'by-secret',
  arn: 'arn:aws:redshift:eu-west-1:111111111111:cluster:orders-2',
  database: 'history',
  secretArn: 'arn:aws:secretsmanager:eu-west-1:111111111111:secret:redshift/orders-2-AbCdEf',
};
export const SOURCE = {
  vpcId: 'vpc-0123456789abcdef0',
  subnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
  availabilityZones: ['eu-west-1a', 'eu-west-1b'],
  securityGroupId: 'sg-0123456789abcdef0',
  routeTableIds: ['rtb-0123456789abcdef0'],
  secretsManagerEndpoint: true,
};
/** Every setting that there is. */
export const EVERYTHING = {
  destinations: [WORKGROUP, CLUSTER, BY_SECRET],
  source: SOURCE,
  alarmEmail: 'on-call@example.com',
  logRetentionDays: 7,
};

/** An app with cdk.json's context that bundles nothing: what is in the functions is no matter of the template. */
export function newApp(): App {
  const outdir = mkdtempSync(join(tmpdir(), 'redshift-loader-synth-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  return new App({
    outdir,
    context: { ...cdkJson.context, 'aws:cdk:bundling-stacks': [] },
    analyticsReporting: false,
    treeMetadata: false,
  });
}

/** The template that these settings make. @throws Error of the settings */
export function templateOf(settings: unknown): Template {
  // Seconds, for what synth.test.ts proves once.
  process.env.CDK_VALIDATION = 'false';
  try {
    return Template.fromStack(new RedshiftLoader(newApp(), 'RedshiftLoader', parseSettings(settings)));
  } finally {
    delete process.env.CDK_VALIDATION;
  }
}

const list = <Item extends z.ZodType>(item: Item) =>
  z.union([item, z.array(item)]).transform((one): z.output<Item>[] => (Array.isArray(one) ? one : [one]));
const Statement = z.object({
  Effect: z.string(),
  Action: list(z.string()).default([]),
  Resource: list(z.unknown()).default([]),
  Condition: z.unknown().optional(),
});
export type Statement = z.infer<typeof Statement>;
const Policy = z.object({
  Roles: z.array(z.object({ Ref: z.string() })),
  PolicyDocument: z.object({ Statement: z.array(Statement) }),
});
const Deployed = z.object({
  Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }),
  Role: z.object({ 'Fn::GetAtt': z.tuple([z.string(), z.literal('Arn')]) }),
  LoggingConfig: z.object({ LogGroup: z.object({ Ref: z.string() }) }),
  Timeout: z.number(),
  VpcConfig: z.unknown().optional(),
});

export interface DeployedFunction extends z.infer<typeof Deployed> {
  role: string;
  properties: Record<string, unknown>;
}

/** The functions by their verbs. */
export function functionsOf(template: Template): Map<string, DeployedFunction> {
  const found = Object.values(template.findResources('AWS::Lambda::Function')).map(({ Properties }) => {
    const parsed = Deployed.parse(Properties);
    const verb = String(parsed.Environment.Variables.POWERTOOLS_SERVICE_NAME);
    return [verb, { ...parsed, role: parsed.Role['Fn::GetAtt'][0], properties: Properties }] as const;
  });
  return new Map(found);
}

/** What inline policies allow each role, by the roles' logical ids. */
export function statementsOf(template: Template): Map<string, Statement[]> {
  const byRole = new Map<string, Statement[]>();
  for (const { Properties } of Object.values(template.findResources('AWS::IAM::Policy'))) {
    const { Roles, PolicyDocument } = Policy.parse(Properties);
    for (const { Ref } of Roles) byRole.set(Ref, [...(byRole.get(Ref) ?? []), ...PolicyDocument.Statement]);
  }
  return byRole;
}

export const servicesOf = ({ Action }: Statement): string[] => Action.map((action) => action.split(':')[0] ?? '');
