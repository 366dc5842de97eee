import { ServiceError } from '../service.ts';

/** Requests a second, as us-east-1 has them ("Quotas", EventBridge Scheduler User Guide). */
const RATES: Record<string, number> = {
  CreateSchedule: 5_000,
  UpdateSchedule: 1_000,
  DeleteSchedule: 1_000,
  GetSchedule: 1_000,
  ListSchedules: 50,
  GetScheduleGroup: 10,
  ListScheduleGroups: 10,
};
/** "Per-schedule operation rate limit." */
const EACH_SCHEDULE = 10;

/** Counts requests by the second. */
export class Rates {
  readonly #limits: Record<string, number>;
  readonly #now: () => number;
  #second = 0;
  #counts = new Map<string, number>();

  constructor(limits: Record<string, number>, now: () => number) {
    this.#limits = { ...RATES, ...limits };
    this.#now = now;
  }

  /** @throws ServiceError ThrottlingException */
  count(action: string, schedule: string | undefined): void {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) this.#counts = new Map();
    this.#second = second;
    this.#add(action, this.#limits[action] ?? Number.POSITIVE_INFINITY);
    if (schedule !== undefined) this.#add(`schedule ${schedule}`, EACH_SCHEDULE);
  }

  #add(key: string, limit: number): void {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count > limit) throw new ServiceError('ThrottlingException', 'Rate exceeded', 429);
  }
}
