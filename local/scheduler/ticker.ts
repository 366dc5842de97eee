import { randomUUID } from 'node:crypto';
import { parseExpression } from './expression.ts';
import { type ScheduleStore, type StoredSchedule, scheduleArn } from './schedules.ts';

const MINUTE = 60_000;
/** The first pause before a target is tried again; each is twice the one before. */
const FIRST_RETRY_MS = 1_000;

interface Invocation {
  schedule: StoredSchedule;
  /** Epoch milliseconds. */
  scheduled: number;
  attempt: number;
  next: number;
}

export interface TickerPorts {
  schedules: ScheduleStore;
  now(): number;
  /** Calls the target once. A throw is tried again, as the schedule's retry policy says. */
  invoke(schedule: StoredSchedule, input: string): Promise<void>;
  /** A tick was given up. */
  onGivenUp(schedule: StoredSchedule, input: string, error: unknown): void;
}

/** What fires, and when. */
export class Ticker {
  readonly #ports: TickerPorts;
  #waiting: Invocation[] = [];
  #until: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(ports: TickerPorts) {
    this.#ports = ports;
  }

  /** Ticks by the clock from now on. What would have ticked before is not made up for. */
  start(): void {
    this.#until = this.#ports.now();
    this.#timer ??= setInterval(() => void this.advance(this.#ports.now()), 1_000);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#working;
  }

  /** Fires what is due after the time reached so far up to `to`, and tries again what failed. One call after the other. */
  advance(to: number): Promise<void> {
    this.#working = this.#working.then(() => this.#advance(to));
    return this.#working;
  }

  async #advance(to: number): Promise<void> {
    const from = this.#until ?? to - 1;
    for (let minute = Math.floor(from / MINUTE) * MINUTE + MINUTE; minute <= to; minute += MINUTE) {
      await this.#deliver(minute);
      for (const schedule of this.#ports.schedules.all())
        if (isDue(schedule, minute)) this.#waiting.push({ schedule, scheduled: minute, attempt: 1, next: minute });
      await this.#deliver(minute);
    }
    this.#until = Math.max(from, to);
    await this.#deliver(to);
  }

  async #deliver(now: number): Promise<void> {
    const ready = this.#waiting.filter(({ next }) => next <= now);
    this.#waiting = this.#waiting.filter(({ next }) => next > now);
    await Promise.all(ready.map((one) => this.#attempt(one, now)));
  }

  async #attempt(one: Invocation, now: number): Promise<void> {
    const { schedule, scheduled, attempt } = one;
    const input = withContext(schedule, scheduled, attempt);
    const { MaximumEventAgeInSeconds, MaximumRetryAttempts } = schedule.definition.Target.RetryPolicy;
    const tooOld = now - scheduled > MaximumEventAgeInSeconds * 1000;
    if (tooOld) return this.#ports.onGivenUp(schedule, input, new Error('MaximumEventAgeInSeconds has passed'));
    try {
      await this.#ports.invoke(schedule, input);
    } catch (error) {
      if (attempt > MaximumRetryAttempts) return this.#ports.onGivenUp(schedule, input, error);
      this.#waiting.push({ ...one, attempt: attempt + 1, next: now + FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 6) });
    }
  }
}

function isDue({ definition, created }: StoredSchedule, minute: number): boolean {
  const { State, ScheduleExpression, ScheduleExpressionTimezone } = definition;
  return State === 'ENABLED' && parseExpression(ScheduleExpression, ScheduleExpressionTimezone, created)(minute);
}

/** The input with the attributes that Scheduler knows ("Adding context attributes", EventBridge Scheduler User Guide). */
function withContext({ group, name, definition }: StoredSchedule, scheduled: number, attempt: number): string {
  const known: Record<string, string> = {
    'schedule-arn': scheduleArn(group, name),
    'scheduled-time': new Date(scheduled).toISOString().replace('.000Z', 'Z'),
    'execution-id': randomUUID(),
    'attempt-number': String(attempt),
  };
  return (definition.Target.Input ?? '{}').replace(
    /<aws\.scheduler\.([a-z-]+)>/g,
    (whole, attribute: string) => known[attribute] ?? whole,
  );
}
