import * as z from 'zod';
import { applies, type ConditionKeys, matches, meets, type Statement, statementsOf } from './iam-policy.ts';
import { ACCOUNT, REGION } from './identity.ts';
import { roleId } from './physical-names.ts';
import { type Caller, type Permission, ServiceError } from './service.ts';
import type { Stack } from './template.ts';

export interface Iam {
  /**
   * Passes if the caller's role allows every permission; the operator may do everything.
   * @throws ServiceError `AccessDeniedException`, worded as AWS does
   */
  authorize(caller: Caller, permissions: Permission[], keys?: ConditionKeys): void;
  /**
   * Passes if `service` (e.g. `lambda.amazonaws.com`) may assume the role.
   * @throws ServiceError `AccessDenied`
   */
  assume(roleArn: string, service: string, sourceArn?: string): void;
}

const Role = z.object({
  AssumeRolePolicyDocument: z.unknown(),
  ManagedPolicyArns: z.array(z.string()).default([]),
  Policies: z.array(z.object({ PolicyDocument: z.unknown() })).default([]),
});
const Policy = z.object({ PolicyDocument: z.unknown(), Roles: z.array(z.string()).default([]) });

const allow = (...actions: string[]) =>
  statementsOf({ Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] });
const logging = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'];
/** The managed policies that functions use, as they stand in the AWS Managed Policy Reference Guide. */
const managed: Record<string, Statement[]> = {
  'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole': allow(...logging),
  'arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole': allow(
    ...logging,
    'ec2:CreateNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:DeleteNetworkInterface',
    'ec2:AssignPrivateIpAddresses',
    'ec2:UnassignPrivateIpAddresses',
  ),
  'arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess': allow(
    'xray:PutTraceSegments',
    'xray:PutTelemetryRecords',
    'xray:GetSamplingRules',
    'xray:GetSamplingTargets',
    'xray:GetSamplingStatisticSummaries',
  ),
};

/**
 * The roles of a template and what they allow: explicit deny, else explicit allow, else denied. Only identity policies
 * count; bucket policies are left out, since the only ones we write deny unencrypted transport, which is all there is here.
 *
 * @throws `UnknownManagedPolicy` when a role uses one whose content isn't known here
 */
export function readRoles(stack: Stack): Iam {
  const roles = new Map<string, { statements: Statement[]; trust: Statement[] }>();
  const own = new Map<string, Statement[]>();
  for (const { arn, properties } of stack.of('AWS::IAM::ManagedPolicy')) {
    own.set(arn, statementsOf(Policy.parse(properties).PolicyDocument));
  }
  for (const { name, properties } of stack.of('AWS::IAM::Role')) {
    const role = Role.parse(properties);
    const statements = role.Policies.flatMap(({ PolicyDocument }) => statementsOf(PolicyDocument));
    for (const policy of role.ManagedPolicyArns) {
      const known = managed[policy] ?? own.get(policy);
      if (known === undefined) {
        throw new Error(`UnknownManagedPolicy: ${name} uses ${policy} – write its content into local/iam.ts`);
      }
      statements.push(...known);
    }
    roles.set(name, { statements, trust: statementsOf(role.AssumeRolePolicyDocument) });
  }
  for (const { properties } of stack.of('AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy')) {
    const policy = Policy.parse(properties);
    for (const role of policy.Roles) roles.get(role)?.statements.push(...statementsOf(policy.PolicyDocument));
  }

  return {
    authorize(caller, permissions, keys = {}) {
      if (caller.roleArn === undefined) return;
      const statements = roles.get(roleNameOf(caller.roleArn))?.statements ?? [];
      const context = { ...globalKeys(caller), ...keys };
      for (const permission of permissions) decide(statements, caller, permission, context);
    },
    assume(roleArn, service, sourceArn) {
      const keys: ConditionKeys = { 'aws:SourceAccount': ACCOUNT, ...(sourceArn && { 'aws:SourceArn': sourceArn }) };
      const trusted = roles.get(roleNameOf(roleArn))?.trust.some((statement) => {
        const services = typeof statement.Principal === 'object' ? (statement.Principal.Service ?? []) : [];
        const assumes = statement.Action?.some((action) => matches(action, 'sts:AssumeRole')) ?? false;
        return (
          statement.Effect === 'Allow' && assumes && services.includes(service) && meets(statement.Condition, keys)
        );
      });
      if (!trusted) {
        throw new ServiceError(
          'AccessDenied',
          `${service} is not authorized to assume role ${roleArn}: its trust policy doesn't name it, or there is no such role`,
          403,
        );
      }
    },
  };
}

/** `arn:aws:iam::…:role/path/name` → `name`. */
export function roleNameOf(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1);
}

/** Who a function or machine is to the services: the role, assumed under the session's name. */
export function assumedRole(roleArn: string, session: string, accessKeyId: string): Caller {
  return { arn: `arn:aws:sts::${ACCOUNT}:assumed-role/${roleNameOf(roleArn)}/${session}`, roleArn, accessKeyId };
}

/** `${aws:userid}` of an assumed role. */
export function userIdOf(caller: Caller): string {
  return `${roleId(roleNameOf(caller.roleArn ?? ''))}:${caller.arn.slice(caller.arn.lastIndexOf('/') + 1)}`;
}

function globalKeys(caller: Caller): ConditionKeys {
  return {
    // The product's policies ask for TLS; that the endpoint on this machine speaks plain HTTP is not theirs to see.
    'aws:SecureTransport': 'true',
    'aws:PrincipalAccount': ACCOUNT,
    'aws:PrincipalArn': caller.roleArn ?? caller.arn,
    'aws:ResourceAccount': ACCOUNT,
    's3:ResourceAccount': ACCOUNT,
    'aws:RequestedRegion': REGION,
    'aws:userid': userIdOf(caller),
  };
}

function decide(statements: Statement[], caller: Caller, { action, resource }: Permission, keys: ConditionKeys): void {
  const denied = (because: string) =>
    new ServiceError(
      'AccessDeniedException',
      `User: ${caller.arn} is not authorized to perform: ${action} on resource: "${resource}" ${because}`,
    );
  const relevant = (effect: Statement['Effect']) =>
    statements.some((statement) => statement.Effect === effect && applies(statement, action, resource, keys));
  try {
    if (relevant('Deny')) throw denied('with an explicit deny in an identity-based policy');
    if (!relevant('Allow')) throw denied(`because no identity-based policy allows the ${action} action`);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw denied(`because its policy can't be evaluated here: ${error instanceof Error ? error.message : error}`);
  }
}
