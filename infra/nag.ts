import { type CfnElement, Stack, Validations } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';
import { CHANGED_PREFIX, COMPARE_PREFIX, STAGE_PREFIX } from './names.ts';

/** Accepts findings of cdk-nag for one construct, each for a stated reason; any other wildcard still fails the synth. */
export function accept(construct: IConstruct, findings: Record<string, string>): void {
  for (const [id, reason] of Object.entries(findings))
    Validations.of(construct).acknowledge({ id: `AwsSolutions-${id}`, reason });
}

/** How cdk-nag spells `GetAtt Arn` of a resource in a finding. */
function arnOf(construct: IConstruct): string {
  const element = construct.node.defaultChild as CfnElement;
  return `<${Stack.of(construct).getLogicalId(element)}.Arn>`;
}

export const stagedObjects = (bucket: Bucket): Record<string, string> => ({
  [`IAM5[Resource::${arnOf(bucket)}/${STAGE_PREFIX}*]`]: 'Batches get new keys below this prefix at every run.',
});

export const changedObjects = (bucket: Bucket): Record<string, string> => ({
  [`IAM5[Resource::${arnOf(bucket)}/${CHANGED_PREFIX}*]`]: 'Each batch has a key of its own below this prefix.',
});

export const comparedObjects = (bucket: Bucket): Record<string, string> => ({
  [`IAM5[Resource::${arnOf(bucket)}/${COMPARE_PREFIX}*]`]: 'Every comparison writes new keys below this prefix.',
});

export const LAMBDA_LOGS = {
  'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]':
    "AWS's managed policy lets a function write its own logs.",
};

export const LAMBDA_NETWORK = {
  'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]':
    "AWS's managed policy lets a function use its network interfaces.",
};

export const XRAY = { 'IAM5[Resource::*]': 'X-Ray and log delivery know no resources.' };

export const TAGGED_SECRETS = {
  'IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:*]':
    'Any secret of the account, if an administrator gave it the tag redshift-loader.',
};

export const OWN_SECRETS_ONLY = {
  'IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:redshift-loader/*]':
    'Secrets that jobs own, each under a new name below this prefix.',
};

/** Executions of our machines, whose names are made up as they start. */
export const executionsOf = (machines: string[]): Record<string, string> =>
  Object.fromEntries(
    machines.map((name) => [
      `IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:${name}:*]`,
      'Executions get new names at every start.',
    ]),
  );

/** CDK lets a machine call every version of a function. */
export const versionsOf = (functions: IFunction[]): Record<string, string> =>
  Object.fromEntries(
    functions.map((one) => [`IAM5[Resource::${arnOf(one)}:*]`, 'Any version of the function that the machine calls.']),
  );

export const SCHEDULES_OF_GROUP = {
  'IAM5[Resource::arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule/redshift-loader/*]':
    'Schedules of the group, one for each item of the config table.',
};
