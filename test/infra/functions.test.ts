import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { NEEDS } from '../../shared/aws/environment.ts';
import {
  BY_SECRET,
  CLUSTER,
  EVERYTHING,
  functionsOf,
  SOURCE,
  servicesOf,
  statementsOf,
  templateOf,
  WORKGROUP,
} from './fixture.ts';

const template = templateOf(EVERYTHING);
const functions = functionsOf(template);
const statements = statementsOf(template);
const SOURCE_SIDE = ['extract', 'inspect', 'plan', 'probe', 'split', 'verify-source'];
const WAREHOUSE_SIDE = ['create-tables', 'load', 'verify-warehouse'];

const roleOf = (verb: string): string => functions.get(verb)?.role ?? `no ${verb}`;
/** The roles that may do anything of a service. */
const rolesWith = (service: string): string[] =>
  [...statements].filter(([, all]) => all.some((one) => servicesOf(one).includes(service))).map(([role]) => role);
const verbsIn = (roles: string[]): string[] =>
  [...functions].flatMap(([verb, { role }]) => (roles.includes(role) ? [verb] : [])).sort();

test('every function runs Node 24 on arm64, is traced, and has a log group that expires', () => {
  assert.deepEqual([...functions.keys()].sort(), Object.keys(NEEDS).sort());
  const groups = template.findResources('AWS::Logs::LogGroup');
  for (const [verb, { properties, LoggingConfig }] of functions) {
    assert.equal(properties.Runtime, 'nodejs24.x', verb);
    assert.deepEqual(properties.Architectures, ['arm64'], verb);
    assert.deepEqual(properties.TracingConfig, { Mode: 'Active' }, verb);
    assert.equal(groups[LoggingConfig.LogGroup.Ref]?.Properties.RetentionInDays, EVERYTHING.logRetentionDays, verb);
  }
});

test('every function has exactly the variables that it needs', () => {
  for (const [verb, { Environment }] of functions) {
    const ours = Object.keys(Environment.Variables).filter((name) => !name.startsWith('POWERTOOLS_'));
    assert.deepEqual(ours.sort(), [...NEEDS[verb as keyof typeof NEEDS]].sort(), verb);
  }
});

test('no function outlives what the state machines wait for, and none asks for more than Lambda gives', () => {
  for (const [verb, { Timeout }] of functions) assert.ok(Timeout >= 60 && Timeout <= 900, `${verb}: ${Timeout} s`);
});

test('the source side is in the VPC that the settings name, and no other function is in any', () => {
  const expected = { SubnetIds: SOURCE.subnetIds, SecurityGroupIds: [SOURCE.securityGroupId] };
  for (const [verb, { VpcConfig }] of functions)
    assert.deepEqual(VpcConfig, SOURCE_SIDE.includes(verb) ? expected : undefined, verb);
});

test('the endpoints that the settings ask for are made: two free gateways, one interface that only our functions reach', () => {
  template.resourceCountIs('AWS::EC2::VPCEndpoint', 3);
  for (const service of ['.s3', '.dynamodb'])
    template.hasResourceProperties('AWS::EC2::VPCEndpoint', {
      VpcEndpointType: 'Gateway',
      RouteTableIds: SOURCE.routeTableIds,
      ServiceName: { 'Fn::Join': ['', Match.arrayWith([service])] },
    });
  template.hasResourceProperties('AWS::EC2::VPCEndpoint', {
    VpcEndpointType: 'Interface',
    PrivateDnsEnabled: true,
    SubnetIds: SOURCE.subnetIds,
    ServiceName: { 'Fn::Join': ['', Match.arrayWith(['.secretsmanager'])] },
  });
  template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 1);
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
    FromPort: 443,
    ToPort: 443,
    SourceSecurityGroupId: SOURCE.securityGroupId,
  });
});

test('without a source in the settings nothing is in a VPC, and no endpoint is made', () => {
  const plain = templateOf({});
  plain.resourceCountIs('AWS::EC2::VPCEndpoint', 0);
  for (const [verb, { VpcConfig }] of functionsOf(plain)) assert.equal(VpcConfig, undefined, verb);
});

test("nobody but the warehouse's side may call the Data API, by one role of a fixed name", () => {
  const roles = [
    ...new Set([...rolesWith('redshift-data'), ...rolesWith('redshift'), ...rolesWith('redshift-serverless')]),
  ];
  assert.deepEqual(roles, [roleOf('load')]);
  assert.deepEqual(verbsIn(roles), WAREHOUSE_SIDE);
  const role = template.findResources('AWS::IAM::Role')[roleOf('load')];
  assert.equal(role?.Properties.RoleName, 'redshift-loader-warehouse');
});

test("the warehouse side reads no source's secret, and the source side only secrets that carry the tag", () => {
  const secrets = (role: string) =>
    (statements.get(role) ?? []).filter((one) => servicesOf(one).includes('secretsmanager'));
  assert.deepEqual(
    secrets(roleOf('load')).flatMap(({ Resource }) => Resource),
    [BY_SECRET.secretArn],
  );
  const reading = [...statements].filter(([, all]) =>
    all.some(({ Action }) => Action.includes('secretsmanager:GetSecretValue')),
  );
  const readers = verbsIn(reading.map(([role]) => role)).filter((verb) => !WAREHOUSE_SIDE.includes(verb));
  assert.deepEqual(readers, SOURCE_SIDE);
  for (const verb of SOURCE_SIDE)
    for (const { Action, Condition } of secrets(roleOf(verb))) {
      assert.deepEqual(Action, ['secretsmanager:GetSecretValue'], verb);
      assert.deepEqual(Condition, { StringLike: { 'secretsmanager:ResourceTag/redshift-loader': '*' } }, verb);
    }
});

test('admin can make and delete the secrets of jobs, look at tagged ones, and read none', () => {
  const secrets = (statements.get(roleOf('admin')) ?? []).filter((one) => servicesOf(one).includes('secretsmanager'));
  const allowed = secrets.flatMap(({ Action, Resource, Condition }) =>
    Action.map((action) => [action, /:secret:([^"]*)/.exec(JSON.stringify(Resource))?.[1], Condition ?? null] as const),
  );
  const byKey = { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['redshift-loader'] } };
  assert.deepEqual(allowed.toSorted(), [
    ['secretsmanager:CreateSecret', 'redshift-loader/*', byKey],
    ['secretsmanager:DeleteSecret', 'redshift-loader/*', null],
    ['secretsmanager:DescribeSecret', '*', { StringLike: { 'secretsmanager:ResourceTag/redshift-loader': '*' } }],
    ['secretsmanager:TagResource', 'redshift-loader/*', byKey],
  ]);
});

test('a workgroup, a cluster and a cluster by secret are allowed by their exact ARNs', () => {
  const allowed = (action: string) =>
    (statements.get(roleOf('load')) ?? [])
      .filter(({ Action }) => Action.includes(action))
      .flatMap((one) => one.Resource);
  const all = [WORKGROUP.arn, CLUSTER.arn, BY_SECRET.arn];
  assert.deepEqual(allowed('redshift-data:BatchExecuteStatement').sort(), all.toSorted());
  assert.deepEqual(allowed('redshift-data:ExecuteStatement').sort(), all.toSorted());
  assert.deepEqual(allowed('redshift-serverless:GetCredentials'), [WORKGROUP.arn]);
  assert.deepEqual(allowed('redshift:GetClusterCredentialsWithIAM'), [
    'arn:aws:redshift:eu-west-1:111111111111:dbname:orders-1/history',
  ]);
});

test('without destinations nobody may submit a statement', () => {
  const all = [...statementsOf(templateOf({})).values()].flat().flatMap(({ Action }) => Action);
  assert.deepEqual(
    all.filter((action) => /ExecuteStatement|GetCredentials|GetClusterCredentials/.test(action)),
    [],
  );
});

test('no statement allows an action by a wildcard', () => {
  for (const [role, all] of statements)
    for (const { Action } of all) assert.ok(!Action.some((action) => action.includes('*')), `${role}: ${Action}`);
});
