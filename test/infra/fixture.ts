import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
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

/** An app with cdk.json's context that bundles nothing: what the functions hold is no matter of the template. */
export function newApp(): { app: App; outdir: string } {
  const outdir = mkdtempSync(join(tmpdir(), 'redshift-loader-synth-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  const context = { ...cdkJson.context, 'aws:cdk:bundling-stacks': [] };
  return { app: new App({ outdir, context, analyticsReporting: false, treeMetadata: false }), outdir };
}

/** The template that these settings make. @throws Error of the settings */
export function templateOf(settings: unknown): Template {
  return Template.fromStack(new RedshiftLoader(newApp().app, 'RedshiftLoader', parseSettings(settings)));
}

export interface Resource {
  id: string;
  // biome's noExplicitAny holds: properties are read by `at`.
  properties: Record<string, unknown>;
}

/** All resources of a type, with their logical ids. */
export const resources = (template: Template, type: string): Resource[] =>
  Object.entries(template.findResources(type)).map(([id, { Properties }]) => ({ id, properties: Properties }));
