import * as z from 'zod';
import { Destination } from '../model/destination.ts';
import { errors } from '../model/errors.ts';

/** Every environment variable of ours; infra gives each function those that `NEEDS` names, or it does not compile. */
export interface Environment {
  TABLE_NAME: string;
  BUCKET_NAME: string;
  /** JSON array of destinations. */
  DESTINATIONS: string;
  COPY_ROLE_ARN: string;
  /** JSON of MachineArns. */
  MACHINES: string;
  /** The source side's function that tests connections. */
  PROBE_FUNCTION: string;
  /** JSON of SchedulerSettings. */
  SCHEDULER: string;
}

/** What each function is given. The source's side never learns of the warehouse, and the other way round. */
export const NEEDS = {
  inspect: ['TABLE_NAME'],
  'create-tables': ['TABLE_NAME', 'BUCKET_NAME', 'DESTINATIONS', 'COPY_ROLE_ARN'],
  plan: ['TABLE_NAME', 'BUCKET_NAME'],
  split: ['TABLE_NAME'],
  extract: ['TABLE_NAME', 'BUCKET_NAME'],
  load: ['TABLE_NAME', 'BUCKET_NAME', 'DESTINATIONS', 'COPY_ROLE_ARN'],
  finish: ['TABLE_NAME', 'BUCKET_NAME'],
  release: ['TABLE_NAME', 'BUCKET_NAME'],
  'verify-source': ['TABLE_NAME', 'BUCKET_NAME'],
  'verify-warehouse': ['TABLE_NAME', 'BUCKET_NAME', 'DESTINATIONS', 'COPY_ROLE_ARN'],
  probe: ['TABLE_NAME'],
  'sync-schedules': ['TABLE_NAME', 'SCHEDULER'],
  admin: ['TABLE_NAME', 'DESTINATIONS', 'MACHINES', 'PROBE_FUNCTION'],
} as const satisfies Record<string, readonly (keyof Environment)[]>;

export type FunctionName = keyof typeof NEEDS;

/** The variables of one function, read once at its start. @throws LoaderError BadConfiguration naming what is missing */
export function environmentOf<Name extends FunctionName>(name: Name): Pick<Environment, (typeof NEEDS)[Name][number]> {
  const keys: readonly (keyof Environment)[] = NEEDS[name];
  const entries = keys.map((key) => {
    const value = process.env[key];
    if (!value) throw errors.badConfiguration(`the environment lacks ${key}: deploy the stack again`);
    return [key, value];
  });
  return Object.fromEntries(entries);
}

/** All destinations of the deployment. */
export const destinationsIn = (json: string): Destination[] => z.array(Destination).parse(JSON.parse(json));

/** The destination that a job names. @throws LoaderError BadConfiguration listing those there are */
export function destinationOf(json: string, name: string): Destination {
  const all = destinationsIn(json);
  const found = all.find((one) => one.name === name);
  if (found) return found;
  const known = all.map((one) => one.name).join(', ') || 'none';
  throw errors.badConfiguration(
    `the deployment has no destination ${JSON.stringify(name)} (it has: ${known}): add it to the settings and deploy`,
  );
}
