import * as z from 'zod';
import { type Destination, isSamePlace } from '../../../shared/model/destination.ts';
import { InvalidInput } from '../../../shared/model/errors.ts';
import { Job } from '../../../shared/model/job.ts';
import { parseInWords, problemsIn } from '../../../shared/model/problems.ts';
import { parseSecret } from '../../../shared/source/connection-string.ts';

const { jobId: _id, ownsSecret: _owns, revision: _revision, secretArn, destination, ...settings } = Job.shape;

/** What a person decides about a job besides its source and destination, with its defaults. */
export const SETTINGS = {
  ...settings,
  sourceSchema: settings.sourceSchema.describe("the source's schema"),
  exclude: settings.exclude.describe('tables that setup leaves out; * stands for anything'),
  policies: settings.policies.describe("what becomes of values that Redshift can't hold"),
  include: settings.include.describe('foreign tables and materialized views that setup copies, too'),
  tables: settings.tables.describe('what is wished of tables before setup makes them, as JSON: docs/values.md'),
  rowLimit: settings.rowLimit.describe('rows of one batch'),
  chunkSize: settings.chunkSize.describe('rows of one chunk'),
  maxSourceConnections: settings.maxSourceConnections.describe("connections that a run's large tables share"),
  scanBack: settings.scanBack.describe('seconds below the fence that every pass reads again'),
  gapDays: settings.gapDays.describe('days that an id which never came is watched for'),
  minShare: settings.minShare.describe("the least share of the warehouse's rows that may replace them, from 0 to 1"),
  maxLagSeconds: settings.maxLagSeconds.describe('seconds after which a table counts as behind'),
  schemaChanges: settings.schemaChanges.describe(
    "whether changes of the source's schema are taken over, or wait for setup",
  ),
  newColumns: settings.newColumns.describe('whether older rows get new columns by a re-load, or when they change'),
  autoAddTables: settings.autoAddTables.describe(
    'tables that are new at the source are set up without being asked for',
  ),
  disabled: settings.disabled.describe('its schedules rest'),
  verifyEvery: settings.verifyEvery.describe('seconds between two verifications; none where it is left out'),
};

/** Either of both: a connection string, which goes to Secrets Manager at once, or the ARN of a secret with our tag. */
export const CONNECTION = {
  connectionString: z
    .string()
    .min(1, 'is empty: write postgres://user:password@host:5432/database')
    .max(10_000, 'is too long: write postgres://user:password@host:5432/database')
    .optional()
    .describe('postgres://user:password@host:5432/database; kept in Secrets Manager, and never shown again'),
  secretArn: secretArn
    .optional()
    .describe('the ARN of a secret of yours that holds the connection string and has the tag redshift-loader'),
};

export const DESTINATION = destination.describe("one of the deployment's destinations");

/** @throws InvalidInput where it is none: its message never repeats the string */
export function checkConnectionString(connectionString: string): void {
  try {
    parseSecret(connectionString);
  } catch (error) {
    throw new InvalidInput([{ field: 'connectionString', message: (error as Error).message }]);
  }
}

/** @throws InvalidInput that lists the deployment's destinations */
export function checkDestination(name: string, destinations: Destination[]): void {
  if (destinations.some((one) => one.name === name)) return;
  const known = destinations.map((one) => one.name).join(', ') || 'none: add one to the settings and deploy';
  throw new InvalidInput([{ field: 'destination', message: `is none of the deployment's: there is ${known}` }]);
}

/**
 * What watermarks say is loaded is loaded in one place: another would never get it, and may have tables of these names that are somebody
 * else's. A name that the deployment has no more was given another there.
 * @throws InvalidInput
 */
export function checkSamePlace(before: string, now: string, destinations: Destination[]): void {
  const [from, to] = [before, now].map((name) => destinations.find((one) => one.name === name));
  if (!from || isSamePlace(from, to)) return;
  const message = `can't change any more: setup has made the job's tables in ${before} – create another job for ${now}`;
  throw new InvalidInput([{ field: 'destination', message }]);
}

/** @throws InvalidInput where its fields don't go together */
export function parseJob(job: unknown): Job {
  const parsed = parseInWords(Job, job);
  if (parsed.success) return parsed.data;
  throw new InvalidInput(problemsIn(parsed.error));
}
