import { createHash } from 'node:crypto';
import { ACCOUNT, REGION } from './identity.ts';

/** How CloudFormation names a resource of one type. */
interface Naming {
  /** The property that may give the name; absent: the name is always generated. */
  property?: string;
  /** Longest name that the service allows. */
  length: number;
  arn(name: string): string;
  /** What `Ref` returns. */
  ref: 'name' | 'arn';
  /** What `Fn::GetAtt` returns beside `Arn`. */
  attributes?(name: string): Record<string, string>;
  /** Bucket names are lower case. */
  lowerCase?: boolean;
  /** Nothing happens on this machine when such a resource exists. */
  noEffect?: boolean;
}

const arn = (service: string, resource: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${resource}`;
/** Streams are named by the time of their creation; ours never change. */
const streamOf = (table: string) => `${arn('dynamodb', `table/${table}`)}/stream/2026-01-01T00:00:00.000`;

const table: Naming = {
  property: 'TableName',
  length: 255,
  ref: 'name',
  arn: (name) => arn('dynamodb', `table/${name}`),
  attributes: (name) => ({ StreamArn: streamOf(name), TableId: name }),
};

const inert = (service: string, kind: string, property?: string, ref: Naming['ref'] = 'name'): Naming => ({
  property,
  length: 128,
  ref,
  arn: (name) => arn(service, `${kind}${name}`),
  noEffect: true,
});

const network = (attribute: string): Naming => ({
  ...inert('ec2', `${attribute}/`),
  attributes: (name) => ({ [attribute]: name, Id: name }),
});

export const namings: Record<string, Naming> = {
  'AWS::Lambda::Function': {
    property: 'FunctionName',
    length: 64,
    ref: 'name',
    arn: (name) => arn('lambda', `function:${name}`),
  },
  'AWS::IAM::Role': {
    property: 'RoleName',
    length: 64,
    ref: 'name',
    arn: (name) => `arn:aws:iam::${ACCOUNT}:role/${name}`,
    attributes: (name) => ({ RoleId: roleId(name) }),
  },
  'AWS::IAM::Policy': { property: 'PolicyName', length: 128, ref: 'name', arn: (name) => arn('iam', `policy/${name}`) },
  'AWS::IAM::ManagedPolicy': {
    property: 'ManagedPolicyName',
    length: 128,
    ref: 'arn',
    arn: (name) => `arn:aws:iam::${ACCOUNT}:policy/${name}`,
    attributes: (name) => ({ PolicyArn: `arn:aws:iam::${ACCOUNT}:policy/${name}` }),
  },
  'AWS::DynamoDB::Table': table,
  'AWS::DynamoDB::GlobalTable': table,
  'AWS::S3::Bucket': {
    property: 'BucketName',
    length: 63,
    ref: 'name',
    lowerCase: true,
    arn: (name) => `arn:aws:s3:::${name}`,
    attributes: (name) => ({
      DomainName: `${name}.s3.amazonaws.com`,
      RegionalDomainName: `${name}.s3.${REGION}.amazonaws.com`,
    }),
  },
  'AWS::StepFunctions::StateMachine': {
    property: 'StateMachineName',
    length: 80,
    ref: 'arn',
    arn: (name) => arn('states', `stateMachine:${name}`),
    attributes: (name) => ({ Name: name }),
  },
  'AWS::Events::Rule': { property: 'Name', length: 64, ref: 'name', arn: (name) => arn('events', `rule/${name}`) },
  'AWS::Lambda::EventSourceMapping': {
    length: 64,
    ref: 'name',
    arn: (name) => arn('lambda', `event-source-mapping:${name}`),
    attributes: (name) => ({ Id: name }),
  },
  'AWS::Lambda::EventInvokeConfig': { length: 64, ref: 'name', arn: (name) => arn('lambda', `event-invoke:${name}`) },
  'AWS::Lambda::Permission': { length: 64, ref: 'name', arn: (name) => arn('lambda', `permission:${name}`) },
  'AWS::Scheduler::ScheduleGroup': {
    property: 'Name',
    length: 64,
    ref: 'name',
    arn: (name) => arn('scheduler', `schedule-group/${name}`),
  },
  'AWS::Scheduler::Schedule': {
    property: 'Name',
    length: 64,
    ref: 'name',
    arn: (name) => arn('scheduler', `schedule/default/${name}`),
  },
  'AWS::SQS::Queue': {
    property: 'QueueName',
    length: 80,
    ref: 'name',
    arn: (name) => arn('sqs', name),
    attributes: (name) => ({ QueueName: name, QueueUrl: `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}` }),
  },
  'AWS::SNS::Topic': {
    property: 'TopicName',
    length: 256,
    ref: 'arn',
    arn: (name) => arn('sns', name),
    attributes: (name) => ({ TopicName: name, TopicArn: arn('sns', name) }),
  },
  'AWS::KMS::Key': {
    ...inert('kms', 'key/'),
    attributes: (name) => ({ KeyId: name }),
  },
  'AWS::KMS::Alias': inert('kms', '', 'AliasName'),
  'AWS::Logs::LogGroup': inert('logs', 'log-group:', 'LogGroupName'),
  'AWS::Logs::MetricFilter': inert('logs', 'metric-filter:'),
  'AWS::CloudWatch::Alarm': inert('cloudwatch', 'alarm:', 'AlarmName'),
  'AWS::CloudWatch::CompositeAlarm': inert('cloudwatch', 'alarm:', 'AlarmName'),
  'AWS::CloudWatch::Dashboard': inert('cloudwatch', 'dashboard/', 'DashboardName'),
  'AWS::CDK::Metadata': inert('cdk', ''),
  'AWS::S3::BucketPolicy': inert('s3', 'policy/'),
  'AWS::SNS::Subscription': inert('sns', '', undefined, 'arn'),
  'AWS::SNS::TopicPolicy': inert('sns', 'policy/'),
  'AWS::SQS::QueuePolicy': inert('sqs', 'policy/'),
  'AWS::SSM::Parameter': inert('ssm', 'parameter', 'Name'),
  'AWS::EC2::SecurityGroup': network('GroupId'),
  'AWS::EC2::SecurityGroupIngress': network('Id'),
  'AWS::EC2::SecurityGroupEgress': network('Id'),
  'AWS::EC2::VPCEndpoint': network('Id'),
  'AWS::EC2::VPC': network('VpcId'),
  'AWS::EC2::Subnet': network('SubnetId'),
  'AWS::EC2::RouteTable': network('RouteTableId'),
  'AWS::EC2::SubnetRouteTableAssociation': network('Id'),
  'Custom::S3AutoDeleteObjects': inert('cloudformation', 'custom/'),
  'Custom::VpcRestrictDefaultSG': inert('cloudformation', 'custom/'),
};

export interface PhysicalNames {
  name: string;
  arn: string;
  ref: string;
  attributes: Record<string, string>;
}

/**
 * Name, ARN and attributes of a resource: its given name, or one generated from stack and logical id as CloudFormation
 * does (always the same one here, so that a second start finds its table again).
 *
 * @throws `UnsupportedResource` with the resource's type
 */
export function physicalNames(type: string, given: unknown, stackName: string, logicalId: string): PhysicalNames {
  const naming = namings[type];
  if (naming === undefined) {
    throw new Error(
      `UnsupportedResource: ${logicalId} is a ${type}, which the local cloud doesn't know – see local/physical-names.ts`,
    );
  }
  const generated = generatedName(stackName, logicalId, naming.length);
  const name = typeof given === 'string' ? given : naming.lowerCase ? generated.toLowerCase() : generated;
  const arnOfName = naming.arn(name);
  return {
    name,
    arn: arnOfName,
    ref: naming.ref === 'arn' ? arnOfName : name,
    attributes: { Arn: arnOfName, ...naming.attributes?.(name) },
  };
}

/** IAM's unique id of a role, which `${aws:userid}` starts with. */
export function roleId(roleName: string): string {
  return `AROA${suffix(`role ${roleName}`, 17)}`;
}

function generatedName(stackName: string, logicalId: string, length: number): string {
  const hash = suffix(`${stackName} ${logicalId}`, 12);
  return `${`${stackName}-${logicalId}`.slice(0, length - hash.length - 1)}-${hash}`;
}

function suffix(text: string, length: number): string {
  const bytes = createHash('sha256').update(text).digest();
  return Array.from(bytes.subarray(0, length), (byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32]).join('');
}
