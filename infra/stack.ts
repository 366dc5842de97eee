import { CfnOutput, Stack } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';
import { clusterIdentifier, isServerless } from '../shared/model/destination.ts';
import { Alarms } from './alarms.ts';
import { Functions } from './functions.ts';
import { LoadJob } from './load-job.ts';
import { LoadTable } from './load-table.ts';
import { NAMES } from './names.ts';
import { Scheduling } from './scheduling.ts';
import type { Settings } from './settings.ts';
import { SetupJob } from './setup-job.ts';
import { Storage } from './storage.ts';
import { VerifyJob } from './verify-job.ts';

/** Everything that one `cdk deploy` puts into an account. */
export class RedshiftLoader extends Stack {
  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, { description: 'Keeps Amazon Redshift a near-real-time replica of PostgreSQL databases' });
    const storage = new Storage(this, 'Storage');
    const scheduling = new Scheduling(this, 'Scheduling');
    const functions = new Functions(this, 'Functions', settings, storage, scheduling);
    scheduling.follow(storage.table, functions.all['sync-schedules']);
    const setup = new SetupJob(this, 'SetupJob', functions);
    const loadTable = new LoadTable(this, 'LoadTable', functions);
    const verifyJob = new VerifyJob(this, 'VerifyJob', functions);
    const loadJob = new LoadJob(this, 'LoadJob', functions, {
      loadTable: loadTable.machine,
      setupJob: setup.machine,
      verifyJob: verifyJob.machine,
    });

    // Leases are given back the moment that an execution ends badly, not when they expire.
    new Rule(this, 'ExecutionEnded', {
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          status: ['FAILED', 'ABORTED', 'TIMED_OUT'],
          stateMachineArn: [loadJob, loadTable, verifyJob].map(({ machine }) => machine.stateMachineArn),
        },
      },
      targets: [new LambdaFunction(functions.all.release)],
    });

    const machines = [setup.machine, loadTable.machine, loadJob.machine, verifyJob.machine];
    new Alarms(
      this,
      'Alarms',
      { machines, functions: Object.values(functions.all), deadLetters: scheduling.deadLetters },
      settings.alarmEmail,
    );

    this.#output('ConfigTable', 'The DynamoDB table of jobs, tables and their progress', storage.table.tableName);
    this.#output('StageBucket', 'Where batches wait for their load', storage.bucket.bucketName);
    this.#output('SetupJobArn', 'The state machine that sets a job up', setup.machine.stateMachineArn);
    this.#output('LoadJobArn', 'The state machine that runs a job', loadJob.machine.stateMachineArn);
    this.#output('LoadTableArn', 'The state machine that loads one large table', loadTable.machine.stateMachineArn);
    this.#output('VerifyJobArn', 'The state machine that compares both sides', verifyJob.machine.stateMachineArn);
    this.#output(
      'Admin',
      'Creates and edits jobs; npm run admin -- --help lists all commands',
      `aws lambda invoke --function-name ${NAMES.admin} --cli-binary-format raw-in-base64-out --payload '{"operation":"jobs.list"}' /dev/stdout`,
    );
    this.#output('CopyRoleArn', 'The role that COPY reads the stage by', functions.copyRole.roleArn);
    this.#output(
      'SourceGrants',
      'Run at each source database, as an administrator',
      'GRANT USAGE ON SCHEMA public TO loader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO loader; GRANT pg_read_all_stats TO loader;',
    );
    for (const destination of settings.destinations) this.#handiwork(destination, functions.copyRole.roleArn);
  }

  /** What a person must still do for a destination, as commands to paste. */
  #handiwork(destination: Settings['destinations'][number], copyRoleArn: string): void {
    const { name, schema, database } = destination;
    const title = name.replace(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase());
    // update-namespace replaces the list of roles: whoever has others names them, too.
    const attach = isServerless(destination)
      ? `aws redshift-serverless update-namespace --namespace-name NAMESPACE --iam-roles ${copyRoleArn} EVERY_ROLE_IT_HAS_NOW`
      : `aws redshift modify-cluster-iam-roles --cluster-identifier ${clusterIdentifier(destination)} --add-iam-roles ${copyRoleArn}`;
    const complete = isServerless(destination) ? ' (give the complete list of roles)' : '';
    this.#output(`Attach${title}`, `Lets COPY into ${name} read the stage${complete}`, attach);
    if (destination.secretArn) return;
    const user = `"IAMR:${NAMES.warehouseRole}"`;
    this.#output(
      `Grant${title}`,
      `Run in ${name}'s database ${database}, as an administrator`,
      `CREATE SCHEMA IF NOT EXISTS "${schema}"; CREATE USER ${user} PASSWORD DISABLE; GRANT USAGE, CREATE ON SCHEMA "${schema}" TO ${user}; GRANT TEMPORARY ON DATABASE "${database}" TO ${user};`,
    );
  }

  #output(id: string, description: string, value: string): void {
    new CfnOutput(this, id, { description, value });
  }
}
