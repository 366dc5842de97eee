import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { REGION } from '../../local/identity.ts';
import { Comparisons } from '../../shared/aws/comparisons.ts';
import { Schedules } from '../../shared/aws/schedules.ts';
import { Ticks } from '../../shared/aws/ticks.ts';
import { Schedule } from '../../shared/model/schedule.ts';
import type { Bench, TestJob } from './harness.ts';

/** How a tick's execution of load-job ended. */
export interface Ticked {
  arn: string;
  name: string;
  status: string;
  /** Why it did not run; null where it did. */
  skipped: string | null;
}

/** Ticks as Scheduler would deliver them, to a bench's installation. */
export function ticking(server: Bench) {
  const made = () => {
    const { cloud } = server.installation;
    const client = { endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials };
    const table = cloud.outputs.ConfigTable ?? '';
    const dynamodb = new DynamoDBClient(client);
    return {
      machine: cloud.outputs.LoadJobArn,
      states: new SFNClient(client),
      schedules: new Schedules(table, dynamodb),
      ticks: new Ticks(table, dynamodb),
      comparisons: new Comparisons(table, dynamodb),
    };
  };
  let parts: ReturnType<typeof made> | undefined;
  const at = () => {
    parts ??= made();
    return parts;
  };

  const start = async ({ jobId }: TestJob, scheduleId: string, scheduledTime: string): Promise<string> => {
    const input = JSON.stringify({ jobId, scheduleId, scheduledTime, trigger: 'schedule' });
    const { executionArn = '' } = await at().states.send(
      new StartExecutionCommand({ stateMachineArn: at().machine, input }),
    );
    return executionArn;
  };
  const ended = async (executionArn: string): Promise<Ticked> => {
    for (;;) {
      const { name = '', status = '', output } = await at().states.send(new DescribeExecutionCommand({ executionArn }));
      if (status !== 'RUNNING') {
        const { skipped = null } = JSON.parse(output ?? '{}') as { skipped?: { code: string } | null };
        return { arn: executionArn, name, status, skipped: skipped?.code ?? null };
      }
      await sleep(50);
    }
  };

  return {
    at,
    start,
    ended,
    /** Delivers one tick. */
    tick: async (job: TestJob, scheduledTime: string, scheduleId = 'main') =>
      ended(await start(job, scheduleId, scheduledTime)),
    stop: (executionArn: string) => at().states.send(new StopExecutionCommand({ executionArn })),
    /** Gives the job a schedule. */
    async schedule({ jobId }: TestJob, more: Partial<Schedule> = {}): Promise<Schedule> {
      const schedule = Schedule.parse({ jobId, scheduleId: 'main', name: 'Main', frequency: 300, ...more });
      await at().schedules.create(schedule);
      return schedule;
    },
    memory: ({ jobId }: TestJob, scheduleId = 'main') => at().ticks.readMemory(jobId, scheduleId),
    /** What became of the ticks, oldest first: `10:05 skipped too-soon`. */
    history: async ({ jobId }: TestJob): Promise<string[]> => {
      const records = await at().ticks.list(jobId, 100);
      return records.reverse().map((record) => {
        const detail = { skipped: 'code', ran: 'outcome', due: 'runId' }[record.status] as keyof typeof record;
        return `${record.scheduledTime.slice(11, 16)} ${record.status} ${record[detail]}`;
      });
    },
  };
}

/** A tick's scheduled time, as Scheduler writes it. */
export const time = (clock: string): string => `2026-11-22T${clock}:00Z`;
