import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { accept } from './nag.ts';
import { CHANGED_PREFIX, COMPARE_PREFIX, STAGE_PREFIX } from './names.ts';

/** The config table, and the bucket where batches wait for their load. */
export class Storage extends Construct {
  readonly table: TableV2;
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      timeToLiveAttribute: 'expiresAt',
      dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
      // Watermarks say what the warehouse holds: to lose them means to load everything again.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.bucket = new Bucket(this, 'Stage', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [
        { prefix: STAGE_PREFIX, expiration: Duration.days(2) },
        { prefix: CHANGED_PREFIX, expiration: Duration.days(90) },
        { prefix: COMPARE_PREFIX, expiration: Duration.days(30) },
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      // No batch outlives its load.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    accept(this.bucket, {
      S1: 'Objects live for minutes and are read by one role; CloudTrail data events serve those who must log access.',
    });
  }

  /** Progress is written by conditional puts and updates; nothing is ever scanned. */
  grantProgress(grantee: IGrantable): void {
    this.table.grant(
      grantee,
      'dynamodb:Query',
      'dynamodb:GetItem',
      'dynamodb:BatchGetItem',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
    );
  }

  grantReading(grantee: IGrantable): void {
    this.table.grant(grantee, 'dynamodb:Query', 'dynamodb:GetItem', 'dynamodb:BatchGetItem');
  }

  /** People also delete: a job with all that belongs to it. */
  grantAdministration(grantee: IGrantable): void {
    this.grantProgress(grantee);
    this.table.grant(grantee, 'dynamodb:BatchWriteItem', 'dynamodb:DeleteItem');
  }

  grantStaging(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject'],
        resources: [this.bucket.arnForObjects(`${STAGE_PREFIX}*`)],
      }),
    );
  }

  /** Removing what a dead function left: only by listing is it found. */
  grantSweeping(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:AbortMultipartUpload', 's3:DeleteObject'],
        resources: [this.bucket.arnForObjects(`${STAGE_PREFIX}*`)],
      }),
    );
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [this.bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': `${STAGE_PREFIX}*` } },
      }),
    );
    // Knows no prefix as a condition.
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['s3:ListBucketMultipartUploads'], resources: [this.bucket.bucketArn] }),
    );
  }

  /** Telling which rows' values were changed on their way out of the source. */
  grantTelling(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:PutObject'],
        resources: [this.bucket.arnForObjects(`${CHANGED_PREFIX}*`)],
      }),
    );
  }

  /** Both sides of a comparison write and read what was found, since neither may reach what the other does. */
  grantComparing(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject'],
        resources: [this.bucket.arnForObjects(`${COMPARE_PREFIX}*`)],
      }),
    );
  }

  /** What COPY needs: objects by their keys, and the listing by which it resolves a prefix. */
  grantCopying(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['s3:GetObject'], resources: [this.bucket.arnForObjects(`${STAGE_PREFIX}*`)] }),
    );
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['s3:ListBucket', 's3:GetBucketLocation'], resources: [this.bucket.bucketArn] }),
    );
  }
}
