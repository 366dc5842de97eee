import { isDeepStrictEqual } from 'node:util';
import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  GetScheduleCommand,
  paginateListSchedules,
  ResourceNotFoundException,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import * as z from 'zod';
import type { Followed } from '../core/schedule/follow.ts';

/** What every schedule of the installation has in common. */
export const SchedulerSettings = z.object({
  group: z.string(),
  /** The state machine that a tick starts. */
  target: z.string(),
  /** The role that starts it. */
  role: z.string(),
  /** The queue of ticks that were given up. */
  deadLetters: z.string(),
});
export type SchedulerSettings = z.infer<typeof SchedulerSettings>;

/** A schedule that Scheduler holds. */
export interface Held {
  name: string;
  /** Epoch milliseconds of its last change. */
  since: number;
}

/**
 * So many that a burst of edits passes the quotas of EventBridge Scheduler without anybody hearing of it. Not in the SDK's
 * adaptive mode: after twenty refusals in a row it holds back every later call, and a thousand edits took a minute, not seconds.
 */
const ATTEMPTS = 12;

/** Names as Scheduler takes them ("API_DeleteSchedule", EventBridge Scheduler API Reference). */
const NAME = /^[0-9a-zA-Z-_.]{1,64}$/;

/** EventBridge Scheduler, as far as it follows the config table: the schedules of one group. */
export class Scheduler {
  readonly #settings: SchedulerSettings;
  readonly #client: SchedulerClient;

  constructor(settings: SchedulerSettings, client = new SchedulerClient({ maxAttempts: ATTEMPTS })) {
    this.#settings = settings;
    this.#client = client;
  }

  /** Creates or updates a schedule that is not as it should be, and leaves any other alone. */
  async put(followed: Followed): Promise<void> {
    const wanted = this.#definition(followed);
    const held = await this.#get(followed.name);
    if (held === null) await this.#client.send(new CreateScheduleCommand(wanted));
    else if (!isDeepStrictEqual(held, wanted)) await this.#client.send(new UpdateScheduleCommand(wanted));
  }

  /** Deletes a schedule, if there is one. Of an id that a person made up there can be none: Scheduler refuses to look. */
  async remove(name: string): Promise<void> {
    if (!NAME.test(name)) return;
    await this.#unlessMissing(
      this.#client.send(new DeleteScheduleCommand({ Name: name, GroupName: this.#settings.group })),
    );
  }

  /** All schedules of the group. */
  async list(): Promise<Held[]> {
    const held: Held[] = [];
    const pages = paginateListSchedules({ client: this.#client }, { GroupName: this.#settings.group, MaxResults: 100 });
    for await (const { Schedules = [] } of pages)
      for (const { Name = '', LastModificationDate } of Schedules)
        held.push({ name: Name, since: LastModificationDate?.getTime() ?? Number.NEGATIVE_INFINITY });
    return held;
  }

  /** Of a schedule, what `#definition` makes; null where there is none. */
  async #get(name: string): Promise<CreateScheduleCommandInput | null> {
    const found = await this.#unlessMissing(
      this.#client.send(new GetScheduleCommand({ Name: name, GroupName: this.#settings.group })),
    );
    if (!found) return null;
    const { Arn, RoleArn, Input, RetryPolicy, DeadLetterConfig } = found.Target ?? {};
    return {
      Name: found.Name,
      GroupName: found.GroupName,
      ScheduleExpression: found.ScheduleExpression,
      ScheduleExpressionTimezone: found.ScheduleExpressionTimezone,
      State: found.State,
      FlexibleTimeWindow: { Mode: found.FlexibleTimeWindow?.Mode },
      Target: { Arn, RoleArn, Input, RetryPolicy, DeadLetterConfig },
    };
  }

  #definition({ name, expression, enabled, input, lifetime }: Followed): CreateScheduleCommandInput {
    const { group, target, role, deadLetters } = this.#settings;
    return {
      Name: name,
      GroupName: group,
      ScheduleExpression: expression,
      ScheduleExpressionTimezone: 'UTC',
      State: enabled ? 'ENABLED' : 'DISABLED',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: target,
        RoleArn: role,
        Input: input,
        RetryPolicy: { MaximumEventAgeInSeconds: lifetime, MaximumRetryAttempts: 185 },
        DeadLetterConfig: { Arn: deadLetters },
      },
    };
  }

  async #unlessMissing<T>(answer: Promise<T>): Promise<T | null> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return null;
      throw error;
    }
  }
}
