import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { ACCOUNT, REGION } from '../identity.ts';
import { ServiceError } from '../service.ts';
import { Definition } from './requests.ts';

const Stored = z.object({
  group: z.string(),
  name: z.string(),
  definition: Definition,
  /** Epoch milliseconds. */
  created: z.number(),
  modified: z.number(),
});
export type StoredSchedule = z.infer<typeof Stored>;
/** A line of the file: a schedule as it is since then, or that it is gone. */
const Change = z.union([Stored, z.object({ gone: z.string() })]);
type Change = z.infer<typeof Change>;

export const scheduleArn = (group: string, name: string): string =>
  `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/${group}/${name}`;
export const groupArn = (group: string): string => `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule-group/${group}`;

/**
 * The schedules that were made by the API, in one file, change by change: written as a whole, a thousand schedules would
 * cost a thousand files of a thousand schedules. Those of the template are made anew at every start.
 */
export class ScheduleStore {
  readonly #file: string;
  readonly #groups: Set<string>;
  readonly #all = new Map<string, StoredSchedule & { fixed?: boolean }>();
  /** Requests by their tokens: asked again with the same token, the same is answered. */
  readonly #tokens = new Map<string, string>();

  constructor(file: string, groups: string[]) {
    this.#file = file;
    this.#groups = new Set(['default', ...groups]);
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    for (const line of lines) {
      const change = Change.parse(JSON.parse(line));
      if ('gone' in change) this.#all.delete(change.gone);
      else this.#all.set(keyOf(change.group, change.name), change);
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, [...this.#all.values()].map((one) => `${JSON.stringify(one)}\n`).join(''));
    renameSync(`${file}.new`, file);
  }

  /** One of the template's: no call changes it. */
  fix(schedule: StoredSchedule): void {
    this.#all.set(keyOf(schedule.group, schedule.name), { ...schedule, fixed: true });
  }

  all(): StoredSchedule[] {
    return [...this.#all.values()].sort((a, b) => (keyOf(a.group, a.name) < keyOf(b.group, b.name) ? -1 : 1));
  }

  /** @throws ServiceError ResourceNotFoundException */
  checkGroup(group: string): void {
    if (!this.#groups.has(group))
      throw new ServiceError('ResourceNotFoundException', `Schedule group ${group} does not exist.`, 404);
  }

  groups(): string[] {
    return [...this.#groups];
  }

  /** @throws ServiceError ResourceNotFoundException */
  get(group: string, name: string): StoredSchedule {
    this.checkGroup(group);
    const found = this.#all.get(keyOf(group, name));
    if (!found) throw new ServiceError('ResourceNotFoundException', `Schedule ${name} does not exist.`, 404);
    return found;
  }

  /** @throws ServiceError ConflictException, ResourceNotFoundException */
  create(group: string, name: string, definition: Definition, token: string | undefined, now: number): void {
    this.checkGroup(group);
    const asked = JSON.stringify([group, name, definition]);
    const known = token === undefined ? undefined : this.#tokens.get(token);
    if (known === asked && this.#all.has(keyOf(group, name))) return;
    if (known !== undefined && known !== asked)
      throw new ServiceError('ConflictException', 'The client token was used with other parameters.', 409);
    if (this.#all.has(keyOf(group, name)))
      throw new ServiceError('ConflictException', `Schedule ${name} already exists.`, 409);
    if (token !== undefined) this.#tokens.set(token, asked);
    this.#put({ group, name, definition, created: now, modified: now });
  }

  /** Replaces all of it: what is left out gets its default. @throws ServiceError ResourceNotFoundException */
  update(group: string, name: string, definition: Definition, now: number): void {
    const { created } = this.get(group, name);
    this.#put({ group, name, definition, created, modified: now });
  }

  /** @throws ServiceError ResourceNotFoundException */
  remove(group: string, name: string): void {
    this.get(group, name);
    this.#all.delete(keyOf(group, name));
    this.#keep({ gone: keyOf(group, name) });
  }

  #put(schedule: StoredSchedule): void {
    this.#all.set(keyOf(schedule.group, schedule.name), schedule);
    this.#keep(schedule);
  }

  #keep(change: Change): void {
    appendFileSync(this.#file, `${JSON.stringify(change)}\n`);
  }
}

const keyOf = (group: string, name: string): string => `${group}/${name}`;
