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

test('functions write below their two prefixes alone, and none reads what it staged: COPY does, by its own role', () => {
  const statements = statementsOf(template);
  const ofFunctions = new Set([...functionsOf(template).values()].map(({ role }) => role));
  for (const [role, all] of statements)
    for (const { Action, Resource } of all.filter((one) => servicesOf(one).includes('s3'))) {
      assert.equal(Action.includes('s3:GetObject'), !ofFunctions.has(role) && Action.length === 1, role);
      if (ofFunctions.has(role)) assert.match(JSON.stringify(Resource), /"\/(stage|changed)\/\*"/, role);
    }
});
