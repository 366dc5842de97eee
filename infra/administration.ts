import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { MachineArns } from '../shared/aws/machines.ts';
import { OWN_SECRETS, SECRET_TAG } from '../shared/aws/source-secrets.ts';
import { accept, executionsOf, OWN_SECRETS_ONLY, TAGGED_SECRETS } from './nag.ts';
import { NAMES } from './names.ts';
import type { Storage } from './storage.ts';

/** `arn:…:<service>:…:<resource>:<name>` in this stack's account and region. */
const arnIn = (scope: Construct, service: string, resource: string, resourceName: string): string =>
  Stack.of(scope).formatArn({ service, resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });

/** By their fixed names: the machines are made after the functions that they call. */
export function machineArns(scope: Construct): MachineArns {
  const arn = (name: string) => arnIn(scope, 'states', 'stateMachine', name);
  return {
    setupJob: arn(NAMES.setupJob),
    loadJob: arn(NAMES.loadJob),
    loadTable: arn(NAMES.loadTable),
    verifyJob: arn(NAMES.verifyJob),
  };
}

/** What administrating takes, and no more: it can make and delete jobs' secrets, but read none, and reaches neither side. */
export function allowAdministration(admin: IFunction, probe: IFunction, storage: Storage, machines: MachineArns): void {
  const allow = (actions: string[], resources: string[], conditions?: Record<string, unknown>) =>
    admin.addToRolePolicy(new PolicyStatement({ actions, resources, ...(conditions ? { conditions } : {}) }));
  const secrets = (name: string) => arnIn(admin, 'secretsmanager', 'secret', name);

  storage.grantAdministration(admin);
  allow(['states:StartExecution'], [machines.setupJob, machines.loadJob, machines.verifyJob]);
  allow(['states:ListExecutions'], Object.values(machines));
  const executions = (arn: string) => `${arn.replace(':stateMachine:', ':execution:')}:*`;
  allow(['states:DescribeExecution'], Object.values(machines).map(executions));
  allow(['states:StopExecution'], [machines.loadJob, machines.loadTable].map(executions));
  allow(['lambda:InvokeFunction'], [probe.functionArn]);
  // Tags are given as a secret is made, and never afterwards: nobody's secret becomes readable by it.
  allow(['secretsmanager:CreateSecret', 'secretsmanager:TagResource'], [secrets(`${OWN_SECRETS}*`)], {
    'ForAllValues:StringEquals': { 'aws:TagKeys': [SECRET_TAG] },
  });
  allow(['secretsmanager:DeleteSecret'], [secrets(`${OWN_SECRETS}*`)]);
  allow(['secretsmanager:DescribeSecret'], [secrets('*')], {
    StringLike: { [`secretsmanager:ResourceTag/${SECRET_TAG}`]: '*' },
  });
  accept(admin, {
    ...TAGGED_SECRETS,
    ...OWN_SECRETS_ONLY,
    ...executionsOf([NAMES.setupJob, NAMES.loadJob, NAMES.loadTable, NAMES.verifyJob]),
  });
}
