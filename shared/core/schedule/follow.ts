import type { Schedule } from '../../model/schedule.ts';
import { expressionFor, schedulerName, tickLifetime } from './expression.ts';

/** A schedule that EventBridge Scheduler follows, or, with the reason for people, does not. */
export type Follow =
  | { schedule: Schedule; enabled: boolean; problem: null }
  | { schedule: null; enabled: false; problem: string };

export interface Item {
  scheduleId: string;
  schedule: Schedule | Error;
}

const parked = (problem: string): Follow => ({ schedule: null, enabled: false, problem });

/**
 * Which of a job's schedules Scheduler follows, by their ids. What makes no sense is parked, and holds up nothing else; of
 * several that bear one name the first by its id has it.
 *
 * @param items in the order of their ids
 * @param job null where there is none
 */
export function follow(items: readonly Item[], job: { disabled: boolean } | null): Map<string, Follow> {
  const named = new Map<string, string>();
  const one = ({ scheduleId, schedule }: Item): Follow => {
    if (schedule instanceof Error) return parked(schedule.message);
    if (!job) return parked(`there is no job ${schedule.jobId}: create it, or delete this schedule`);
    const namesake = named.get(schedule.name.toLowerCase());
    if (namesake)
      return parked(`schedule ${namesake} is called "${schedule.name}" as well: give this one another name`);
    named.set(schedule.name.toLowerCase(), scheduleId);
    return { schedule, enabled: schedule.enabled && !job.disabled, problem: null };
  };
  return new Map(items.map((item) => [item.scheduleId, one(item)]));
}

/** What EventBridge Scheduler should hold for a schedule. */
export interface Followed {
  name: string;
  /** In UTC. */
  expression: string;
  enabled: boolean;
  /** The input of the run, with Scheduler's own attribute for the tick's time. */
  input: string;
  /** Seconds after which an undelivered tick is given up. */
  lifetime: number;
}

/** @param now epoch milliseconds: the offsets of the zone around it are covered */
export function followedOf(schedule: Schedule, enabled: boolean, now: number): Followed {
  const { jobId, scheduleId } = schedule;
  const scheduledTime = '<aws.scheduler.scheduled-time>';
  return {
    name: schedulerName(schedule),
    expression: expressionFor(schedule, now),
    enabled,
    input: JSON.stringify({ jobId, scheduleId, scheduledTime, trigger: 'schedule' }),
    lifetime: tickLifetime(schedule),
  };
}
