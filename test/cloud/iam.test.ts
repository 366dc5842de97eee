import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assumedRole, readRoles } from '../../local/iam.ts';
import type { Resource, Stack } from '../../local/template.ts';

const arn = 'arn:aws:iam::000000000000:role/worker';
const caller = assumedRole(arn, 'extract', 'x');

/** A stack of one role with these statements. */
function roleWith(statements: unknown[], properties: Record<string, unknown> = {}) {
  const trust = {
    Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }],
  };
  const resource: Resource = {
    logicalId: 'Worker',
    type: 'AWS::IAM::Role',
    name: 'worker',
    arn,
    properties: {
      AssumeRolePolicyDocument: trust,
      Policies: [{ PolicyDocument: { Statement: statements } }],
      ...properties,
    },
  };
  const resources = [resource];
  const of = (...types: string[]) => resources.filter(({ type }) => types.includes(type));
  const stack: Stack = { name: 's', resources, of, outputs: {}, asset: () => '' };
  return readRoles(stack);
}

const table = 'arn:aws:dynamodb:us-east-1:000000000000:table/config';
const allow = (Action: string | string[], Resource: string | string[] = '*', Condition?: unknown) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition !== undefined && { Condition }),
});

const may = (statements: unknown[], action: string, resource: string, keys = {}) => {
  try {
    roleWith(statements).authorize(caller, [{ action, resource }], keys);
    return true;
  } catch {
    return false;
  }
};

test('what no statement allows is denied, in the words of AWS', () => {
  assert.throws(
    () =>
      roleWith([allow('s3:GetObject')]).authorize(caller, [{ action: 's3:PutObject', resource: 'arn:aws:s3:::b/k' }]),
    {
      name: 'AccessDeniedException',
      message:
        'User: arn:aws:sts::000000000000:assumed-role/worker/extract is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:PutObject action',
    },
  );
});

test('the operator may do everything, a role that does not exist nothing', () => {
  const iam = roleWith([]);
  iam.authorize({ arn: 'operator', accessKeyId: 'operator' }, [{ action: 's3:PutObject', resource: 'b' }]);
  assert.throws(
    () => iam.authorize(assumedRole(`${arn}2`, 'x', 'x'), [{ action: 's3:PutObject', resource: 'b' }]),
    /not authorized/,
  );
});

test('every permission of a call is needed', () => {
  const iam = roleWith([allow('secretsmanager:CreateSecret')]);
  const needed = ['secretsmanager:CreateSecret', 'secretsmanager:TagResource'].map((action) => ({
    action,
    resource: 'x',
  }));
  iam.authorize(caller, needed.slice(0, 1));
  assert.throws(() => iam.authorize(caller, needed), /secretsmanager:TagResource/);
});

const cases: [
  says: string,
  expected: boolean,
  statements: unknown[],
  action: string,
  resource: string,
  keys?: object,
][] = [
  ['an exact resource', true, [allow('dynamodb:GetItem', table)], 'dynamodb:GetItem', table],
  ['another resource', false, [allow('dynamodb:GetItem', table)], 'dynamodb:GetItem', `${table}2`],
  ['an index is not its table', false, [allow('dynamodb:Query', table)], 'dynamodb:Query', `${table}/index/i`],
  ['a star', true, [allow('dynamodb:*', `${table}/index/*`)], 'dynamodb:Query', `${table}/index/i`],
  ['a question mark is one character', false, [allow('s3:Get?', '*')], 's3:GetObject', 'x'],
  ['a dot is only a dot', false, [allow('s3:GetObject', 'arn:aws:s3:::a.b/*')], 's3:GetObject', 'arn:aws:s3:::axb/k'],
  ['actions in any case', true, [allow('S3:getobject', '*')], 's3:GetObject', 'x'],
  [
    'resources in their own case',
    false,
    [allow('s3:GetObject', 'arn:aws:s3:::b/K')],
    's3:GetObject',
    'arn:aws:s3:::b/k',
  ],
  [
    'deny over allow',
    false,
    [allow('s3:*'), { Effect: 'Deny', Action: 's3:PutObject', Resource: '*' }],
    's3:PutObject',
    'x',
  ],
  ['all but', true, [{ Effect: 'Allow', NotAction: 's3:Delete*', Resource: '*' }], 's3:PutObject', 'x'],
  ['all but this one', false, [{ Effect: 'Allow', NotAction: 's3:Delete*', Resource: '*' }], 's3:DeleteObject', 'x'],
];
const tagged = { StringEquals: { 'aws:ResourceTag/redshift-loader': 'job' } };
const keyed = { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['job#*'] } };
const owner = { StringEquals: { 'redshift-data:statement-owner-iam-userid': `\${${'aws:userid'}}` } };
cases.push(
  ['a tag that is there', true, [allow('x:Y', '*', tagged)], 'x:Y', 'r', { 'aws:ResourceTag/redshift-loader': 'job' }],
  ['a tag that is missing', false, [allow('x:Y', '*', tagged)], 'x:Y', 'r'],
  [
    'a tag of another value',
    false,
    [allow('x:Y', '*', tagged)],
    'x:Y',
    'r',
    { 'aws:ResourceTag/redshift-loader': 'no' },
  ],
  ['all keys fit', true, [allow('x:Y', '*', keyed)], 'x:Y', 'r', { 'dynamodb:LeadingKeys': ['job#1', 'job#2'] }],
  ['one key does not', false, [allow('x:Y', '*', keyed)], 'x:Y', 'r', { 'dynamodb:LeadingKeys': ['job#1', 'run#2'] }],
  ['a variable that is unknown', false, [allow('x:Y', '*', owner)], 'x:Y', 'r'],
  ['TLS is taken as given', true, [allow('x:Y', '*', { Bool: { 'aws:SecureTransport': 'true' } })], 'x:Y', 'r'],
  [
    'a condition key that is unknown',
    false,
    [allow('x:Y', '*', { StringEquals: { 'made:up': 'a' } })],
    'x:Y',
    'r',
    { 'made:up': 'a' },
  ],
  ['an operator that is unknown', false, [allow('x:Y', '*', { IpAddress: { 'aws:SourceAccount': 'a' } })], 'x:Y', 'r'],
  ['not equal, and absent', true, [allow('x:Y', '*', { StringNotEquals: { 'aws:SourceArn': 'a' } })], 'x:Y', 'r'],
  [
    'if it exists, and absent',
    true,
    [allow('x:Y', '*', { StringEqualsIfExists: { 'aws:SourceArn': 'a' } })],
    'x:Y',
    'r',
  ],
);
for (const [says, expected, statements, action, resource, keys] of cases) {
  test(`a policy ${expected ? 'allows' : 'denies'}: ${says}`, () =>
    assert.equal(may(statements, action, resource, keys), expected));
}

test('a denial by a condition key that is unknown here says so', () => {
  const iam = roleWith([allow('x:Y', '*', { StringEquals: { 'made:up': 'a' } })]);
  assert.throws(() => iam.authorize(caller, [{ action: 'x:Y', resource: 'r' }]), /UnknownConditionKey: made:up/);
});

test('only the service that a role trusts may assume it', () => {
  const iam = roleWith([]);
  iam.assume(arn, 'lambda.amazonaws.com');
  assert.throws(
    () => iam.assume(arn, 'states.amazonaws.com'),
    /states\.amazonaws\.com is not authorized to assume role/,
  );
});

test('a managed policy whose content is unknown is refused by name', () => {
  const admin = 'arn:aws:iam::aws:policy/AdministratorAccess';
  assert.throws(
    () => roleWith([], { ManagedPolicyArns: [admin] }),
    /UnknownManagedPolicy: worker uses .*AdministratorAccess/,
  );
});
