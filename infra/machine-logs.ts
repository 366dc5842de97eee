import { RemovalPolicy } from 'aws-cdk-lib';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { LogLevel, type LogOptions } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';

/** Without the data: what a state carries may hold key values. */
export const machineLogs = (scope: Construct): LogOptions => ({
  level: LogLevel.ALL,
  includeExecutionData: false,
  destination: new LogGroup(scope, 'Logs', {
    logGroupName: `/aws/vendedlogs/states/redshift-loader-${scope.node.id}`,
    retention: RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  }),
});
