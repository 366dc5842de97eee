import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { NAMES } from './names.ts';

const PERIOD = Duration.minutes(5);

/** Our own metrics, installation-wide: a custom metric costs $0.30 a month, so none is kept by table. */
const own = (metricName: string, statistic: string, period = PERIOD): Metric =>
  new Metric({
    namespace: 'RedshiftLoader',
    metricName,
    // What functions/edge.ts writes its metrics under.
    dimensionsMap: { service: 'redshift-loader' },
    statistic,
    period,
  });

/** An alarm takes an expression of so many metrics at the most. */
const MOST_SUMMED = 10;

/** What does not run has no figures, and a sum with a term that has none has none itself: hence FILL. */
const sum = (metrics: IMetric[], label: string): MathExpression =>
  new MathExpression({
    expression: metrics.map((_, i) => `FILL(m${i}, 0)`).join(' + '),
    usingMetrics: Object.fromEntries(metrics.map((metric, i) => [`m${i}`, metric])),
    label,
    period: PERIOD,
  });

interface Watched {
  machines: StateMachine[];
  functions: IFunction[];
  deadLetters: IQueue;
}

/** The topic that people subscribe to, and what it tells them. */
export class Alarms extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { machines, functions, deadLetters }: Watched, email: string | undefined) {
    super(scope, id);
    this.topic = new Topic(this, 'Topic', { displayName: 'Redshift Loader', enforceSSL: true });
    // A topic's own policy replaces the default one, by which alarms of the account may publish.
    this.topic.grantPublish(
      new ServicePrincipal('cloudwatch.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    if (email) this.topic.addSubscription(new EmailSubscription(email));

    const failed = machines.flatMap((machine) => [
      machine.metricFailed({ period: PERIOD }),
      machine.metricTimedOut({ period: PERIOD }),
    ]);
    this.#alarm(
      'ExecutionsFailed',
      sum(failed, 'Executions failed or timed out'),
      `A run failed. Its execution in Step Functions (machines ${NAMES.loadJob}, ${NAMES.loadTable}, ${NAMES.verifyJob}, ${NAMES.setupJob}) names the tables and what to do.`,
    );
    this.#alarm(
      'TablesFailed',
      own('TablesFailed', 'Maximum'),
      "A table could not be read or loaded; the others go on. Its item's lastError says why and what to do.",
    );
    this.#alarm(
      'TablesBehind',
      own('TablesBehind', 'Maximum'),
      "Rows have waited for longer than their job's maxLagSeconds. Look for a load that runs long, or a table that fails again and again.",
    );
    for (let first = 0; first < functions.length; first += MOST_SUMMED)
      this.#alarm(
        `FunctionErrors${first / MOST_SUMMED || ''}`,
        sum(
          functions.slice(first, first + MOST_SUMMED).map((one) => one.metricErrors({ period: PERIOD })),
          'Function errors',
        ),
        'A function ended in an error that the state machines may have retried; its log group has the message.',
      );
    this.#alarm(
      'DeadLetters',
      deadLetters.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: 'Maximum' }),
      'Ticks that could not start their run, or edits of schedules that Scheduler could not follow, were given up. Each message in the queue says which and why; purge it once that is mended.',
    );
    // Every hour there is a figure, 0 where no job has a schedule: two hours without one, or with silent schedules, are too many.
    this.#alarm(
      'SchedulesSilent',
      own('SchedulesSilent', 'Maximum', Duration.hours(1)),
      `Schedules that should have ticked were not heard of, or nobody listens any more. The log of sync-schedules names them; look whether group ${NAMES.scheduleGroup} of EventBridge Scheduler holds them, enabled.`,
      { evaluationPeriods: 2, treatMissingData: TreatMissingData.BREACHING },
    );
    this.#alarm(
      'RowsDrifted',
      own('RowsDrifted', 'Maximum'),
      "A verification found rows that differ and stayed so over a whole pass. The table's COMPARED item counts them and names the object that lists them.",
    );
  }

  /** No figures means that nothing ran, which is no failure of what did not run – except where silence is the symptom. */
  #alarm(id: string, metric: IMetric, alarmDescription: string, more: Partial<AlarmProps> = {}): void {
    new Alarm(this, id, {
      metric,
      alarmDescription,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...more,
    }).addAlarmAction(new SnsAction(this.topic));
  }
}
