import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const functions = join(import.meta.dirname, 'functions');

/**
 * The assembly of a tiny CDK app: a function that does as it is told, one that listens to a table's stream and to the
 * machine's status changes, one with an incomplete bundle, a table, a bucket, a machine. Synthesized once per content.
 */
export async function fixtureAssembly(): Promise<string> {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename));
  for (const file of readdirSync(functions)) hash.update(readFileSync(join(functions, file)));
  const dir = join(tmpdir(), `redshift-loader-fixture-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(dir)) return dir;
  const unfinished = mkdtempSync(`${dir}-`);
  await synthesize(unfinished);
  try {
    renameSync(unfinished, dir);
  } catch {
    // Another test file has been faster.
    rmSync(unfinished, { recursive: true, force: true });
  }
  return dir;
}

async function synthesize(outdir: string): Promise<void> {
  // CDK bundles by `npx esbuild`, and writes to the home folder.
  process.env.PATH = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`;
  process.env.CDK_HOME = join(outdir, 'home');
  const { App, Aws, CfnOutput, CfnParameter, Duration, Stack } = await import('aws-cdk-lib');
  const { AttributeType, StreamViewType, TableV2 } = await import('aws-cdk-lib/aws-dynamodb');
  const { Rule, RuleTargetInput, EventField } = await import('aws-cdk-lib/aws-events');
  const { LambdaFunction } = await import('aws-cdk-lib/aws-events-targets');
  const { Role, ServicePrincipal, PolicyStatement } = await import('aws-cdk-lib/aws-iam');
  const { FilterCriteria, FilterRule, Runtime, StartingPosition } = await import('aws-cdk-lib/aws-lambda');
  const { DynamoEventSource } = await import('aws-cdk-lib/aws-lambda-event-sources');
  const { NodejsFunction } = await import('aws-cdk-lib/aws-lambda-nodejs');
  const { Bucket } = await import('aws-cdk-lib/aws-s3');
  const { Choice, Condition, DefinitionBody, Fail, QueryLanguage, StateMachine, Succeed } = await import(
    'aws-cdk-lib/aws-stepfunctions'
  );
  const { LambdaInvoke } = await import('aws-cdk-lib/aws-stepfunctions-tasks');

  const { SecurityGroup, Vpc } = await import('aws-cdk-lib/aws-ec2');

  const app = new App({ outdir, analyticsReporting: false });
  const stack = new Stack(app, 'Fixture');
  const greeting = new CfnParameter(stack, 'Greeting', { default: 'hello' });
  const table = new TableV2(stack, 'Table', {
    partitionKey: { name: 'pk', type: AttributeType.STRING },
    dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
  });
  const bucket = new Bucket(stack, 'Bucket', { enforceSSL: true });

  const fn = (
    id: string,
    props: { memorySize?: number; externalModules?: string[]; reservedConcurrentExecutions?: number } = {},
  ) =>
    new NodejsFunction(stack, id, {
      entry: join(functions, `${id.toLowerCase()}.ts`),
      projectRoot: root,
      depsLockFilePath: join(root, 'package-lock.json'),
      runtime: Runtime.NODEJS_24_X,
      timeout: Duration.seconds(2),
      memorySize: props.memorySize,
      reservedConcurrentExecutions: props.reservedConcurrentExecutions,
      bundling: { bundleAwsSDK: true, externalModules: props.externalModules, logLevel: undefined },
      environment: { TABLE: table.tableName, BUCKET: bucket.bucketName, GREETING: greeting.valueAsString },
    });
  const probe = fn('Probe', { memorySize: 256, reservedConcurrentExecutions: 3 });
  const listener = fn('Listener');
  fn('Incomplete', { externalModules: ['pg'] });
  table.grantReadWriteData(probe);
  bucket.grantPut(probe, 'allowed/*');
  listener.addEventSource(
    new DynamoEventSource(table, {
      startingPosition: StartingPosition.LATEST,
      retryAttempts: 2,
      filters: [FilterCriteria.filter({ dynamodb: { Keys: { pk: { S: FilterRule.beginsWith('schedule#') } } } })],
    }),
  );

  const invoke = LambdaInvoke.jsonata(stack, 'Invoke', { lambdaFunction: probe, retryOnServiceExceptions: false });
  const machine = new StateMachine(stack, 'Machine', {
    queryLanguage: QueryLanguage.JSONATA,
    definitionBody: DefinitionBody.fromChainable(
      Choice.jsonata(stack, 'Fails?')
        .when(Condition.jsonata('{% $states.input.fail = true %}'), Fail.jsonata(stack, 'Failed', { error: 'AsAsked' }))
        .otherwise(invoke.next(Succeed.jsonata(stack, 'Done'))),
    ),
  });
  new Rule(stack, 'OnFailure', {
    eventPattern: {
      source: ['aws.states'],
      detailType: ['Step Functions Execution Status Change'],
      detail: { status: ['FAILED', 'ABORTED'], stateMachineArn: [machine.stateMachineArn] },
    },
    targets: [
      new LambdaFunction(listener, {
        event: RuleTargetInput.fromObject({
          execution: EventField.fromPath('$.detail.executionArn'),
          was: EventField.fromPath('$.detail.status'),
        }),
      }),
    ],
  });

  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-1',
    availabilityZones: ['us-east-1a'],
    privateSubnetIds: ['subnet-1'],
  });
  const inside = new NodejsFunction(stack, 'Inside', {
    entry: join(functions, 'probe.ts'),
    projectRoot: root,
    depsLockFilePath: join(root, 'package-lock.json'),
    runtime: Runtime.NODEJS_24_X,
    bundling: { bundleAwsSDK: true },
    vpc,
    securityGroups: [SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-1')],
    environment: { TABLE: table.tableName },
  });
  table.grantReadWriteData(inside);
  machine.grantStartExecution(inside);

  const copy = new Role(stack, 'Copy', { assumedBy: new ServicePrincipal('redshift-serverless.amazonaws.com') });
  copy.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: [bucket.arnForObjects('allowed/*')] }));
  new CfnOutput(stack, 'CopyRole', { value: copy.roleArn });
  new CfnOutput(stack, 'MachineArn', { value: machine.stateMachineArn });
  new CfnOutput(stack, 'Where', { value: `${Aws.REGION}/${Aws.ACCOUNT_ID}` });
  app.synth();
}
