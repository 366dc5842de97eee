import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { FilterCriteria, FilterRule, type IFunction, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource, SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { SchedulerSettings } from '../shared/aws/scheduler.ts';
import { machineArns } from './administration.ts';
import { accept, SCHEDULES_OF_GROUP } from './nag.ts';
import { NAMES } from './names.ts';

/** What EventBridge Scheduler needs to start runs, and what makes it follow the config table. */
export class Scheduling extends Construct {
  /** Ticks and changes of schedules that were given up. */
  readonly deadLetters: Queue;
  readonly settings: SchedulerSettings;
  readonly #role: Role;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    new CfnScheduleGroup(this, 'Group', { name: NAMES.scheduleGroup });
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    accept(this.deadLetters, { SQS3: 'It is the dead-letter queue.' });
    const { loadJob } = machineArns(this);
    this.#role = this.#schedulerRole('Role', 'Lets schedules start runs');
    this.#role.addToPolicy(new PolicyStatement({ actions: ['states:StartExecution'], resources: [loadJob] }));
    this.deadLetters.grantSendMessages(this.#role);
    this.settings = {
      group: NAMES.scheduleGroup,
      target: loadJob,
      role: this.#role.roleArn,
      deadLetters: this.deadLetters.queueArn,
    };
  }

  /** Has `sync` called within seconds of every change of a schedule or a job, and once an hour to repair and to listen. */
  follow(table: ITable, sync: IFunction): void {
    const key = (sk: unknown, more = {}) => FilterCriteria.filter({ dynamodb: { Keys: { sk: { S: sk } } }, ...more });
    sync.addEventSource(
      new DynamoEventSource(table, {
        startingPosition: StartingPosition.TRIM_HORIZON,
        batchSize: 100,
        filters: [key(FilterRule.beginsWith('SCHEDULE#')), key(FilterRule.isEqual('JOB'))],
        reportBatchItemFailures: true,
        // What is given up is alarmed of, and repaired within the hour.
        retryAttempts: 5,
        onFailure: new SqsDlq(this.deadLetters),
      }),
    );
    const allow = (actions: string[], resources: string[], conditions?: Record<string, unknown>) =>
      sync.addToRolePolicy(new PolicyStatement({ actions, resources, ...(conditions ? { conditions } : {}) }));
    const schedules = Stack.of(this).formatArn({
      service: 'scheduler',
      resource: 'schedule',
      resourceName: `${NAMES.scheduleGroup}/*`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    allow(
      ['Get', 'Create', 'Update', 'Delete'].map((verb) => `scheduler:${verb}Schedule`),
      [schedules],
    );
    // It knows no resources (Service Authorization Reference).
    allow(['scheduler:ListSchedules'], ['*']);
    allow(['iam:PassRole'], [this.#role.roleArn], {
      StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' },
    });
    accept(sync, SCHEDULES_OF_GROUP);
    this.#hourly(sync);
  }

  /** In the default group: those of ours belong to jobs. At a minute when few other schedules tick. */
  #hourly(sync: IFunction): void {
    const role = this.#schedulerRole('RepairRole', 'Lets a schedule repair the others');
    role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [sync.functionArn] }));
    new CfnSchedule(this, 'Repair', {
      description: 'Repairs schedules of Redshift Loader and listens for silent ones',
      scheduleExpression: 'cron(17 * * * ? *)',
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: sync.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify({ repair: true }),
        retryPolicy: { maximumEventAgeInSeconds: 1800, maximumRetryAttempts: 10 },
      },
    });
  }

  /** Else another account's schedule could have Scheduler use the role (its guide: "Confused deputy prevention"). */
  #schedulerRole(id: string, description: string): Role {
    return new Role(this, id, {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
      description,
    });
  }
}
