import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { functionsOf, servicesOf, statementsOf, templateOf } from './fixture.ts';

const template = templateOf({});

test('the bucket is private, encrypted, and cleans itself up, half-finished uploads included', () => {
  template.hasResourceProperties('AWS::S3::Bucket', {
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
    BucketEncryption: {
      ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    },
    OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    LifecycleConfiguration: {
      Rules: [
        { Status: 'Enabled', Prefix: 'stage/', ExpirationInDays: 2 },
        { Status: 'Enabled', Prefix: 'changed/', ExpirationInDays: 90 },
        { Status: 'Enabled', Prefix: 'compare/', ExpirationInDays: 30 },
        { Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } },
      ],
    },
  });
});

test('the bucket takes nothing that does not come by TLS', () => {
  template.hasResourceProperties('AWS::S3::BucketPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Effect: 'Deny',
          Action: 's3:*',
          Principal: { AWS: '*' },
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        }),
      ]),
    },
  });
});

test('the table is paid by request, can be restored, streams both images, expires runs, and outlives the stack', () => {
  template.hasResource('AWS::DynamoDB::GlobalTable', {
    DeletionPolicy: 'Retain',
    Properties: {
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      Replicas: [Match.objectLike({ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } })],
    },
  });
});

test('those who sweep the stage list nothing else, and tell of uploads alone what S3 can not narrow', () => {
  const functions = [...functionsOf(template)];
  const listing = [...statementsOf(template)].flatMap(([role, all]) => {
    const verbs = functions.flatMap(([verb, one]) => (one.role === role ? [verb] : []));
    return all.filter(({ Action }) => Action.includes('s3:ListBucket')).map((one) => ({ ...one, verbs }));
  });
  const sweeping = listing.filter(({ verbs }) => verbs.length > 0);
  for (const { Condition } of sweeping) assert.deepEqual(Condition, { StringLike: { 's3:prefix': 'stage/*' } });
  assert.deepEqual(sweeping.flatMap(({ verbs }) => verbs).sort(), [
    'create-tables',
    'finish',
    'load',
    'release',
    'verify-source',
    'verify-warehouse',
  ]);
  assert.equal(listing.length - sweeping.length, 1, "COPY's own");
});

test('functions write below their prefixes alone, COPY alone reads what is staged, by its own role; what comparisons found only their two sides may read', () => {
  const functions = [...functionsOf(template)];
  const verbsOf = (role: string) => functions.flatMap(([verb, one]) => (one.role === role ? [verb] : []));
  for (const [role, all] of statementsOf(template))
    for (const { Action, Resource } of all.filter((one) => servicesOf(one).includes('s3'))) {
      const verbs = verbsOf(role);
      if (verbs.length === 0 || Action.some((one) => one.startsWith('s3:List'))) continue;
      const compares = verbs.some((verb) => verb.startsWith('verify-'));
      const below = Action.includes('s3:GetObject') ? '"/compare/\\*"' : '"/(stage|changed)/\\*"';
      assert.ok(compares || !Action.includes('s3:GetObject'), role);
      assert.match(JSON.stringify(Resource), new RegExp(below), role);
    }
  const copying = [...statementsOf(template)].filter(
    ([role, all]) => verbsOf(role).length === 0 && all.some(({ Action }) => Action.includes('s3:GetObject')),
  );
  assert.equal(copying.length, 1);
});
