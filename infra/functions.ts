import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  GatewayVpcEndpoint,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  type IVpc,
  Port,
  SecurityGroup,
  Subnet,
  type SubnetSelection,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Function as Lambda, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type Environment, type FunctionName, NEEDS } from '../shared/aws/environment.ts';
import { isServerless } from '../shared/model/destination.ts';
import { allowAdministration, machineArns } from './administration.ts';
import { type Bundles, bundle } from './bundles.ts';
import {
  accept,
  changedObjects,
  comparedObjects,
  LAMBDA_LOGS,
  LAMBDA_NETWORK,
  stagedObjects,
  TAGGED_SECRETS,
  XRAY,
} from './nag.ts';
import { NAMES } from './names.ts';
import type { Scheduling } from './scheduling.ts';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';

/** Lambda gives a whole virtual CPU from here on; compression and TLS use it. */
const ONE_CPU_MB = 1769;

interface Sizing {
  timeout: Duration;
  memorySize: number;
}

const SIZES: Record<FunctionName, Sizing> = {
  inspect: { timeout: Duration.minutes(2), memorySize: 512 },
  'create-tables': { timeout: Duration.minutes(15), memorySize: 256 },
  plan: { timeout: Duration.minutes(5), memorySize: ONE_CPU_MB },
  split: { timeout: Duration.minutes(15), memorySize: 512 },
  extract: { timeout: Duration.minutes(15), memorySize: ONE_CPU_MB },
  load: { timeout: Duration.minutes(15), memorySize: 256 },
  finish: { timeout: Duration.minutes(1), memorySize: 256 },
  'verify-source': { timeout: Duration.minutes(15), memorySize: ONE_CPU_MB },
  'verify-warehouse': { timeout: Duration.minutes(15), memorySize: 512 },
  release: { timeout: Duration.minutes(1), memorySize: 256 },
  probe: { timeout: Duration.minutes(1), memorySize: 256 },
  // An hourly repair looks at every schedule.
  'sync-schedules': { timeout: Duration.minutes(10), memorySize: 256 },
  // Deleting a job with a month of runs takes the longest.
  admin: { timeout: Duration.minutes(5), memorySize: 512 },
};

/** All functions, each with no more rights than its side of the work needs. */
export class Functions extends Construct {
  readonly all: Record<FunctionName, Lambda>;
  /** The role that Redshift's COPY uses. */
  readonly copyRole: Role;
  readonly #settings: Settings;

  constructor(scope: Construct, id: string, settings: Settings, storage: Storage, scheduling: Scheduling) {
    super(scope, id);
    this.#settings = settings;
    this.copyRole = new Role(this, 'CopyRole', {
      assumedBy: new ServicePrincipal('redshift.amazonaws.com'),
      description: 'Lets COPY read what Redshift Loader staged',
    });
    this.copyRole.assumeRolePolicy?.addStatements(
      new PolicyStatement({
        actions: ['sts:AssumeRole'],
        principals: [new ServicePrincipal('redshift-serverless.amazonaws.com')],
      }),
    );
    storage.grantCopying(this.copyRole);

    const machines = machineArns(this);
    const environment: Environment = {
      TABLE_NAME: storage.table.tableName,
      BUCKET_NAME: storage.bucket.bucketName,
      DESTINATIONS: JSON.stringify(settings.destinations),
      COPY_ROLE_ARN: this.copyRole.roleArn,
      MACHINES: JSON.stringify(machines),
      PROBE_FUNCTION: NAMES.probe,
      SCHEDULER: JSON.stringify(scheduling.settings),
    };
    const network = settings.source && this.#network(settings.source);
    const warehouseRole = this.#warehouseRole();
    using bundles = bundle(this, Object.keys(SIZES));
    const source = (name: FunctionName) => this.#function(bundles, name, environment, { network });
    const warehouse = (name: FunctionName) => this.#function(bundles, name, environment, { role: warehouseRole });
    const control = (name: FunctionName) => this.#function(bundles, name, environment, {});
    this.all = {
      inspect: source('inspect'),
      plan: source('plan'),
      split: source('split'),
      extract: source('extract'),
      'verify-source': source('verify-source'),
      'verify-warehouse': warehouse('verify-warehouse'),
      'create-tables': warehouse('create-tables'),
      load: warehouse('load'),
      finish: control('finish'),
      release: control('release'),
      'sync-schedules': control('sync-schedules'),
      probe: this.#function(bundles, 'probe', environment, { network, functionName: NAMES.probe }),
      admin: this.#function(bundles, 'admin', environment, { functionName: NAMES.admin }),
    };
    for (const name of [
      'inspect',
      'plan',
      'split',
      'extract',
      'finish',
      'release',
      'sync-schedules',
      'verify-source',
    ] as const)
      storage.grantProgress(this.all[name]);
    storage.grantProgress(warehouseRole);
    const comparing = this.all['verify-source'];
    const staging = [this.all.plan, this.all.extract, comparing, warehouseRole];
    for (const grantee of staging) storage.grantStaging(grantee);
    const sweeping = [this.all.finish, this.all.release, comparing, warehouseRole];
    for (const grantee of sweeping) storage.grantSweeping(grantee);
    for (const grantee of [...staging, ...sweeping, this.copyRole]) accept(grantee, stagedObjects(storage.bucket));
    for (const grantee of [comparing, warehouseRole]) {
      storage.grantComparing(grantee);
      accept(grantee, comparedObjects(storage.bucket));
    }
    for (const name of ['plan', 'extract'] as const) {
      storage.grantTelling(this.all[name]);
      accept(this.all[name], changedObjects(storage.bucket));
    }
    for (const name of ['inspect', 'plan', 'split', 'extract', 'probe', 'verify-source'] as const)
      this.#grantSecrets(this.all[name]);
    storage.grantReading(this.all.probe);
    allowAdministration(this.all.admin, this.all.probe, storage, machines);
  }

  #function(
    bundles: Bundles,
    name: FunctionName,
    environment: Environment,
    { network, role, functionName }: { network?: Network | undefined; role?: Role; functionName?: string },
  ): Lambda {
    const own: readonly (keyof Environment)[] = NEEDS[name];
    const made = new Lambda(this, name, {
      code: bundles.codeOf(name),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      ...SIZES[name],
      ...(role ? { role } : {}),
      ...(functionName ? { functionName } : {}),
      ...network,
      tracing: Tracing.ACTIVE,
      environment: {
        ...Object.fromEntries(own.map((key) => [key, environment[key]])),
        POWERTOOLS_SERVICE_NAME: name,
      },
      logGroup: new LogGroup(this, `${name}-logs`, {
        retention: this.#settings.logRetentionDays as RetentionDays,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    });
    accept(made, { ...LAMBDA_LOGS, ...(network ? LAMBDA_NETWORK : {}), ...XRAY });
    return made;
  }

  /** The one role that calls the Data API: every role is its own database user, and owns what it creates. */
  #warehouseRole(): Role {
    const role = new Role(this, 'WarehouseRole', {
      roleName: NAMES.warehouseRole,
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSLambdaBasicExecutionRole')],
      description: `The database user IAMR:${NAMES.warehouseRole} of Redshift Loader`,
    });
    const { destinations } = this.#settings;
    if (destinations.length > 0)
      role.addToPolicy(
        new PolicyStatement({
          actions: ['redshift-data:BatchExecuteStatement', 'redshift-data:ExecuteStatement'],
          resources: destinations.map((one) => one.arn),
        }),
      );
    role.addToPolicy(
      new PolicyStatement({
        // These know no resource: a statement is described by its submitter alone.
        actions: [
          'redshift-data:DescribeStatement',
          'redshift-data:GetStatementResult',
          'redshift-data:CancelStatement',
          'redshift-data:ListStatements',
        ],
        resources: ['*'],
      }),
    );
    for (const one of destinations) {
      if (one.secretArn)
        role.addToPolicy(
          new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [one.secretArn] }),
        );
      else if (isServerless(one))
        role.addToPolicy(
          new PolicyStatement({ actions: ['redshift-serverless:GetCredentials'], resources: [one.arn] }),
        );
      else
        role.addToPolicy(
          new PolicyStatement({
            actions: ['redshift:GetClusterCredentialsWithIAM'],
            resources: [one.arn.replace(':cluster:', ':dbname:').concat(`/${one.database}`)],
          }),
        );
    }
    accept(role, {
      ...LAMBDA_LOGS,
      'IAM5[Resource::*]': 'The Data API narrows statements to their submitter; X-Ray knows no resources.',
    });
    return role;
  }

  /** Any secret that an administrator marked as meant for this. */
  #grantSecrets(grantee: Lambda): void {
    grantee.addToRolePolicy(
      new PolicyStatement({
        actions: ['secretsmanager:GetSecretValue'],
        resources: [
          Stack.of(this).formatArn({
            service: 'secretsmanager',
            resource: 'secret',
            resourceName: '*',
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ],
        conditions: { StringLike: { 'secretsmanager:ResourceTag/redshift-loader': '*' } },
      }),
    );
    accept(grantee, TAGGED_SECRETS);
  }

  #network(source: NonNullable<Settings['source']>): Network {
    const vpc = Vpc.fromVpcAttributes(this, 'SourceVpc', {
      vpcId: source.vpcId,
      availabilityZones: source.availabilityZones,
    });
    const subnets = source.subnetIds.map((id, i) => Subnet.fromSubnetId(this, `SourceSubnet${i}`, id));
    const group = SecurityGroup.fromSecurityGroupId(this, 'SourceSecurityGroup', source.securityGroupId);
    if (source.routeTableIds.length > 0) this.#gateways(vpc, source.routeTableIds);
    if (source.secretsManagerEndpoint) {
      // A group of its own: the functions' group need not let itself in.
      const reached = new SecurityGroup(this, 'SecretsManagerGroup', {
        vpc,
        description: 'Lets the functions of Redshift Loader reach Secrets Manager',
        allowAllOutbound: false,
      });
      reached.addIngressRule(group, Port.HTTPS);
      new InterfaceVpcEndpoint(this, 'SecretsManager', {
        vpc,
        service: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
        subnets: { subnets },
        securityGroups: [reached],
        // By default the endpoint lets the whole VPC in, whose range only CloudFormation knows.
        open: false,
      });
    }
    return { vpc, vpcSubnets: { subnets }, securityGroups: [group], allowPublicSubnet: true };
  }

  /** Free, and what makes a NAT gateway unnecessary. */
  #gateways(vpc: IVpc, routeTableIds: string[]): void {
    const subnets = routeTableIds.map((routeTableId, i) =>
      Subnet.fromSubnetAttributes(this, `Route${i}`, { subnetId: `via-${routeTableId}`, routeTableId }),
    );
    for (const [name, service] of [
      ['S3', GatewayVpcEndpointAwsService.S3],
      ['DynamoDB', GatewayVpcEndpointAwsService.DYNAMODB],
    ] as const)
      new GatewayVpcEndpoint(this, name, { vpc, service, subnets: [{ subnets }] });
  }
}

interface Network {
  vpc: IVpc;
  vpcSubnets: SubnetSelection;
  securityGroups: ISecurityGroup[];
  allowPublicSubnet: boolean;
}
